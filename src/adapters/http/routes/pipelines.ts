import { actOf } from "../acting.js";
import { admissionOf } from "../admission.js";
import { fitting, listAnswer } from "../bounded.js";
import { keyOf } from "../idempotency-key.js";
import { foundFor, pipelineOf, visible } from "../pipeline-of.js";
import { type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { decisionOut, pipelineOut, runOut } from "../serialize.js";
import { clipped, decisionShort, findingShort, mattersOut, runShort, triggerShort, whole } from "../short.js";
import { given, ok } from "./responses.js";

const ID = "/api/v1/pipelines/{id}";
/** Bytes of the decisions, and of the findings, of an explanation. */
const EXPLAINED_BYTES = 262_144;
const EXPLAINED_CHARACTERS = 10_000;

function idOf(call: Pick<Call, "caller" | "scheduler" | "options" | "params">): string {
  return pipelineOf(call, { pipeline: call.params.id });
}

export const pipelineRoutes: readonly Route[] = [
  route({
    id: "listPipelines",
    method: "GET",
    path: "/api/v1/pipelines",
    summary: "List pipelines, ordered by id",
    tag: "pipelines",
    role: "viewer",
    query: requests.pendingQuery.omit({ pipeline: true, dag_id: true }),
    answers: ok("A page of pipelines.", schemas.pageOf(schemas.pipeline)),
    handle: async (call) => {
      const { limit = 50, cursor } = call.query;
      return listAnswer(
        visible(call),
        { limit, cursor },
        async (id) => whole(pipelineOut(await call.scheduler.getPipelineStatus(id))),
        (id) => id,
      );
    },
  }),
  ...[ID, "/api/v1/pipeline/status"].map((path) =>
    route({
      id: path === ID ? "getPipeline" : "getPipelineStatus",
      method: "GET",
      path,
      summary: "Get a pipeline's status",
      tag: "pipelines",
      role: "viewer",
      ...(path === ID ? {} : { query: requests.namedQuery }),
      answers: ok("The pipeline.", schemas.pipeline),
      handle: async (call) => {
        const id = path === ID ? idOf(call) : pipelineOf(call, call.query as { pipeline?: string; dag_id?: string });
        return { status: 200, body: pipelineOut(await call.scheduler.getPipelineStatus(id)), pipelineId: id };
      },
    }),
  ),
  route({
    id: "getRun",
    method: "GET",
    path: "/api/v1/runs/{id}",
    summary: "Get a run",
    tag: "runs",
    role: "viewer",
    answers: ok("The run.", schemas.run),
    handle: async (call) => {
      const run = foundFor(call, await call.scheduler.getRun(call.params.id ?? ""), "run");
      return { status: 200, body: runOut(run), pipelineId: run.pipelineId };
    },
  }),
  route({
    id: "getDecision",
    method: "GET",
    path: "/api/v1/decisions/{id}",
    summary: "Get a decision with all its findings",
    tag: "pipelines",
    role: "viewer",
    answers: ok("The decision.", schemas.decision),
    handle: async (call) => {
      const { id = "" } = call.params;
      const { items } = await call.scheduler.decisions({ cursor: `${id}0`, limit: 1 }); // the newest one up to this id
      const decision = foundFor(
        call,
        items.find((one) => one.id === id),
        "decision",
      );
      return { status: 200, body: decisionOut(decision), pipelineId: decision.pipelineId };
    },
  }),
  route({
    id: "explain",
    method: "GET",
    path: `${ID}/explain`,
    summary: "Explain why a pipeline ran, did not run or is waiting, at a past or future instant (default now)",
    tag: "pipelines",
    role: "viewer",
    query: requests.explainQuery,
    answers: ok("The explanation, as text and as data.", schemas.explanation),
    handle: async (call) => {
      const pipelineId = idOf(call);
      const explained = await call.scheduler.explain(pipelineId, call.query.at);
      const { at, answer, text, trigger, decisions, run, findings, dependsOn, nextFireAt } = explained;
      const newest = fitting(decisions.toReversed(), decisionShort, EXPLAINED_BYTES);
      const body = {
        pipeline: pipelineId,
        at: at.toISOString(),
        answer,
        text: clipped(text, EXPLAINED_CHARACTERS),
        trigger: trigger === null ? null : triggerShort(trigger).json,
        decisions: newest.toReversed(),
        run: run === null ? null : runShort(run).json,
        findings: fitting(findings, findingShort, EXPLAINED_BYTES),
        depends_on: mattersOut(dependsOn),
        ...(newest.length < decisions.length ? { omitted: ["decisions"] } : {}),
        next_fire_at: nextFireAt?.toISOString() ?? null,
      };
      return { status: 200, body, pipelineId };
    },
  }),
  route({
    id: "backfill",
    method: "POST",
    path: `${ID}/backfill`,
    summary: "Backfill: request a run for every fire time in a range, oldest first, at low priority",
    tag: "triggers",
    role: "operator",
    once: { headers: ["idempotency-key"] },
    body: requests.backfillBody,
    answers: { 202: { description: "The triggers were accepted.", schema: schemas.backfilled } },
    handle: async (call) => {
      const pipelineId = idOf(call);
      const idempotencyKey = keyOf(call, "idempotency-key");
      const { from, reason, user, ...rest } = call.body;
      const options = { from, ...actOf(call, { reason, user }), ...given({ ...rest, idempotencyKey }) };
      const triggers = await call.scheduler.host.backfill(pipelineId, options, admissionOf(call));
      const items = fitting(triggers, triggerShort);
      const isCut = items.length < triggers.length;
      const body = { count: triggers.length, items, ...(isCut ? { omitted: ["items"] } : {}) };
      return { status: 202, body, pipelineId, ids: triggers.map(({ id }) => id) };
    },
  }),
];
