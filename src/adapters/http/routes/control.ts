import { actOf } from "../acting.js";
import { pipelineOf } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Answer, type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { pauseOut } from "../serialize.js";
import { given, ok } from "./responses.js";

type Asked = { pipeline?: string | undefined; dag_id?: string | undefined; all?: boolean | undefined };

/** A pipeline, or (`null`) everything, for which a token must not be limited. */
function targetOf(call: Call, asked: Asked): string | null {
  if (asked.all !== true) return pipelineOf(call, asked);
  if (call.caller.pipelines !== null) throw new Problem(403, "FORBIDDEN", "this token is not for all pipelines");
  if (asked.pipeline !== undefined || asked.dag_id !== undefined)
    throw new Problem(422, "AMBIGUOUS_PIPELINE", "set either pipeline or all, not both");
  return null;
}

async function pausedNow({ scheduler }: Call, pipelineId: string | null): Promise<Answer> {
  const pause = pipelineId === null ? scheduler.status().pause : (await scheduler.getPipelineStatus(pipelineId)).pause;
  return { status: 200, body: { pipeline: pipelineId, paused: pause !== null, pause: pauseOut(pause) }, pipelineId };
}

async function pause(
  call: Call,
  asked: Asked,
  { reason, user, duration_minutes }: { reason?: string; user?: string; duration_minutes?: number },
): Promise<Answer> {
  const pipelineId = targetOf(call, asked);
  const duration = duration_minutes === undefined ? undefined : duration_minutes * 60_000;
  await call.scheduler.pause(given({ ...actOf(call, { reason, user }), duration, pipelineId: pipelineId ?? undefined }));
  return pausedNow(call, pipelineId);
}

async function resume(call: Call, asked: Asked, { reason, user }: { reason?: string; user?: string }): Promise<Answer> {
  const pipelineId = targetOf(call, asked);
  await call.scheduler.resume(given({ ...actOf(call, { reason, user }), pipelineId: pipelineId ?? undefined }));
  return pausedNow(call, pipelineId);
}

const POST = { method: "POST", tag: "pipelines", role: "operator", isBodyOptional: true } as const;
const PAUSED = ok("The current state.", schemas.paused);

export const controlRoutes: readonly Route[] = [
  route({
    ...POST,
    id: "pause",
    path: "/api/v1/pipeline/pause",
    summary: "Pause a pipeline or `all`, for a duration or until resumed",
    body: requests.pauseBody,
    answers: PAUSED,
    handle: (call) => pause(call, call.body ?? {}, given(call.body ?? {})),
  }),
  route({
    ...POST,
    id: "resume",
    path: "/api/v1/pipeline/resume",
    summary: "Resume a pipeline or `all`",
    body: requests.resumeBody,
    answers: PAUSED,
    handle: (call) => resume(call, call.body ?? {}, given(call.body ?? {})),
  }),
  route({
    ...POST,
    id: "pausePipeline",
    path: "/api/v1/pipelines/{id}/pause",
    summary: "Pause a pipeline, for a duration or until resumed",
    body: requests.pauseBody.omit({ pipeline: true, dag_id: true, all: true }).meta({ id: "PausePipelineRequest" }),
    answers: PAUSED,
    handle: (call) => pause(call, { pipeline: call.params.id }, given(call.body ?? {})),
  }),
  route({
    ...POST,
    id: "resumePipeline",
    path: "/api/v1/pipelines/{id}/resume",
    summary: "Resume a pipeline",
    body: requests.resumeBody.omit({ pipeline: true, dag_id: true, all: true }).meta({ id: "ResumePipelineRequest" }),
    answers: PAUSED,
    handle: (call) => resume(call, { pipeline: call.params.id }, given(call.body ?? {})),
  }),
];
