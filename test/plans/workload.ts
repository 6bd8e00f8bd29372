import type { Store } from "../../src/index.js";
import type { ContractRetention } from "../../src/testing/contract/fixtures.js";
import { describeStore } from "../../src/testing/index.js";
import { SMALL, worldOf } from "../worlds/generate/world.js";
import { play } from "../worlds/player/play.js";
import { COLD, END, HOT, idOf, LAST_SEQ, START } from "./history.js";

type MakeStore = (options: { retention?: ContractRetention }) => Promise<Store>;

/** Worlds of the random ones that are played: schedules, gates, pauses, backfills, retries, crashed nodes. */
const WORLDS = [1, 5, 9, 13, 17, 22];

/**
 * Does everything that a store can be asked to do: the contract suite, random worlds on the engine itself, and every combination of filters of every list.
 *
 * @param open - makes another store over the data of the last one
 */
export async function workload(
  makeStore: MakeStore,
  open: () => Store,
  breakTrigger: (store: Store, id: string) => Promise<void>,
  count: number,
): Promise<void> {
  const bodies: (() => Promise<void>)[] = [];
  const runner = { describe: (_: string, body: () => void) => body(), it: (_: string, body: () => Promise<void>) => bodies.push(body) };
  describeStore("collected", makeStore, runner, breakTrigger);
  for (const body of bodies) await body();
  for (const seed of WORLDS) {
    await makeStore({ retention: { count: 1_000_000, maxAge: "36500d" } });
    await play(worldOf(seed, SMALL), { name: "collected", open });
  }
  const store = await makeStore({});
  await store.open();
  await listAll(store, count);
  await readAll(store);
  await store.close();
}

/** Every way to choose one value of each filter; `undefined` leaves it out. */
function* combinations<T extends object>(choices: { readonly [Name in keyof T]: readonly (T[Name] | undefined)[] }): Generator<Partial<T>> {
  const names = Object.keys(choices) as (keyof T)[];
  const counts = names.map((name) => choices[name].length);
  const total = counts.reduce((product, one) => product * one, 1);
  for (let number = 0; number < total; number++) {
    const chosen: Partial<T> = {};
    let rest = number;
    for (const [index, name] of names.entries()) {
      const value = choices[name][rest % (counts[index] as number)];
      rest = Math.floor(rest / (counts[index] as number));
      if (value !== undefined) chosen[name] = value;
    }
    yield chosen;
  }
}

/** An hour early in the history, and all but its first and last hour. */
const HOUR = 3_600_000;
const SPANS = [
  undefined,
  [START + HOUR, START + 2 * HOUR],
  [START + HOUR, END - HOUR],
  [START + HOUR, undefined],
  [undefined, START + HOUR],
] as const;

async function listAll(store: Store, count: number): Promise<void> {
  const common = {
    pipelineId: [undefined, HOT, COLD],
    before: [undefined, idOf(Math.floor(count / 2))],
    span: SPANS,
    triggerId: [undefined, idOf(count - 2)],
    valueLimit: [undefined, 100],
  };
  const rest = ({ span, ...query }: { span?: (typeof SPANS)[number] }) => ({
    ...query,
    ...(span?.[0] === undefined ? {} : { scheduledFrom: span[0] }),
    ...(span?.[1] === undefined ? {} : { scheduledUntil: span[1] }),
    limit: 51,
  });
  const statuses = [
    undefined,
    ["pending"],
    ["running"],
    ["expired"],
    ["succeeded"],
    ["failed", "succeeded"],
    ["failed", "cancelled"],
    ["pending", "held", "running"],
  ];
  for (const query of combinations({ ...common, statuses, kinds: [undefined, ["file"], ["manual", "backfill"]] }))
    await store.listTriggers(rest(query) as Parameters<Store["listTriggers"]>[0]);
  const ends = [
    undefined,
    ["running", "retrying"],
    ["timed_out"],
    ["succeeded"],
    ["failed", "succeeded", "timed_out"],
    ["failed", "cancelled"],
  ];
  for (const query of combinations({ ...common, statuses: ends })) await store.listRuns(rest(query) as Parameters<Store["listRuns"]>[0]);
  for (const query of combinations({ ...common, outcomes: [undefined, ["hold"], ["skip"], ["run", "hold"]] }))
    await store.listDecisions(rest(query) as Parameters<Store["listDecisions"]>[0]);
  for (const query of combinations({
    pipelineIds: [undefined, [HOT], [COLD, "b"], ["none"]],
    after: [undefined, LAST_SEQ + 1_000],
    before: [undefined, LAST_SEQ + count - 10],
  }))
    await store.listAudit({ ...query, limit: 50 } as Parameters<Store["listAudit"]>[0]);
}

/** Reads other than lists, of a pipeline with much history. */
async function readAll(store: Store): Promise<void> {
  const span = { pipelineId: HOT, from: START + HOUR, until: START + 2 * HOUR, limit: 50, valueLimit: 100 };
  for (const pipelineId of [HOT, COLD, "none"]) {
    await store.triggersOpenAt({ ...span, pipelineId, at: START + 2 * HOUR });
    await store.triggersForFireTimes({ ...span, pipelineId });
    await store.dropsOfFireTimes({ ...span, pipelineId });
    await store.backlog(pipelineId);
    await store.recentStarts(pipelineId, START, END, 50);
    await store.states([pipelineId]);
    await store.recheck([pipelineId], START);
  }
  await store.states([HOT, COLD, "none"]);
  await store.backlog();
  await store.countWaiting(10_000);
  await store.recheck(null, START);
  await store.expire(END);
  await store.expiredRuns(END, 100);
  await store.nextDueAt(START);
  await store.listEvents(LAST_SEQ + 5, 100);
  await store.listFinished({ from: START + HOUR, until: START + 2 * HOUR, limit: 50 });
  await store.trigger(idOf(5));
  await store.run("none");
}
