import { invalidArgument } from "../../../base/options.js";
import { selectedPipelines } from "../../../pipeline/selection.js";
import { actOf } from "../acting.js";
import { isVisible, pipelineOf } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Answer, type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { pauseOut } from "../serialize.js";
import { given, ok } from "./responses.js";

/** The pipelines that a request may select; of a pause until when. */
interface PauseFields {
  readonly pipeline?: string | undefined;
  readonly dag_id?: string | undefined;
  readonly all?: boolean | undefined;
  readonly pipelines?: readonly string[] | undefined;
  readonly tag?: string | undefined;
  readonly owner?: string | undefined;
  readonly reason?: string | undefined;
  readonly user?: string | undefined;
  readonly duration_minutes?: number | undefined;
  readonly until?: Date | string | undefined;
}

/**
 * Pipelines, or (`null`) everything, for which a token must not be limited. A tag or an owner selects among those that the token covers.
 *
 * @throws Problem `AMBIGUOUS_PIPELINE`, `FORBIDDEN`, `UNKNOWN_PIPELINE`
 */
function targetsOf(call: Call, { pipeline, dag_id, all, pipelines, tag, owner }: PauseFields): readonly string[] | null {
  const given = Object.entries({ pipeline: pipeline ?? dag_id, all: all || undefined, pipelines, tag, owner }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (given.length > 1) throw new Problem(422, "AMBIGUOUS_PIPELINE", `set only one of ${given.join(", ")}`);
  if (all === true) {
    if (call.caller.pipelines !== null) throw new Problem(403, "FORBIDDEN", "this token is not for all pipelines");
    return null;
  }
  if (pipelines !== undefined) return [...new Set(pipelines.map((id) => pipelineOf(call, { pipeline: id })))];
  if (tag === undefined && owner === undefined) return [pipelineOf(call, { pipeline, dag_id })];
  const covered = call.scheduler.pipelines().filter(({ id }) => isVisible(call, id));
  return selectedPipelines(given.includes("tag") ? { tag: tag ?? "" } : { owner: owner ?? "" }, () => covered, invalidArgument("pause"));
}

async function pausedNow({ scheduler }: Call, ids: readonly string[] | null): Promise<Answer> {
  const [first, second] = ids ?? [];
  const pause = first === undefined ? scheduler.status().pause : (await scheduler.getPipelineStatus(first)).pause;
  const pipeline = second === undefined ? (first ?? null) : null;
  return {
    status: 200,
    body: { pipeline, pipelines: ids, paused: pause !== null, pause: pauseOut(pause) },
    pipelineId: pipeline,
    ids: ids ?? [],
  };
}

async function pause(call: Call, fields: PauseFields): Promise<Answer> {
  const ids = targetsOf(call, fields);
  const { duration_minutes: minutes, until } = fields;
  const options = {
    ...actOf(call, fields),
    duration: minutes === undefined ? undefined : minutes * 60_000,
    until,
    pipelineIds: ids ?? undefined,
  };
  await call.scheduler.pause(given(options));
  return pausedNow(call, ids);
}

async function resume(call: Call, fields: PauseFields): Promise<Answer> {
  const ids = targetsOf(call, fields);
  await call.scheduler.resume(given({ ...actOf(call, fields), pipelineIds: ids ?? undefined }));
  return pausedNow(call, ids);
}

const SELECTING = { pipeline: true, dag_id: true, all: true, pipelines: true, tag: true, owner: true } as const;
const POST = { method: "POST", tag: "pipelines", role: "operator", isBodyOptional: true } as const;
const PAUSED = ok("The current state.", schemas.paused);

export const controlRoutes: readonly Route[] = [
  route({
    ...POST,
    id: "pause",
    path: "/api/v1/pipeline/pause",
    summary: "Pause a pipeline, several, those of a tag or an owner, or `all`: for a duration, until an instant or until resumed",
    body: requests.pauseBody,
    answers: PAUSED,
    handle: (call) => pause(call, call.body ?? {}),
  }),
  route({
    ...POST,
    id: "resume",
    path: "/api/v1/pipeline/resume",
    summary: "Resume a pipeline, several, those of a tag or an owner, or `all`",
    body: requests.resumeBody,
    answers: PAUSED,
    handle: (call) => resume(call, call.body ?? {}),
  }),
  route({
    ...POST,
    id: "pausePipeline",
    path: "/api/v1/pipelines/{id}/pause",
    summary: "Pause a pipeline: for a duration, until an instant or until resumed",
    body: requests.pauseBody.omit(SELECTING).meta({ id: "PausePipelineRequest" }),
    answers: PAUSED,
    handle: (call) => pause(call, { ...call.body, pipeline: call.params.id }),
  }),
  route({
    ...POST,
    id: "resumePipeline",
    path: "/api/v1/pipelines/{id}/resume",
    summary: "Resume a pipeline",
    body: requests.resumeBody.omit(SELECTING).meta({ id: "ResumePipelineRequest" }),
    answers: PAUSED,
    handle: (call) => resume(call, { ...call.body, pipeline: call.params.id }),
  }),
];
