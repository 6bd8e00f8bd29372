import { epochMs } from "../../base/instant.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../../base/options.js";
import { type Decision, decisionView } from "../../gate/view.js";
import { chosenPipelines, SELECTION_OPTIONS, type Selectable, selectionOf } from "../../pipeline/selection.js";
import type { DecisionListOptions, ListOptions, Page, RunListOptions, TriggerListOptions } from "../../ports/scheduler-api/lists.js";
import type { DecisionQuery, Listed, ListQuery, RunQuery, Store, TriggerQuery } from "../../ports/store.js";
import { type Run, runView } from "../../run/view.js";
import { type Trigger, triggerView } from "../../trigger/view.js";
import { listAcross } from "./across.js";

const LIST: OptionNames<ListOptions> = {
  ...SELECTION_OPTIONS,
  triggerId: true,
  from: true,
  until: true,
  limit: true,
  cursor: true,
  valueLimit: true,
};

/** The pipelines that a tag or an owner may select. */
type AllPipelines = () => readonly Selectable[];

export async function triggersPage(store: Store, options: TriggerListOptions, all: AllPipelines): Promise<Page<Trigger>> {
  checkOptions(options, { ...LIST, status: true, kind: true }, "triggers");
  const query: TriggerQuery = { ...common(options, "triggers"), ...listed("statuses", options.status), ...listed("kinds", options.kind) };
  return page(await listOf((one) => store.listTriggers(one), query, options, all, "triggers"), query, triggerView);
}

export async function runsPage(store: Store, options: RunListOptions, all: AllPipelines): Promise<Page<Run>> {
  checkOptions(options, { ...LIST, status: true }, "runs");
  const query: RunQuery = { ...common(options, "runs"), ...listed("statuses", options.status) };
  return page(await listOf((one) => store.listRuns(one), query, options, all, "runs"), query, runView);
}

export async function decisionsPage(store: Store, options: DecisionListOptions, all: AllPipelines): Promise<Page<Decision>> {
  checkOptions(options, { ...LIST, outcome: true }, "decisions");
  const query: DecisionQuery = { ...common(options, "decisions"), ...listed("outcomes", options.outcome) };
  return page(await listOf((one) => store.listDecisions(one), query, options, all, "decisions"), query, decisionView);
}

/** Reads a list of all pipelines, of one, or of those that are selected; none when a tag or an owner selects none. */
async function listOf<T extends { readonly id: string; readonly pipelineId: string }, Q extends ListQuery>(
  list: (query: Q) => Promise<Listed<T>>,
  query: Q,
  options: ListOptions,
  all: AllPipelines,
  where: string,
): Promise<Listed<T>> {
  const ids = chosenPipelines(selectionOf(options), all, invalidArgument(where));
  if (ids === null) return list(query);
  const [only, second] = ids;
  if (only === undefined) return [];
  return second === undefined ? list({ ...query, pipelineId: only }) : listAcross(list, ids, query);
}

/** One more than asked for is read, to know whether there are more. */
function common(options: ListOptions, list: string): ListQuery {
  const limit = options.limit ?? 50;
  const refuse = invalidArgument(list);
  checkInteger(limit, { least: 1, most: 1_000 }, "limit", refuse);
  const { valueLimit } = options;
  if (valueLimit !== undefined) checkInteger(valueLimit, { least: 0 }, "valueLimit", refuse);
  return {
    limit: limit + 1,
    ...(valueLimit === undefined ? {} : { valueLimit }),
    ...(options.triggerId === undefined ? {} : { triggerId: options.triggerId }),
    ...(options.from === undefined ? {} : { scheduledFrom: epochMs(options.from, "from") }),
    ...(options.until === undefined ? {} : { scheduledUntil: epochMs(options.until, "until") }),
    ...(options.cursor === undefined ? {} : { before: options.cursor }),
    ...(options.valueLimit === undefined ? {} : { valueLimit: options.valueLimit }),
  };
}

function listed<K extends string, T extends string>(name: K, value: T | readonly T[] | undefined): { [P in K]?: readonly T[] } {
  if (value === undefined) return {};
  const list: readonly T[] = typeof value === "string" ? [value] : value;
  return { [name]: list } as { [P in K]?: readonly T[] };
}

function page<R extends { readonly id: string }, V>(records: Listed<R>, query: ListQuery, view: (record: R) => V): Page<V> {
  const hasMore = records.length === query.limit;
  const shown = hasMore ? records.slice(0, -1) : records;
  return { items: shown.map((one) => view(one)), nextCursor: (hasMore ? shown.at(-1)?.id : records.next) ?? null };
}
