import type { Listed, ListQuery } from "../../ports/store.js";

/** So many pipelines are read each by itself; more, out of the list of all. */
const READ_APART = 20;
/** Records of all pipelines that are read at once, and how often, before a page ends. */
const READ_AT_ONCE = 500;
const READS = 8;

interface Listable {
  readonly id: string;
  readonly pipelineId: string;
}

/** Reads a list of some pipelines, newest first: an index has those of each one; those of many stand among others. Like any list, it may end before its limit, with the place where it goes on. */
export function listAcross<T extends Listable, Q extends ListQuery>(
  list: (query: Q) => Promise<Listed<T>>,
  pipelineIds: readonly string[],
  query: Q,
): Promise<Listed<T>> {
  return pipelineIds.length <= READ_APART ? merged(list, pipelineIds, query) : sifted(list, new Set(pipelineIds), query);
}

async function merged<T extends Listable, Q extends ListQuery>(
  list: (query: Q) => Promise<Listed<T>>,
  pipelineIds: readonly string[],
  query: Q,
): Promise<Listed<T>> {
  const lists = await Promise.all(pipelineIds.map((pipelineId) => list({ ...query, pipelineId })));
  const end = lists.reduce((last, { next = "" }) => (next > last ? next : last), "");
  const newest = lists.flat().sort((one, other) => (one.id < other.id ? 1 : -1));
  const found = newest.filter(({ id }) => id >= end).slice(0, query.limit);
  return found.length === query.limit || end === "" ? found : Object.assign(found, { next: end });
}

async function sifted<T extends Listable, Q extends ListQuery>(
  list: (query: Q) => Promise<Listed<T>>,
  pipelineIds: ReadonlySet<string>,
  query: Q,
): Promise<Listed<T>> {
  const found: T[] = [];
  let { before } = query;
  for (let read = 0; read < READS; read++) {
    const some = await list({ ...query, limit: READ_AT_ONCE, ...(before === undefined ? {} : { before }) });
    found.push(...some.filter(({ pipelineId }) => pipelineIds.has(pipelineId)));
    if (found.length >= query.limit) return found.slice(0, query.limit);
    before = some.length === READ_AT_ONCE ? some.at(-1)?.id : some.next;
    if (before === undefined) return found;
  }
  return before === undefined ? found : Object.assign(found, { next: before });
}
