import type { SkippedFireTime } from "../../../index.js";
import { actOf } from "../acting.js";
import { pipelineOf } from "../pipeline-of.js";
import { type Answer, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { skipOut } from "../serialize.js";
import { given, ok } from "./responses.js";

const ID = "/api/v1/pipelines/{id}";
const POST = { method: "POST", tag: "pipelines", role: "operator", isBodyOptional: true } as const;

function answer(pipelineId: string, skips: readonly SkippedFireTime[]): Answer {
  return { status: 200, body: { pipeline: pipelineId, skips: skips.map(skipOut) }, pipelineId };
}

/** Fire times that are left out. */
export const skipRoutes: readonly Route[] = [
  route({
    id: "listSkips",
    method: "GET",
    path: `${ID}/skips`,
    summary: "List fire times that will be left out, in order",
    tag: "pipelines",
    role: "viewer",
    answers: ok("The fire times.", schemas.skipped),
    handle: async (call) => {
      const id = pipelineOf(call, { pipeline: call.params.id });
      return answer(id, (await call.scheduler.getPipelineStatus(id)).skips);
    },
  }),
  route({
    ...POST,
    id: "skip",
    path: `${ID}/skip`,
    summary: "Skip the next fire time, the next few, or those at instants",
    body: requests.skipBody,
    answers: ok("All fire times that will be left out.", schemas.skipped),
    handle: async (call) => {
      const id = pipelineOf(call, { pipeline: call.params.id });
      const { fire_times: at, next, reason, user } = call.body ?? {};
      return answer(id, await call.scheduler.skip(id, given({ ...actOf(call, { reason, user }), at, next })));
    },
  }),
  route({
    ...POST,
    id: "unskip",
    path: `${ID}/unskip`,
    summary: "Have skipped fire times made after all",
    body: requests.unskipBody,
    answers: ok("The fire times that are no longer left out.", schemas.skipped),
    handle: async (call) => {
      const id = pipelineOf(call, { pipeline: call.params.id });
      const { fire_times: at, reason, user } = call.body ?? {};
      return answer(id, await call.scheduler.unskip(id, given({ ...actOf(call, { reason, user }), at })));
    },
  }),
];
