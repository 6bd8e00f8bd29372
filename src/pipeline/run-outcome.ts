import type { RunError, RunRecord } from "../run/run.js";
import { type Run, runView } from "../run/view.js";
import { isEnded, type TriggerRecord } from "../trigger/trigger.js";
import { type Trigger, triggerView } from "../trigger/view.js";

interface Ended<Output> {
  readonly trigger: Trigger<Output>;
  /** Reason, in words; `null` when there is no more to say. */
  readonly reason: string | null;
}

/** Outcome of a trigger: with a run, or without one because it was skipped, expired, was superseded, or was cancelled while it waited. */
export type RunOutcome<Output = unknown> =
  | (Ended<Output> & { readonly status: "succeeded"; readonly run: Run<Output>; readonly output: Output; readonly error: null })
  | (Ended<Output> & {
      readonly status: "failed" | "timed_out";
      readonly run: Run<Output>;
      readonly output: null;
      readonly error: RunError | null;
    })
  | (Ended<Output> & {
      readonly status: "cancelled";
      /** `null` when it had not started. */
      readonly run: Run<Output> | null;
      readonly output: null;
      readonly error: RunError | null;
    })
  | (Ended<Output> & {
      readonly status: "skipped" | "expired" | "superseded";
      readonly run: null;
      readonly output: null;
      readonly error: null;
    });

/**
 * Returns how a trigger ended; `null` while it has not.
 *
 * @param run - the run that it started, which has ended with it
 */
export function outcomeOf(trigger: TriggerRecord, run: RunRecord | null): RunOutcome | null {
  const { status } = trigger;
  if (!isEnded(status)) return null;
  const ended = { trigger: triggerView(trigger), reason: trigger.endReason };
  if (run === null)
    return status === "succeeded" || status === "failed" ? null : { ...ended, status, run: null, output: null, error: null };
  const started = { ...ended, run: runView(run) };
  if (status === "succeeded") return { ...started, status, output: run.output, error: null };
  const end = status === "cancelled" ? status : run.status === "timed_out" ? run.status : "failed";
  return { ...started, status: end, output: null, error: run.error };
}
