import { describe, expect, it } from "vitest";
import type { Store } from "../../src/index.js";
import { claim, decideAll, finishOne, registration, request, startAll, T0 } from "../../src/testing/contract/fixtures.js";
import type { NewTrigger, TriggerKind, TriggerStatus } from "../../src/trigger/trigger.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();

/** More than one list looks at. */
const MANY = 20_000;

/** Requests of which some come to every status that there is. */
function requests(): readonly NewTrigger[] {
  const kinds: readonly TriggerKind[] = ["manual", "webhook", "backfill"];
  return Array.from({ length: 60 }, (_, index) =>
    request(["a", "b", "c"][index % 3] as string, {
      kind: kinds[index % 3] as TriggerKind,
      scheduledFor: index % 4 === 0 ? T0 - index * 1_000 : null,
    }),
  );
}

async function play(store: Store, accepted: readonly NewTrigger[]): Promise<void> {
  await store.open();
  await store.register(
    ["a", "b", "c"].map((id) => registration(id, { maxActiveRuns: 4 })),
    T0,
  );
  for (const [index, one] of accepted.entries()) await store.enqueue([one], T0 + index);
  const ends = ["succeeded", "failed", "timed_out"] as const;
  for (let round = 0; round < 3; round++) {
    const runs = await startAll(store, T0 + 1_000 + round);
    for (const [index, run] of runs.slice(round).entries()) {
      const error = { message: "no", code: null };
      const outcome = ends[index % 3] as (typeof ends)[number];
      await finishOne(store, run, T0 + 2_000 + round, {
        end: { outcome, error: outcome === "succeeded" ? null : error, output: null, retryAt: null },
      });
    }
  }
  for (const outcome of ["hold", "skip"] as const) {
    const { triggers } = await claim(store, T0 + 3_000, { limit: 4 });
    await decideAll(store, triggers, outcome, T0 + 3_000);
  }
  const waiting = await store.listTriggers({ statuses: ["pending"], limit: 100 });
  await store.endTrigger(waiting[0]?.id ?? "", "cancelled", { at: T0 + 4_000, user: null, reason: null });
  await store.endTrigger(waiting[1]?.id ?? "", "expired", { at: T0 + 4_000, user: null, reason: null });
}

/** A list from its first page to its last. */
async function pages<T extends { readonly id: string }>(
  read: (before: string | undefined) => Promise<readonly T[] & { readonly next?: string }>,
  limit: number,
): Promise<T[]> {
  const found: T[] = [];
  for (let before: string | undefined; ; ) {
    const page = await read(before);
    expect(page.length).toBeLessThanOrEqual(limit);
    found.push(...page);
    before = page.length === limit ? page.at(-1)?.id : page.next;
    if (before === undefined) return found;
  }
}

const STATUSES: readonly (readonly TriggerStatus[] | undefined)[] = [
  undefined,
  ["pending"],
  ["held"],
  ["running"],
  ["failed"],
  ["failed", "skipped", "cancelled"],
  ["succeeded", "failed", "pending", "running"],
  ["pending", "held", "running"],
  [],
];
const SPANS = [{}, { scheduledFrom: T0 - 30_000, scheduledUntil: T0 + 10 }, { scheduledFrom: T0 + 20 }] as const;

/** Lists for every combination of filters, by the fields that the stores have in common. */
async function listed(store: Store): Promise<Record<string, readonly string[]>> {
  const all: Record<string, readonly string[]> = {};
  const limit = 3;
  const keep = async (
    query: object,
    read: (rest: { limit: number; before?: string }) => Promise<readonly { id: string }[]>,
    key: (one: never) => string,
  ) => {
    const found = await pages((before) => read({ limit, ...(before === undefined ? {} : { before }) }), limit);
    all[JSON.stringify(query)] = found.map((one) => key(one as never));
  };
  for (const pipelineId of [undefined, "a"])
    for (const span of SPANS)
      for (const statuses of STATUSES) {
        const common = { ...span, ...(pipelineId === undefined ? {} : { pipelineId }) };
        for (const kinds of [undefined, ["webhook"], ["manual", "backfill"]] as const) {
          const query = {
            list: "triggers",
            ...common,
            ...(statuses === undefined ? {} : { statuses }),
            ...(kinds === undefined ? {} : { kinds }),
          };
          await keep(
            query,
            (rest) => store.listTriggers({ ...query, ...rest }),
            ({ id }: { id: string }) => id,
          );
        }
        const ends = statuses?.map((one) => (one === "pending" ? "retrying" : one === "held" ? "timed_out" : one));
        const query = { ...common, ...(ends === undefined ? {} : { statuses: ends as never }) };
        await keep(
          { list: "runs", ...query },
          (rest) => store.listRuns({ ...query, ...rest }),
          ({ triggerId }: { triggerId: string }) => triggerId,
        );
      }
  for (const outcomes of [undefined, ["hold"], ["skip", "run"]] as const)
    for (const span of SPANS) {
      const query = { ...span, ...(outcomes === undefined ? {} : { outcomes }) };
      await keep(
        { list: "decisions", ...query },
        (rest) => store.listDecisions({ ...query, ...rest }),
        ({ triggerId }: { triggerId: string }) => triggerId,
      );
    }
  return all;
}

describe("lists, in every combination of their filters", () => {
  it.each([sqlite, ...postgres])("are the same on %s as in memory", { timeout: 120_000 }, async (_, place) => {
    const accepted = requests();
    const [reference, store] = [memory[1]()(), place()()];
    for (const one of [reference, store]) await play(one, accepted);
    const wanted = await listed(reference);
    expect(Object.values(wanted).filter((ids) => ids.length > 0).length).toBeGreaterThan(60);
    expect(await listed(store)).toEqual(wanted);
    for (const one of [reference, store]) await one.close();
  });

  it.each([sqlite, ...postgres])(
    "end on %s before their limit where what matches is rare, and say where they go on",
    { timeout: 120_000 },
    async (_, place) => {
      const store = place()();
      await store.open();
      await store.register([registration("a")], T0);
      const rare = request("a", { kind: "webhook" });
      const common = Array.from({ length: MANY }, () => request("a"));
      for (const some of [[rare], ...Array.from({ length: MANY / 250 }, (_, index) => common.slice(index * 250, index * 250 + 250))])
        await store.enqueue(some, T0);
      const query = { kinds: ["webhook"], limit: 10 } as const;
      const first = await store.listTriggers(query);
      expect([...first]).toEqual([]);
      const second = await store.listTriggers({ ...query, before: first.next ?? expect.fail("the list says nothing of what follows") });
      expect(second.map(({ id }) => id)).toEqual([rare.id]);
      expect(second.next).toBeUndefined();
      await store.close();
    },
  );
});
