import { HeadgateError } from "../base/errors.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { isActive, type RunRecord } from "../run/run.js";
import type { NewTrigger, TriggerRecord } from "../trigger/trigger.js";
import type { Pipeline } from "./pipeline.js";
import type { RerunOptions } from "./request-options.js";
import { ACT_OPTIONS, checkedParameters, priorityOf, text } from "./requests.js";

const RERUN: OptionNames<RerunOptions> = { ...ACT_OPTIONS, priority: true, idempotencyKey: true };

/** Refuses options that do not exist. @throws HeadgateError `INVALID_ARGUMENT` */
export function checkRerun(options: RerunOptions): void {
  checkOptions(options, RERUN, "rerun");
}

/**
 * Returns the request that repeats a run: with its parameters, and for the fire time that it was for, as a backfill of it.
 *
 * @throws HeadgateError `NOT_FINISHED`, `INVALID_ARGUMENT`, and `INVALID_PARAMETERS` when the pipeline's schema no longer takes them
 */
export async function rerunRequest(
  pipeline: Pipeline,
  { run, trigger }: { readonly run: RunRecord; readonly trigger: TriggerRecord },
  options: RerunOptions,
  { id, requestedBy }: Pick<NewTrigger, "id" | "requestedBy">,
): Promise<NewTrigger> {
  if (isActive(run))
    throw new HeadgateError("NOT_FINISHED", `run ${run.id} has not ended (${run.status}); wait for it, or cancel it first`, {
      details: { id: run.id, status: run.status },
    });
  return {
    id,
    pipelineId: pipeline.id,
    kind: trigger.scheduledFor === null ? "manual" : "backfill",
    priority: priorityOf(options.priority ?? pipeline.execution.priority),
    scheduledFor: trigger.scheduledFor,
    intervalStart: trigger.intervalStart,
    rerunOf: run.id,
    key: text(options.idempotencyKey, "idempotencyKey", 255),
    reason: text(options.reason, "reason", 1_000),
    user: text(options.user, "user", 200),
    requestedBy,
    ...(await checkedParameters(pipeline, (trigger.parameters ?? undefined) as Record<string, unknown> | undefined)),
    notBefore: null,
    isForced: false,
  };
}
