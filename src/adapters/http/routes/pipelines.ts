import type { OpenMatter, UpcomingFire } from "../../../index.js";
import { RUN_STATUSES } from "../../../run/run.js";
import { TRIGGER_KINDS, TRIGGER_STATUSES } from "../../../trigger/trigger.js";
import { actOf } from "../acting.js";
import { admissionOf } from "../admission.js";
import { fitting, listAnswer, pageAnswer, SHORT_VALUES } from "../bounded.js";
import { keyOf } from "../idempotency-key.js";
import { foundFor, pipelineOf, visible } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { decisionOut, pipelineOut, runOut } from "../serialize.js";
import { clipped, decisionShort, findingShort, runShort, triggerShort, whole } from "../short.js";
import { given, ok } from "./responses.js";

const ID = "/api/v1/pipelines/{id}";
/** Bytes of the decisions, and of the findings, of an explanation. */
const EXPLAINED_BYTES = 262_144;
const EXPLAINED_CHARACTERS = 10_000;

function cursorOf({ id }: { readonly id: string }): string {
  return id;
}

function atOf({ fireAt }: UpcomingFire): string {
  return fireAt.toISOString();
}

function upcomingOut({ fireAt, answer, reason, dependsOn }: UpcomingFire) {
  return { at: fireAt.toISOString(), answer, reason: clipped(reason, EXPLAINED_CHARACTERS), depends_on: mattersOut(dependsOn) };
}

function mattersOut(matters: readonly OpenMatter[]) {
  return matters.map(({ reason, ...rest }) => ({ ...rest, reason: clipped(reason) }));
}

function idOf(call: Pick<Call, "caller" | "scheduler" | "options" | "params">): string {
  return pipelineOf(call, { pipeline: call.params.id });
}

/** A list of words with commas between them, each one of those allowed. */
function oneOf<T extends string>(text: string | undefined, allowed: readonly T[], name: string): readonly T[] | undefined {
  const words = text?.split(",");
  for (const word of words ?? [])
    if (!allowed.includes(word as T))
      throw new Problem(422, "INVALID_REQUEST", `?${name} ${JSON.stringify(word.slice(0, 60))} is unknown; allowed: ${allowed.join(", ")}`);
  return words as readonly T[] | undefined;
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
    id: "listTriggers",
    method: "GET",
    path: `${ID}/triggers`,
    summary: "List a pipeline's triggers, newest first",
    tag: "triggers",
    role: "viewer",
    query: requests.triggersQuery,
    answers: ok("A page of triggers.", schemas.pageOf(schemas.trigger)),
    handle: async (call) => {
      const { status, kind, ...rest } = call.query;
      const filter = { status: oneOf(status, TRIGGER_STATUSES, "status"), kind: oneOf(kind, TRIGGER_KINDS, "kind") };
      const { limit, cursor, ...span } = rest;
      const query = { pipelineId: idOf(call), ...given({ ...span, ...filter }), ...SHORT_VALUES };
      return pageAnswer({ limit, cursor }, (step) => call.scheduler.triggers({ ...query, ...step }), triggerShort, cursorOf);
    },
  }),
  route({
    id: "listRuns",
    method: "GET",
    path: `${ID}/runs`,
    summary: "List runs, newest first",
    tag: "runs",
    role: "viewer",
    query: requests.runsQuery,
    answers: ok("A page of runs.", schemas.pageOf(schemas.run)),
    handle: async (call) => {
      const { status, ...rest } = call.query;
      const filter = { status: oneOf(status, RUN_STATUSES, "status") };
      const { limit, cursor, ...span } = rest;
      const query = { pipelineId: idOf(call), ...given({ ...span, ...filter }), ...SHORT_VALUES };
      return pageAnswer({ limit, cursor }, (step) => call.scheduler.runs({ ...query, ...step }), runShort, cursorOf);
    },
  }),
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
    id: "listDecisions",
    method: "GET",
    path: `${ID}/decisions`,
    summary: "List decisions with their findings, newest first",
    tag: "pipelines",
    role: "viewer",
    query: requests.decisionsQuery,
    answers: ok("A page of decisions.", schemas.pageOf(schemas.decision)),
    handle: async (call) => {
      const { outcome, ...rest } = call.query;
      const filter = { outcome: oneOf(outcome, ["run", "hold", "skip"] as const, "outcome") };
      const { limit, cursor, ...span } = rest;
      const query = { pipelineId: idOf(call), ...given({ ...span, ...filter }), ...SHORT_VALUES };
      return pageAnswer({ limit, cursor }, (step) => call.scheduler.decisions({ ...query, ...step }), decisionShort, cursorOf);
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
    id: "listUpcoming",
    method: "GET",
    path: `${ID}/upcoming`,
    summary: "List upcoming fire times and their expected outcomes (`limit`, `cursor`, `from`, `until`)",
    tag: "pipelines",
    role: "viewer",
    query: requests.upcomingQuery,
    answers: ok("A page of fire times, soonest first.", schemas.pageOf(schemas.upcomingFire)),
    handle: async (call) => {
      const { count = 10, limit = count, cursor, from, until } = call.query;
      const query = { pipelineId: idOf(call), ...given({ from: cursor ?? from, until }) };
      const fires = await call.scheduler.upcoming({ ...query, count: limit + 1 });
      let read = 0;
      const next = async (step: { limit: number }) => {
        const items = fires.slice(read, read + step.limit);
        read += items.length;
        return { items, nextCursor: read < fires.length ? "more" : null };
      };
      return pageAnswer({ limit }, next, (fire) => whole(upcomingOut(fire)), atOf);
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
