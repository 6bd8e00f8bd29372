import { fateOf } from "../random.js";
import type { PipelineSpec } from "../spec.js";

export interface ExpectedEnd {
  readonly outcome: "succeeded" | "failed" | "timed_out";
  readonly at: number;
  /** False makes it final whatever attempts are left. */
  readonly isRetryable: boolean;
  readonly code: string | null;
}

/** How an attempt should end that nobody interrupts: as its fate says, or by its timeout or that of the whole run, whichever comes first. */
export function attemptEnd(seed: number, spec: PipelineSpec, runStartedAt: number, startedAt: number, attempt: number): ExpectedEnd {
  const { timeout, totalTimeout } = spec.execution;
  const { kind, ms, code } = fateOf(seed, spec.id, spec.fate, startedAt, attempt);
  const endsAt = kind === "hang" ? Number.POSITIVE_INFINITY : startedAt + ms;
  const deadline = Math.max(
    startedAt,
    Math.min(startedAt + timeout, totalTimeout === null ? Number.POSITIVE_INFINITY : runStartedAt + totalTimeout),
  );
  if (deadline <= endsAt) return { outcome: "timed_out", at: deadline, isRetryable: true, code: "RUN_TIMED_OUT" };
  return { outcome: kind === "ok" ? "succeeded" : "failed", at: endsAt, isRetryable: kind !== "final", code };
}

/** When the next attempt should be due after one that ended at `at`; `null`: there is none. */
export function retryAfter(
  { execution }: PipelineSpec,
  end: { readonly outcome: string; readonly at: number; readonly isRetryable: boolean; readonly code: string | null },
  runStartedAt: number,
  attempt: number,
  draw: number,
): number | null {
  const { retries, retryDelay, backoff, maxRetryDelay, jitter, retryOn, totalTimeout } = execution;
  if (end.outcome === "succeeded" || end.outcome === "cancelled" || !end.isRetryable || attempt > retries) return null;
  if (retryOn !== null && end.outcome !== "lost" && !retryOn.includes(end.code ?? "")) return null;
  const plain = backoff === "fixed" ? retryDelay : backoff === "exponential" ? retryDelay * 2 ** (attempt - 1) : retryDelay * attempt;
  const delay = Math.round(Math.min(plain * (1 + jitter * (2 * draw - 1)), maxRetryDelay));
  if (totalTimeout !== null && end.at + delay >= runStartedAt + totalTimeout) return null;
  return end.at + delay;
}
