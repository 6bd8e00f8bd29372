import { Problem } from "./problem.js";
import type { Call } from "./route.js";

/** Returns true if a caller may have to do with a pipeline. */
export function isVisible({ caller }: Pick<Call, "caller">, pipelineId: string): boolean {
  return caller.pipelines === null || caller.pipelines.includes(pipelineId);
}

/** @throws Problem `FORBIDDEN` for a pipeline that the token is not for */
export function allow(call: Pick<Call, "caller">, pipelineId: string): string {
  if (isVisible(call, pipelineId)) return pipelineId;
  throw new Problem(403, "FORBIDDEN", `this token does not cover pipeline ${JSON.stringify(pipelineId.slice(0, 128))}`);
}

/**
 * Returns what was found by its id. What belongs to a pipeline that the token is not for is as if it were not there: an id shows a caller neither that it exists nor
 * whose it is.
 *
 * @throws Problem `NOT_FOUND`
 */
export function foundFor<T extends { readonly pipelineId: string | null }>(
  call: Pick<Call, "caller">,
  found: T | null | undefined,
  what: string,
): T {
  if (found && (found.pipelineId === null || isVisible(call, found.pipelineId))) return found;
  throw new Problem(404, "NOT_FOUND", `${what} not found (it may have been pruned)`);
}

/** The pipelines that a caller may have to do with. */
export function visible(call: Pick<Call, "caller" | "scheduler">): readonly string[] {
  const { caller, scheduler } = call;
  return caller.pipelines === null ? scheduler.pipelines().map(({ id }) => id) : caller.pipelines.filter((id) => scheduler.has(id));
}

/**
 * Returns the name that a request gives in one of two fields.
 *
 * @throws Problem `AMBIGUOUS_PIPELINE` when they differ
 */
export function oneNameOf({ pipeline, dag_id }: { pipeline?: string | undefined; dag_id?: string | undefined }): string | undefined {
  if (pipeline !== undefined && dag_id !== undefined && pipeline !== dag_id)
    throw new Problem(422, "AMBIGUOUS_PIPELINE", "pipeline and dag_id name different pipelines; provide only one of them");
  return pipeline ?? dag_id;
}

/**
 * The pipeline that a request means: the one it names, the only one, or the default.
 *
 * @throws Problem `AMBIGUOUS_PIPELINE` with the list of those that could be meant, `FORBIDDEN`
 */
export function pipelineOf(
  call: Pick<Call, "caller" | "scheduler" | "options">,
  named: { pipeline?: string | undefined; dag_id?: string | undefined },
): string {
  const name = oneNameOf(named);
  if (name !== undefined) {
    allow(call, name);
    if (call.scheduler.has(name)) return name;
    throw new Problem(404, "UNKNOWN_PIPELINE", `no such pipeline: ${JSON.stringify(name.slice(0, 128))}`);
  }
  const { defaultPipeline } = call.options;
  if (defaultPipeline !== null && isVisible(call, defaultPipeline) && call.scheduler.has(defaultPipeline)) return defaultPipeline;
  const all = visible(call);
  const [only] = all;
  if (all.length === 1 && only !== undefined) return only;
  throw new Problem(422, "AMBIGUOUS_PIPELINE", all.length === 0 ? "there is no pipeline" : "name the pipeline in the field pipeline", {
    pipelines: all.slice(0, 100),
  });
}

/** Returns the pipeline that a list is narrowed to: the one that is named, else (for a limited token) its only one. */
export function narrowed(call: Pick<Call, "caller" | "scheduler" | "options">, pipeline: string | undefined): { pipelineId?: string } {
  if (pipeline === undefined && call.caller.pipelines === null) return {};
  return { pipelineId: pipelineOf(call, { pipeline }) };
}
