import { isDeepStrictEqual } from "node:util";
import { HeadgateError } from "../../base/errors.js";
import { shown } from "../../base/shown.js";
import type { NewTrigger, TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "./core.js";

export function unknownPipeline(pipelineId: string): HeadgateError {
  if (typeof pipelineId !== "string")
    return new HeadgateError("INVALID_ARGUMENT", `must be the id of a pipeline, such as "daily-sales" (got ${shown(pipelineId)})`);
  return new HeadgateError("UNKNOWN_PIPELINE", `no such pipeline: ${JSON.stringify(pipelineId.slice(0, 128))}`, {
    details: { pipelineId },
  });
}

export function stopped(): HeadgateError {
  return new HeadgateError(
    "SCHEDULER_STOPPED",
    "the scheduler is not running: call start() first; a stopped scheduler cannot be restarted, create a new one",
  );
}

/** The same key must mean the same request. */
export function refuseOtherContent(known: TriggerRecord, request: NewTrigger): void {
  if (known.kind === request.kind && isDeepStrictEqual(known.parameters, request.parameters)) return;
  throw new HeadgateError(
    "IDEMPOTENCY_CONFLICT",
    `the idempotency key was already used for trigger ${known.id} with another kind or other parameters`,
    {
      details: { triggerId: known.id },
    },
  );
}

/** @throws HeadgateError `PAUSED` */
export async function refuseWhilePaused({ store }: Pick<Core, "store">, pipelineId: string): Promise<void> {
  const [{ pause: everything }, [state]] = await Promise.all([store.globalPause(), store.states([pipelineId])]);
  const pause = state?.pause ?? everything;
  if (pause === null) return;
  const what = state?.pause ? `pipeline ${pipelineId}` : "the scheduler";
  const why = pause.reason === null ? "" : ` (${pause.reason})`;
  throw new HeadgateError("PAUSED", `${what} is paused${why}; resume it, or force the trigger`, { details: { pipelineId } });
}

export function noSuchRun(id: string): HeadgateError {
  return new HeadgateError("NOT_FOUND", `no such run: ${id} (it may have been pruned)`, { details: { id } });
}
