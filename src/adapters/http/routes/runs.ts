import { actOf } from "../acting.js";
import { admissionOf } from "../admission.js";
import { keyOf } from "../idempotency-key.js";
import { foundFor } from "../pipeline-of.js";
import type { Call } from "../route.js";
import { type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { runShort } from "../short.js";
import { ACCEPTED, accepted, given } from "./responses.js";

/** The pipeline of a run that the caller may have to do with. */
async function pipelineOfRun(call: Pick<Call, "caller" | "scheduler" | "params">): Promise<string> {
  return foundFor(call, await call.scheduler.getRun(call.params.id ?? ""), "run").pipelineId;
}

/** Actions on one run. */
export const runRoutes: readonly Route[] = [
  route({
    id: "retryRun",
    method: "POST",
    path: "/api/v1/runs/{id}/retry",
    summary: "Retry now: make the next attempt of a run that waits for it due",
    tag: "runs",
    role: "operator",
    body: requests.actBody,
    isBodyOptional: true,
    answers: { 202: { description: "The next attempt is due.", schema: schemas.run } },
    handle: async (call) => {
      const pipelineId = await pipelineOfRun(call);
      const run = await call.scheduler.retryNow(call.params.id ?? "", actOf(call, call.body ?? {}));
      return { status: 202, body: runShort(run).json, pipelineId, ids: [run.id] };
    },
  }),
  route({
    id: "rerun",
    method: "POST",
    path: "/api/v1/runs/{id}/rerun",
    summary: "Run a run that has ended again, with its parameters and for its fire time",
    tag: "runs",
    role: "operator",
    once: { headers: ["idempotency-key"] },
    body: requests.rerunBody,
    isBodyOptional: true,
    answers: ACCEPTED,
    handle: async (call) => {
      await pipelineOfRun(call);
      const { priority, reason, user } = call.body ?? {};
      const options = { ...actOf(call, { reason, user }), ...given({ priority, idempotencyKey: keyOf(call, "idempotency-key") }) };
      return accepted(await call.scheduler.host.rerun(call.params.id ?? "", options, admissionOf(call)), call.prefix);
    },
  }),
];
