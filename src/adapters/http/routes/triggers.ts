import type { z } from "zod";
import type { PipelineSelection, Run, TriggerStatus } from "../../../index.js";
import { actOf } from "../acting.js";
import { admissionOf } from "../admission.js";
import { fitting, pageAnswer, SHORT_VALUES } from "../bounded.js";
import { keyOf } from "../idempotency-key.js";
import { foundFor, isVisible, narrowed, oneNameOf, pipelineOf } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { runOut, triggerOut } from "../serialize.js";
import { decisionShort, runShort, triggerShort } from "../short.js";
import { eventOf, webhookTrigger } from "../webhooks.js";
import { ACCEPTED, accepted, given, ok } from "./responses.js";

/** The newest of a trigger's decisions; `GET /api/v1/pipelines/{id}/decisions` has them all. */
const MOST_DECISIONS = 100;
const WAITING: readonly TriggerStatus[] = ["pending", "held"];

/** The headers that make a retry safe; of the first that is there. */
const KEY = { headers: ["idempotency-key", "webhook-id"] };
const DELIVERY = ["webhook-id", "x-github-delivery", "idempotency-key"];

export const triggerRoutes: readonly Route[] = [
  route({
    id: "triggerManual",
    method: "POST",
    path: "/api/v1/trigger/manual",
    summary: "Queue a manual trigger",
    tag: "triggers",
    role: "operator",
    once: KEY,
    body: requests.triggerBody,
    isBodyOptional: true,
    answers: ACCEPTED,
    handle: async (call) => {
      const { pipeline, dag_id, not_before: notBefore, reason, user, priority, parameters } = call.body ?? {};
      const idempotencyKey = keyOf(call, ...KEY.headers);
      const act = actOf(call, { reason, user });
      const options = given({ kind: "manual" as const, ...act, priority, parameters, notBefore, idempotencyKey });
      const trigger = await call.scheduler.host.trigger(pipelineOf(call, { pipeline, dag_id }), options, admissionOf(call));
      return accepted(trigger, call.prefix);
    },
  }),
  route({
    id: "triggerImmediate",
    method: "POST",
    path: "/api/v1/trigger/immediate",
    summary: "Trigger an immediate run that skips the conditions; with `force` (admins only) also while paused",
    tag: "triggers",
    role: "operator",
    once: KEY,
    body: requests.immediateBody,
    isBodyOptional: true,
    answers: ACCEPTED,
    handle: async (call) => {
      const { pipeline, dag_id, force, reason, user, parameters } = call.body ?? {};
      if (force === true && call.caller.role !== "admin") throw new Problem(403, "FORBIDDEN", "only an admin may force a trigger");
      const idempotencyKey = keyOf(call, ...KEY.headers);
      const options = given({ kind: "immediate" as const, ...actOf(call, { reason, user }), parameters, force, idempotencyKey });
      const trigger = await call.scheduler.host.trigger(pipelineOf(call, { pipeline, dag_id }), options, admissionOf(call));
      return accepted(trigger, call.prefix);
    },
  }),
  route({
    id: "triggerWebhook",
    method: "POST",
    path: "/api/v1/trigger/webhook",
    summary: "Receive a webhook in headgate's format; signed, or with a token",
    tag: "triggers",
    role: "signed",
    once: { headers: DELIVERY, scope: ({ body }) => (body as z.output<typeof requests.webhookBody>).source },
    body: requests.webhookBody,
    answers: ACCEPTED,
    handle: async (call) => {
      const { source, event, data, pipeline, dag_id, priority } = call.body;
      const payload = { source, ...given({ event, data }) };
      return accepted(await webhookTrigger(call, { source, event: event ?? null, payload, pipeline, dag_id, priority }), call.prefix);
    },
  }),
  route({
    id: "triggerForeignWebhook",
    method: "POST",
    path: "/api/v1/webhooks/{source}",
    summary: "Receive a webhook in the sender's format, such as GitHub's; signed, or with a token",
    tag: "triggers",
    role: "signed",
    once: { headers: DELIVERY, scope: ({ params }) => params.source ?? "" },
    query: requests.namedQuery,
    isRaw: true,
    answers: ACCEPTED,
    handle: async (call) => {
      const source = call.params.source ?? "";
      const event = eventOf(call, source, call.body);
      return accepted(await webhookTrigger(call, { source, event, payload: call.body, ...call.query }), call.prefix);
    },
  }),
  route({
    id: "getTriggerStatus",
    method: "GET",
    path: "/api/v1/trigger/status/{id}",
    summary: "Get a trigger with its run and decisions",
    tag: "triggers",
    role: "viewer",
    answers: ok("The trigger.", schemas.triggerStatus),
    handle: async (call) => {
      const id = call.params.id ?? "";
      const trigger = foundFor(call, await call.scheduler.getTrigger(id), "trigger");
      const [run, decisions] = await Promise.all([
        trigger.runId === null ? Promise.resolve<Run | null>(null) : call.scheduler.getRun(trigger.runId),
        call.scheduler.decisions({ triggerId: id, limit: MOST_DECISIONS, ...SHORT_VALUES }),
      ]);
      const shown = fitting(decisions.items, decisionShort);
      const isCut = shown.length < decisions.items.length || decisions.nextCursor !== null;
      const body = {
        trigger: triggerOut(trigger),
        run: run === null ? null : runOut(run),
        decisions: shown,
        ...(isCut ? { omitted: ["decisions"] } : {}),
      };
      return { status: 200, body, pipelineId: trigger.pipelineId };
    },
  }),
  route({
    id: "listPendingTriggers",
    method: "GET",
    path: "/api/v1/triggers/pending",
    summary: "List waiting triggers, newest first",
    tag: "triggers",
    role: "viewer",
    query: requests.pendingQuery,
    answers: ok("A page of triggers.", schemas.pageOf(schemas.trigger)),
    handle: async (call) => {
      const { pipeline, dag_id, limit, cursor } = call.query;
      const whose = narrowed(call, oneNameOf({ pipeline, dag_id }));
      return pageAnswer(
        { limit, cursor },
        (step) => call.scheduler.triggers({ ...whose, ...step, ...SHORT_VALUES, status: WAITING }),
        triggerShort,
        ({ id }) => id,
      );
    },
  }),
  ...(["trigger", "run"] as const).map((what) =>
    route({
      id: `cancel${what === "trigger" ? "Trigger" : "Run"}`,
      method: "POST",
      path: `/api/v1/${what}s/{id}/cancel`,
      summary: what === "trigger" ? "Cancel a waiting trigger, or request cancellation of its run" : "Request cancellation of a run",
      tag: what === "trigger" ? "triggers" : "runs",
      role: "operator",
      body: requests.actBody,
      isBodyOptional: true,
      answers: {
        202: {
          description: "It was cancelled, or its cancellation was requested.",
          schema: what === "trigger" ? schemas.trigger : schemas.run,
        },
      },
      handle: async (call) => {
        const id = call.params.id ?? "";
        const { scheduler } = call;
        const known = foundFor(call, what === "trigger" ? await scheduler.getTrigger(id) : await scheduler.getRun(id), what);
        const { trigger, run } = await scheduler.cancel(id, actOf(call, call.body ?? {}));
        const body = what === "trigger" ? trigger && triggerShort(trigger).json : run && runShort(run).json;
        const ids = [trigger?.id, run?.id].filter((one) => one !== undefined);
        return { status: 202, body, pipelineId: known.pipelineId, ids };
      },
    }),
  ),
  route({
    id: "cancelMany",
    method: "POST",
    path: "/api/v1/triggers/cancel",
    summary: "Cancel what waits or runs of pipelines, kinds or a span of time, at most 1,000 triggers; or preview it",
    tag: "triggers",
    role: "operator",
    body: requests.cancelManyBody,
    answers: ok("What was cancelled or asked to end, or would be, newest first.", schemas.cancelledMany),
    handle: async (call) => {
      const { pipelines, reason, user, ...rest } = call.body;
      const selection =
        pipelines === undefined ? coveredOf(call, rest) : { pipelineIds: pipelines.map((id) => pipelineOf(call, { pipeline: id })) };
      const { tag: _, owner: __, everything, ...filter } = rest;
      const options = {
        ...actOf(call, { reason, user }),
        ...selection,
        ...given({ ...filter, everything: "pipelineIds" in selection ? undefined : everything }),
      };
      const { triggers, isComplete } = await call.scheduler.cancelMany(options);
      const items = fitting(triggers, triggerShort);
      const body = {
        count: triggers.length,
        items,
        is_complete: isComplete,
        ...(items.length < triggers.length ? { omitted: ["items"] } : {}),
      };
      return { status: 200, body, ids: triggers.map(({ id }) => id) };
    },
  }),
];

/** The pipelines that a filter without ids means: of a token that is limited, those that it covers. */
function coveredOf(
  call: Pick<Call, "caller" | "scheduler">,
  { tag, owner, everything, kind, from, until }: Omit<z.output<typeof requests.cancelManyBody>, "pipelines">,
): PipelineSelection {
  const isLimited = call.caller.pipelines !== null;
  if (tag === undefined && owner === undefined && !isLimited) return {};
  if (isLimited && everything !== true && [tag, owner, kind, from, until].every((one) => one === undefined))
    throw new Problem(422, "INVALID_REQUEST", "everything: must be true to cancel over all pipelines of this token, or set a filter");
  const found = call.scheduler
    .pipelines()
    .filter(
      ({ id, tags, owner: own }) =>
        isVisible(call, id) && (tag === undefined || tags.includes(tag)) && (owner === undefined || own === owner),
    );
  if (found.length > 0) return { pipelineIds: found.map(({ id }) => id) };
  throw new Problem(404, "UNKNOWN_PIPELINE", "no pipeline has that tag or owner");
}
