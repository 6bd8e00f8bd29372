import { describe, expect, it } from "vitest";
import { DocumentCollection } from "../../src/engine/context/document-collection.js";
import { memoryStore, type Store } from "../../src/index.js";
import { T0 } from "../../src/testing/contract/fixtures.js";
import { fakeClock } from "../../src/testing/index.js";
import { bound } from "../support/bound-store.js";
import { harness } from "../support/harness.js";

/** A store that notes which documents are read and written. */
function counting(store: Store) {
  const calls: string[] = [];
  const counted: Store = {
    ...bound(store),
    documents: (kind, ids) => {
      calls.push(`read ${kind} ${ids.join(" ")}`);
      return store.documents(kind, ids);
    },
    listDocuments: (kind, query) => {
      calls.push(`list ${kind}`);
      return store.listDocuments(kind, query);
    },
    putDocuments: (writes, ...rest) => {
      calls.push(`write ${writes.map(({ kind, id }) => `${kind} ${id}`).join(", ")}`);
      return store.putDocuments(writes, ...rest);
    },
  };
  return { store: counted, calls };
}

const collection = (store: Store) => new DocumentCollection({ store, clock: fakeClock(T0) as never }, "things", ["thing"]);
const change = (of: DocumentCollection, id: string, value: unknown) =>
  of.change(() => ({ writes: [{ kind: "thing", id, value }], user: "ana" }));

describe("a collection of documents", () => {
  it("notices what another node has changed by reading the head, and reads the changed documents alone", async () => {
    const shared = memoryStore();
    const writer = collection(shared);
    for (const id of ["a", "b", "c"]) await change(writer, id, 1);
    const { store, calls } = counting(shared);
    const reader = collection(store);
    await reader.refresh();
    expect(calls.splice(0)).toEqual(["read collection things", "list thing"]);
    await reader.refresh();
    expect(calls.splice(0)).toEqual(["read collection things"]);
    await change(writer, "b", 2);
    await change(writer, "c", null);
    await reader.refresh();
    expect(calls.splice(0)).toEqual(["read collection things", "read thing b c"]);
    expect([...reader.of("thing")].map(([id, { value }]) => [id, value])).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    for (let n = 0; n < 30; n++) await change(writer, `d${n}`, n);
    await reader.refresh();
    expect(calls.splice(0)).toEqual(["read collection things", "list thing"]);
    expect(reader.of("thing").size).toBe(32);
  });

  it("loses no change of two nodes that write at once, and rests each on what it has read", async () => {
    const shared = memoryStore();
    const nodes = [collection(shared), collection(shared), collection(shared)];
    const add = (of: DocumentCollection) =>
      of.change(() => {
        const count = (of.of("thing").get("count")?.value as number | undefined) ?? 0;
        return { writes: [{ kind: "thing", id: "count", value: count + 1 }], user: null };
      });
    await Promise.all(nodes.flatMap((one) => [add(one), add(one)]));
    expect((await shared.documents("thing", ["count"]))[0]?.value).toBe(6);
  });
});

it("a token that is presented costs the reading of one row", async () => {
  const { store, calls } = counting(memoryStore());
  const { scheduler } = await harness([], { store });
  for (let n = 0; n < 3; n++) await scheduler.tokens.issue({ role: "viewer" });
  const { token, id } = await scheduler.tokens.issue({ role: "admin" });
  calls.splice(0);
  expect(await scheduler.tokens.holderOf(token)).toMatchObject({ id, role: "admin" });
  expect(calls).toEqual([`read token ${id}`]);
  await scheduler.stop();
});
