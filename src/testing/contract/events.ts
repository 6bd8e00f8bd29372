import assert from "node:assert/strict";
import type { EventBounds, NewEvent } from "../../ports/store/events.js";
import type { Store } from "../../ports/store.js";
import { type Case, MINUTE, pruneAll, T0 } from "./fixtures.js";

const WIDE: EventBounds = { count: 1_000, bytes: 1_000_000, ageMs: 60 * MINUTE };

function event(name: string, rest: Partial<NewEvent> = {}): NewEvent {
  const data = JSON.stringify({ name });
  return { at: T0, name, pipelineId: "a", data, size: data.length, ...rest };
}

function events(count: number, rest: Partial<NewEvent> = {}): NewEvent[] {
  return Array.from({ length: count }, (_, index) => event(`e${index}`, rest));
}

async function seqs(store: Store, after = 0, limit = 10_000): Promise<number[]> {
  return (await store.listEvents(after, limit)).map(({ seq }) => seq);
}

/** The event log: order, bounds, positions. */
export const EVENTS: readonly Case[] = [
  [
    "numbers events in the order in which they were appended and lists them behind a number",
    async (store) => {
      assert.equal(await store.lastEventSeq(), 0);
      assert.deepEqual(await store.listEvents(0, 10), []);
      await store.appendEvents([event("one"), event("two", { pipelineId: null })], WIDE, T0);
      await store.appendEvents([], WIDE, T0);
      await store.appendEvents([event("three", { data: '{"text":"☃\\u0000"}', size: 21 })], WIDE, T0);
      assert.deepEqual(await store.listEvents(0, 10), [
        { seq: 1, ...event("one") },
        { seq: 2, ...event("two", { pipelineId: null }) },
        { seq: 3, ...event("three", { data: '{"text":"☃\\u0000"}', size: 21 }) },
      ]);
      assert.deepEqual(await seqs(store, 1, 1), [2]);
      assert.deepEqual(await seqs(store, 3), []);
      assert.deepEqual(await seqs(store, 99), []);
      assert.equal(await store.lastEventSeq(), 3);
    },
  ],
  [
    "never shows an event before one that was read already, however many append at once",
    async (store) => {
      const appends = Array.from({ length: 20 }, (_, n) => store.appendEvents(events(5, { pipelineId: `p${n}` }), WIDE, T0));
      const all = Promise.all(appends);
      let isDone = false;
      void all.finally(() => {
        isDone = true;
      });
      const read: number[] = [];
      for (let isLast = false; !isLast; ) {
        isLast = isDone;
        read.push(...(await seqs(store, read.at(-1) ?? 0)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await all;
      assert.deepEqual(
        read,
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
    },
  ],
  [
    "removes the oldest events beyond count and bytes, and keeps counting",
    async (store) => {
      await store.appendEvents(events(6), { ...WIDE, count: 4 }, T0);
      assert.deepEqual(await seqs(store), [3, 4, 5, 6]);
      await store.appendEvents(events(3, { size: 100 }), { ...WIDE, bytes: 250 }, T0);
      assert.deepEqual(await seqs(store), [8, 9]);
      await store.appendEvents(events(1, { size: 300 }), { ...WIDE, bytes: 250 }, T0);
      assert.deepEqual(await seqs(store), []);
      assert.equal(await store.lastEventSeq(), 10);
      await store.appendEvents(events(1), WIDE, T0);
      assert.deepEqual(await seqs(store), [11]);
    },
  ],
  [
    "removes many old events in small steps, also by age when it is pruned",
    async (store) => {
      for (let n = 0; n < 3; n++) await store.appendEvents(events(1_000), { ...WIDE, count: 10_000 }, T0);
      for (let n = 0; n < 10; n++) await store.appendEvents(events(1), { ...WIDE, count: 5 }, T0);
      assert.deepEqual(await seqs(store), [3_006, 3_007, 3_008, 3_009, 3_010]);
      await pruneAll(store, T0 + 59 * MINUTE);
      assert.equal((await seqs(store)).length, 5);
      await pruneAll(store, T0 + 61 * MINUTE);
      assert.deepEqual(await seqs(store), []);
      await pruneAll(store, T0 + 62 * MINUTE);
      assert.equal(await store.lastEventSeq(), 3_010);
    },
  ],
];
