import assert from "node:assert/strict";
import { type Case, MINUTE, T0 } from "./fixtures.js";

/** Named leases. */
export const LEASES: readonly Case[] = [
  [
    "gives a lease to one holder at a time, with a higher token whenever it was not held without a break",
    async (store) => {
      assert.equal(await store.lease("alerts"), null);
      const first = await store.claimLease("alerts", "n1", T0 + MINUTE, T0);
      assert.deepEqual(first, { name: "alerts", holder: "n1", token: 1, acquiredAt: T0, leaseUntil: T0 + MINUTE });
      assert.equal(await store.claimLease("alerts", "n2", T0 + 2 * MINUTE, T0 + 1), null);
      assert.deepEqual(await store.lease("alerts"), first);
      assert.deepEqual(await store.claimLease("alerts", "n1", T0 + 2 * MINUTE, T0 + 30_000), { ...first, leaseUntil: T0 + 2 * MINUTE });
      const taken = await store.claimLease("alerts", "n2", T0 + 3 * MINUTE, T0 + 2 * MINUTE);
      assert.deepEqual([taken?.holder, taken?.token, taken?.acquiredAt], ["n2", 2, T0 + 2 * MINUTE]);
      const late = await store.claimLease("alerts", "n2", T0 + 9 * MINUTE, T0 + 4 * MINUTE);
      assert.equal(late?.token, 3, "it had run out in between");
      assert.equal((await store.claimLease("other", "n1", T0 + MINUTE, T0))?.token, 1);
    },
  ],
  [
    "frees a lease for the holder of its token and for nobody else",
    async (store) => {
      const first = await store.claimLease("alerts", "n1", T0 + MINUTE, T0);
      await store.releaseLease({ name: "nothing", token: 1 });
      await store.releaseLease({ name: "alerts", token: 7 });
      assert.equal(await store.claimLease("alerts", "n2", T0 + MINUTE, T0 + 1), null);
      await store.releaseLease({ name: "alerts", token: first?.token ?? 0 });
      await store.releaseLease({ name: "alerts", token: first?.token ?? 0 });
      assert.equal((await store.lease("alerts"))?.holder, null);
      const second = await store.claimLease("alerts", "n2", T0 + MINUTE, T0 + 1);
      assert.equal(second?.token, 2);
      await store.releaseLease({ name: "alerts", token: 1 });
      assert.equal((await store.lease("alerts"))?.holder, "n2");
    },
  ],
  [
    "gives a lease that many ask for at once to one of them",
    async (store) => {
      const claims = await Promise.all(["n1", "n2", "n3"].map((node) => store.claimLease("alerts", node, T0 + MINUTE, T0)));
      assert.equal(claims.filter((one) => one !== null).length, 1);
    },
  ],
  [
    "begins a lease again that was acquired by a clock ahead of time",
    async (store) => {
      await store.claimLease("events", "all", T0 + 11 * MINUTE, T0 + 10 * MINUTE);
      const again = await store.claimLease("events", "all", T0 + MINUTE, T0);
      assert.deepEqual([again?.token, again?.acquiredAt, again?.leaseUntil], [2, T0, T0 + MINUTE]);
    },
  ],
];
