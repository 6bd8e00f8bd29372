import { epochMs } from "../../base/instant.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../../base/options.js";
import { type Decision, decisionView } from "../../gate/view.js";
import type { DecisionListOptions, ListOptions, Page, RunListOptions, TriggerListOptions } from "../../ports/scheduler-api/lists.js";
import type { DecisionQuery, Listed, ListQuery, RunQuery, Store, TriggerQuery } from "../../ports/store.js";
import { type Run, runView } from "../../run/view.js";
import { type Trigger, triggerView } from "../../trigger/view.js";

const LIST: OptionNames<ListOptions> = {
  pipelineId: true,
  triggerId: true,
  from: true,
  until: true,
  limit: true,
  cursor: true,
  valueLimit: true,
};

export async function triggersPage(store: Store, options: TriggerListOptions): Promise<Page<Trigger>> {
  checkOptions(options, { ...LIST, status: true, kind: true }, "triggers");
  const query: TriggerQuery = { ...common(options, "triggers"), ...listed("statuses", options.status), ...listed("kinds", options.kind) };
  return page(await store.listTriggers(query), query, triggerView);
}

export async function runsPage(store: Store, options: RunListOptions): Promise<Page<Run>> {
  checkOptions(options, { ...LIST, status: true }, "runs");
  const query: RunQuery = { ...common(options, "runs"), ...listed("statuses", options.status) };
  return page(await store.listRuns(query), query, runView);
}

export async function decisionsPage(store: Store, options: DecisionListOptions): Promise<Page<Decision>> {
  checkOptions(options, { ...LIST, outcome: true }, "decisions");
  const query: DecisionQuery = { ...common(options, "decisions"), ...listed("outcomes", options.outcome) };
  return page(await store.listDecisions(query), query, decisionView);
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
    ...(options.pipelineId === undefined ? {} : { pipelineId: options.pipelineId }),
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
