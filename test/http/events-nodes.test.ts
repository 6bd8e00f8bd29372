import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { pipeline, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { type Heard, openEvents } from "../support/event-client.js";
import { START } from "../support/harness.js";
import { sales, service } from "../support/service.js";
import { sharedStore } from "../support/shared-store.js";
import { places } from "../support/stores.js";

const { postgres } = await places();
const shared = [
  "a shared store in memory",
  () => {
    const store = sharedStore();
    return () => store;
  },
] as const;
/** SQLite: events-process.test.ts, since two connections of one process hold each other up. */
const stores = [shared, ...postgres];

/** Counts what a store is asked to write of events and their lease. */
function counting(store: Store): { store: Store; writes: string[] } {
  const writes: string[] = [];
  const { appendEvents, claimLease } = store;
  return {
    writes,
    store: Object.assign(store, {
      appendEvents: (...args: Parameters<Store["appendEvents"]>) => {
        writes.push("events");
        return appendEvents.apply(store, args);
      },
      claimLease: (...args: Parameters<Store["claimLease"]>) => {
        if (args[0] === "headgate: events") writes.push("lease");
        return claimLease.apply(store, args);
      },
    }),
  };
}

async function pair(fresh: () => () => Store) {
  const make = fresh();
  const clock = fakeClock(START);
  const counts = [counting(make()), counting(make())];
  const node = (index: number) =>
    service(
      [sales(), pipeline({ id: "other", run: () => {} })],
      {},
      {
        store: counts[index]?.store as Store,
        clock,
        node: `node-${index}`,
        newId: () => randomUUID(),
      },
    );
  const [a, b] = [await node(0), await node(1)];
  return {
    a,
    b,
    clock,
    writes: () => counts.flatMap(({ writes }) => writes),
    close: () => Promise.all([a.close(), b.close()]),
  };
}

describe.each(stores)("two nodes on %s", (_, fresh) => {
  it("events of one node arrive at a reader on the other, in order, once", async () => {
    const { a, b, clock, close } = await pair(fresh);
    const reader = await openEvents(a.url);
    await clock.advance("11s");
    expect((await reader.next())?.event).toBe("reset"); // from here on, all nodes publish
    for (let n = 0; n < 20; n++) {
      await (n % 2 === 0 ? a : b).scheduler.trigger(n % 3 === 0 ? "other" : "sales");
      await clock.advance("1s");
    }
    const heard = await reader.take(60);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(60);
    const seqs = heard.map(({ id }) => Number(id.slice(id.lastIndexOf("-") + 1)));
    expect(seqs).toEqual(Array.from({ length: 60 }, (_value, index) => (seqs[0] ?? 0) + index));
    const runs = heard.filter(({ event }) => event !== "decision");
    for (const id of new Set(runs.map(({ data }) => data.id)))
      expect(runs.filter(({ data }) => data.id === id).map(({ event }) => event)).toEqual(["run.started", "run.succeeded"]);
    expect(new Set(heard.flatMap(({ data }) => data.node ?? []))).toEqual(new Set(["node-0", "node-1"]));
    reader.close();
    await close();
  });

  it("a reader resumes on the other node where it was", async () => {
    const { a, b, clock, close } = await pair(fresh);
    const reader = await openEvents(a.url);
    await clock.advance("11s");
    await b.scheduler.trigger("sales");
    await clock.advance("2s");
    const [, , started, succeeded] = await reader.take(4); // behind a reset and the decision
    reader.close();
    await a.scheduler.trigger("other");
    await clock.advance("2s");
    const resumed = await openEvents(b.url, { "last-event-id": started?.id ?? "" });
    const heard = await resumed.take(4);
    expect(heard[0]).toEqual(succeeded);
    expect(heard.slice(1).map(({ event, data }) => [event, data.pipeline])).toEqual([
      ["decision", "other"],
      ["run.started", "other"],
      ["run.succeeded", "other"],
    ]);
    resumed.close();
    await close();
  });

  it("a token that is revoked on one node ends its streams on the other", async () => {
    const { a, b, clock, close } = await pair(fresh);
    const { token, id } = await b.scheduler.tokens.issue({ role: "viewer", pipelines: ["sales"] });
    const reader = await openEvents(a.url, { authorization: `Bearer ${token}` });
    expect(reader.response.status).toBe(200);
    await b.scheduler.tokens.revoke(id);
    await clock.advance("15s");
    for (let one: Heard | null = await reader.next(); one !== null; one = await reader.next()) expect(one.event).toBe("reset");
    await close();
  });
});

it("nothing is written while nobody reads", async () => {
  const { a, b, clock, writes, close } = await pair(shared[1]);
  await a.scheduler.trigger("sales");
  await b.scheduler.trigger("sales");
  await clock.advance("5m");
  expect(writes()).toEqual([]);
  const reader = await openEvents(a.url);
  await clock.advance("11s");
  await b.scheduler.trigger("sales");
  await clock.advance("2s");
  await reader.take(4);
  expect(writes()).toContain("events");
  a.api.close();
  await clock.advance("11m");
  const before = writes().length;
  await a.scheduler.trigger("sales");
  await b.scheduler.trigger("sales");
  await clock.advance("5m");
  expect(writes().length).toBe(before);
  await close();
});
