import { durationMs } from "../base/duration.js";
import { HeadgateError, NonRetryableError } from "../base/errors.js";
import { toDate } from "../base/instant.js";
import type { LocalExecutor, RunControl, RunRequest } from "../ports/executor.js";
import type { ScriptedOutcome, SimulatedAttempt } from "./world.js";

/** Script of an attempt in a backtest. */
export interface Script extends Omit<ScriptedOutcome, "outcome" | "code"> {
  /** `lost` ends as if the node that ran it had died. */
  readonly outcome?: NonNullable<ScriptedOutcome["outcome"]> | "lost";
  /** Of a failure; `null`: it has none, whatever it is. Default: as usual for such an error. */
  readonly code?: string | null;
  /** Time after its start an attempt ends that was aborted; at once if that has passed or is more than the grace away. Default: at once. */
  readonly endsAfterMs?: number;
  /** Called with the instant, epoch ms, when the attempt is aborted before its end. */
  readonly onAbort?: (at: number) => void;
}

const NEVER_MS = durationMs("36500d");

/** Does what a script says instead of calling the pipelines' functions. */
export function scriptedExecutor(
  script: (attempt: SimulatedAttempt, request: RunRequest) => Script,
  randomOf: (pipelineId: string) => () => number,
): LocalExecutor {
  return {
    kind: "local",
    concurrency: 1_000_000,
    execute: async (request, control) => {
      const { pipelineId, runId, attempt, trigger } = request;
      const scripted = script(
        {
          pipelineId,
          runId,
          attempt,
          scheduledFor: toDate(trigger.scheduledFor),
          startedAt: toDate(control.clock.now()),
          parameters: trigger.parameters,
          random: randomOf(pipelineId),
        },
        request,
      );
      const { outcome = "succeed" } = scripted;
      const ms = outcome === "hang" ? NEVER_MS : durationMs(scripted.duration ?? 0, "world.run duration");
      if (ms > 0) await lasting(ms, scripted, control);
      if (outcome === "succeed") return scripted.output;
      throw failureOf(scripted);
    },
  };
}

function failureOf({ outcome, error = "scripted failure", code, isRetryable = true }: Script): Error {
  if (outcome === "lost") return new HeadgateError("RUN_LOST", error);
  const failure = isRetryable ? new Error(error) : new NonRetryableError(error);
  failure.stack = `${failure.name}: ${error}`; // nothing has thrown it, and the result is the same on every machine
  if (code === undefined) return failure;
  return Object.assign(failure, code === null ? { name: "Error" } : { code }); // the name of an error that is no plain one counts as its code
}

/** Resolves after a time, rejects when the run is aborted before. */
function lasting(ms: number, { endsAfterMs, onAbort }: Script, control: RunControl): Promise<void> {
  const { clock, graceMs } = control;
  const began = clock.monotonic();
  return new Promise((resolve, reject) => {
    const stopTimer = clock.setTimer(ms, resolve);
    control.onAbort(() => {
      stopTimer();
      onAbort?.(clock.now());
      const leftMs = (endsAfterMs ?? 0) - (clock.monotonic() - began);
      if (leftMs > 0 && leftMs <= graceMs) clock.setTimer(leftMs, () => reject(control.signal.reason));
      else reject(control.signal.reason);
    });
  });
}
