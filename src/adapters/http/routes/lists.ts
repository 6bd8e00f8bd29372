import type { PipelineSelection, UpcomingFire } from "../../../index.js";
import { RUN_STATUSES } from "../../../run/run.js";
import { TRIGGER_KINDS, TRIGGER_STATUSES } from "../../../trigger/trigger.js";
import { pageAnswer, SHORT_VALUES } from "../bounded.js";
import { allow, isVisible, pipelineOf } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Answer, type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { clipped, decisionShort, mattersOut, runShort, triggerShort, whole } from "../short.js";
import { given, ok } from "./responses.js";

const OWN = "/api/v1/pipelines/{id}";
const EXPLAINED_CHARACTERS = 10_000;
const OUTCOMES = schemas.decision.shape.outcome.options;

/** Words of a query that select pipelines. */
interface Selecting {
  readonly pipeline?: string | undefined;
  readonly tag?: string | undefined;
  readonly owner?: string | undefined;
}

/** The pipelines of a list: that of the path, or those that the query selects among those that the token covers; `null` when there are none. */
function selectionOf(
  call: Pick<Call, "caller" | "scheduler" | "options" | "params">,
  { pipeline, tag, owner }: Selecting,
): PipelineSelection | null {
  if (call.params.id !== undefined) return { pipelineId: pipelineOf(call, { pipeline: call.params.id }) };
  const chosen = Object.entries({ pipeline, tag, owner }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (chosen.length > 1) throw new Problem(422, "INVALID_REQUEST", `set only one of ${chosen.join(", ")}`);
  if (pipeline !== undefined) return { pipelineIds: pipeline.split(",").map((id) => allow(call, id)) };
  if (tag === undefined && owner === undefined && call.caller.pipelines === null) return {};
  const isChosen = ({ tags, owner: own }: { readonly tags: readonly string[]; readonly owner: string | null }) =>
    (tag === undefined || tags.includes(tag)) && (owner === undefined || own === owner);
  const found = call.scheduler.pipelines().filter((one) => isVisible(call, one.id) && isChosen(one));
  return found.length === 0 ? null : { pipelineIds: found.map(({ id }) => id) };
}

/** A list of words with commas between them, each one of those allowed. */
function oneOf<T extends string>(text: string | undefined, allowed: readonly T[], name: string): readonly T[] | undefined {
  const words = text?.split(",");
  for (const word of words ?? [])
    if (!allowed.includes(word as T))
      throw new Problem(422, "INVALID_REQUEST", `?${name} ${JSON.stringify(word.slice(0, 60))} is unknown; allowed: ${allowed.join(", ")}`);
  return words as readonly T[] | undefined;
}

function cursorOf({ id }: { readonly id: string }): string {
  return id;
}

function atOf({ fireAt }: UpcomingFire): string {
  return fireAt.toISOString();
}

function upcomingOut({ pipelineId, fireAt, answer, reason, dependsOn }: UpcomingFire) {
  const at = fireAt.toISOString();
  return { pipeline: pipelineId, at, answer, reason: clipped(reason, EXPLAINED_CHARACTERS), depends_on: mattersOut(dependsOn) };
}

const NOTHING: Answer = { status: 200, body: { items: [], next_cursor: null } };

/** The upcoming fire times of a pipeline, page by page; of several, the first ones. */
async function upcoming(
  call: Call & {
    query: Selecting & {
      limit?: number | undefined;
      count?: number | undefined;
      cursor?: Date | string | undefined;
      from?: Date | string | undefined;
      until?: Date | string | undefined;
    };
  },
): Promise<Answer> {
  const { count = 10, limit = count, cursor, from, until } = call.query;
  const selection = selectionOf(call, call.query);
  if (selection === null) return NOTHING;
  const fires = await call.scheduler.upcoming({ ...selection, ...given({ from: cursor ?? from, until }), count: limit + 1 });
  const shown = call.params.id === undefined ? fires.slice(0, limit) : fires;
  let read = 0;
  const next = async (step: { limit: number }) => {
    const items = shown.slice(read, read + step.limit);
    read += items.length;
    return { items, nextCursor: read < shown.length ? "more" : null };
  };
  return pageAnswer({ limit }, next, (fire) => whole(upcomingOut(fire)), atOf);
}

const VIEWED = { method: "GET", role: "viewer" } as const;

/** Lists of one pipeline, and of all or some. */
export const listRoutes: readonly Route[] = [OWN, "/api/v1"].flatMap((root): readonly Route[] => {
  const isOwn = root === OWN;
  const name = (own: string, all: string) => (isOwn ? own : all);
  return [
    route({
      ...VIEWED,
      id: name("listTriggers", "listAllTriggers"),
      path: `${root}/triggers`,
      summary: name("List a pipeline's triggers, newest first", "List triggers of all pipelines or some, newest first"),
      tag: "triggers",
      query: isOwn ? requests.triggersQuery : requests.triggersQuery.extend(requests.selectingQuery),
      answers: ok("A page of triggers.", schemas.pageOf(schemas.trigger)),
      handle: async (call) => {
        const { status, kind, limit, cursor, from, until } = call.query;
        const selection = selectionOf(call, call.query as Selecting);
        if (selection === null) return NOTHING;
        const filter = { status: oneOf(status, TRIGGER_STATUSES, "status"), kind: oneOf(kind, TRIGGER_KINDS, "kind") };
        const query = { ...selection, ...given({ from, until, ...filter }), ...SHORT_VALUES };
        return pageAnswer({ limit, cursor }, (step) => call.scheduler.triggers({ ...query, ...step }), triggerShort, cursorOf);
      },
    }),
    route({
      ...VIEWED,
      id: name("listRuns", "listAllRuns"),
      path: `${root}/runs`,
      summary: name("List runs, newest first", "List runs of all pipelines or some, newest first"),
      tag: "runs",
      query: isOwn ? requests.runsQuery : requests.runsQuery.extend(requests.selectingQuery),
      answers: ok("A page of runs.", schemas.pageOf(schemas.run)),
      handle: async (call) => {
        const { status, limit, cursor, from, until } = call.query;
        const selection = selectionOf(call, call.query as Selecting);
        if (selection === null) return NOTHING;
        const query = { ...selection, ...given({ from, until, status: oneOf(status, RUN_STATUSES, "status") }), ...SHORT_VALUES };
        return pageAnswer({ limit, cursor }, (step) => call.scheduler.runs({ ...query, ...step }), runShort, cursorOf);
      },
    }),
    route({
      ...VIEWED,
      id: name("listDecisions", "listAllDecisions"),
      path: `${root}/decisions`,
      summary: name("List decisions with their findings, newest first", "List decisions of all pipelines or some, newest first"),
      tag: "pipelines",
      query: isOwn ? requests.decisionsQuery : requests.decisionsQuery.extend(requests.selectingQuery),
      answers: ok("A page of decisions.", schemas.pageOf(schemas.decision)),
      handle: async (call) => {
        const { outcome, limit, cursor, from, until } = call.query;
        const selection = selectionOf(call, call.query as Selecting);
        if (selection === null) return NOTHING;
        const query = { ...selection, ...given({ from, until, outcome: oneOf(outcome, OUTCOMES, "outcome") }), ...SHORT_VALUES };
        return pageAnswer({ limit, cursor }, (step) => call.scheduler.decisions({ ...query, ...step }), decisionShort, cursorOf);
      },
    }),
    route({
      ...VIEWED,
      id: name("listUpcoming", "listAllUpcoming"),
      path: `${root}/upcoming`,
      summary: name(
        "List upcoming fire times and their expected outcomes (`limit`, `cursor`, `from`, `until`)",
        "List the next fire times of all pipelines or some, soonest first, and their expected outcomes",
      ),
      tag: "pipelines",
      query: isOwn ? requests.upcomingQuery : requests.upcomingQuery.omit({ cursor: true }).extend(requests.selectingQuery),
      answers: ok("A page of fire times, soonest first.", schemas.pageOf(schemas.upcomingFire)),
      handle: (call) => upcoming(call as Parameters<typeof upcoming>[0]),
    }),
  ];
});
