import assert from "node:assert/strict";
import type { DocumentWrite } from "../../ports/store.js";
import { type Case, T0 } from "./fixtures.js";

const write = (kind: string, id: string, value: unknown, expected: number | null): DocumentWrite => ({ kind, id, value, expected });

/** Documents. */
export const DOCUMENTS: readonly Case[] = [
  [
    "keeps documents with versions, against lost updates",
    async (store) => {
      assert.deepEqual(await store.documents("window", ["a"]), [null]);
      assert.equal(await store.putDocuments([write("window", "a", ["x"], 1)], "ana", T0), null);
      assert.deepEqual(await store.documents("window", ["a"]), [null]);
      const first = { kind: "window", id: "a", value: ["x"], version: 1, updatedAt: T0, updatedBy: "ana" };
      assert.deepEqual(await store.putDocuments([write("window", "a", ["x"], 0)], "ana", T0), [first]);
      assert.equal(await store.putDocuments([write("window", "a", ["y"], 0)], "ben", T0 + 1), null);
      assert.deepEqual(await store.documents("window", ["b", "a"]), [null, first], "in the order of the ids");
      assert.deepEqual(await store.documents("token", ["a"]), [null], "another kind is another document");
      const races = await Promise.all(["c", "d", "e"].map((who) => store.putDocuments([write("window", "a", [who], 1)], who, T0 + 2)));
      assert.equal(races.filter((one) => one !== null).length, 1);
      const [third] = (await store.putDocuments([write("window", "a", { z: [1, null] }, null)], null, T0 + 3)) ?? [];
      assert.deepEqual(third, { kind: "window", id: "a", value: { z: [1, null] }, version: 3, updatedAt: T0 + 3, updatedBy: null });
      const creations = await Promise.all(["c", "d", "e"].map((who) => store.putDocuments([write("window", "new", who, 0)], who, T0)));
      assert.equal(creations.filter((one) => one !== null).length, 1);
    },
  ],
  [
    "deletes documents, and creates them again from version 1",
    async (store) => {
      await store.putDocuments([write("node", "n1", 1, null)], "n1", T0);
      await store.putDocuments([write("node", "n1", 2, null)], "n1", T0);
      assert.equal(await store.putDocuments([write("node", "n1", null, 1)], "n1", T0), null);
      assert.deepEqual(await store.putDocuments([write("node", "n1", null, 2)], "n1", T0), [null]);
      assert.equal(await store.putDocuments([write("node", "n1", null, 2)], "n1", T0), null);
      assert.deepEqual(await store.putDocuments([write("node", "n1", null, null)], "n1", T0), [null], "whatever is there, even nothing");
      assert.deepEqual(await store.documents("node", ["n1"]), [null]);
      assert.equal((await store.putDocuments([write("node", "n1", 3, 0)], "n1", T0))?.[0]?.version, 1);
    },
  ],
  [
    "writes several documents, all or none",
    async (store) => {
      await store.putDocuments([write("head", "h", 1, 0), write("token", "b", "old", 0)], "ana", T0);
      const late = [write("token", "a", "new", 0), write("token", "b", null, null), write("head", "h", 2, 9)];
      assert.equal(await store.putDocuments(late, "ben", T0 + 1), null);
      assert.deepEqual(
        (await store.documents("token", ["a", "b"])).map((one) => one?.value ?? null),
        [null, "old"],
      );
      const inTime = [write("token", "c", "new", 0), write("token", "b", null, 1), write("head", "h", 2, 1)];
      const written = await store.putDocuments(inTime, "ben", T0 + 2);
      assert.deepEqual(
        written?.map((one) => (one === null ? null : [one.id, one.version])),
        [["c", 1], null, ["h", 2]],
        "answered in the order of the writes",
      );
    },
  ],
  [
    "lists the documents of a kind in pages, in the order of ids",
    async (store) => {
      const ids = ["m", "B", "a", "z", "b", "1", "10", "2"];
      for (const id of ids) await store.putDocuments([write("token", id, { id }, 0), write("other", id, id, 0)], null, T0);
      const seen: string[] = [];
      for (;;) {
        const page = await store.listDocuments("token", { after: seen.at(-1) ?? null, limit: 3 });
        seen.push(...page.map(({ id }) => id));
        if (page.length < 3) break;
        assert.equal(page.length, 3);
      }
      assert.deepEqual(seen, ids.toSorted());
      assert.deepEqual(await store.listDocuments("none", { after: null, limit: 3 }), []);
    },
  ],
];
