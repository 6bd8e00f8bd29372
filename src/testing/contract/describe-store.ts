import assert from "node:assert/strict";
import type { Store } from "../../ports/store.js";
import { CANCELS } from "./cancels.js";
import { CLAIMS } from "./claims.js";
import { CLOCK_RECOVERY } from "./clock-recovery.js";
import { DOCUMENTS } from "./documents.js";
import { ENDS } from "./ends.js";
import { EVENTS } from "./events.js";
import { FIRES } from "./fires.js";
import { type Case, type ContractRetention, claim, registration, request, T0 } from "./fixtures.js";
import { HISTORY } from "./history.js";
import { HOLDS } from "./holds.js";
import { LEASES } from "./leases.js";
import { OVERLAPPING } from "./overlaps.js";
import { PAUSES } from "./pauses.js";
import { QUEUE } from "./queue.js";
import { RECORDS } from "./records.js";
import { REPEATS } from "./repeats.js";
import { RETENTION } from "./retention.js";
import { RETRIES } from "./retries.js";
import { ROLL_UPS } from "./roll-ups.js";
import { globalRunner, type TestRunner } from "./runner.js";
import { SKIPS } from "./skips.js";
import { STARTS } from "./starts.js";

/** Makes an empty store that is not open yet, a new one each time; with this retention, if one is said. */
export type MakeStore = (options: { retention?: ContractRetention }) => Store | Promise<Store>;

/** Makes the parameters of a stored trigger unreadable, behind the store's back. */
export type BreakTrigger = (store: Store, triggerId: string) => Promise<void>;

/**
 * The contract that every store keeps: atomic fires, idempotent enqueue, requests that are sent again, claims in order under all limits, leases, fencing, retries, expiry, limits on starts, pause, skipped fire times, decisions, limits of the queue,
 * cursors, documents, named leases, paging, retention, statistics, events, clocks that were wrong, broken rows. Run it on a store of your own.
 *
 * @param breakTrigger - tries broken rows too, where a store can have some
 * @param runner - default: the `describe` and `it` that the runner has made global
 * @example
 * describeStore("my store", () => myStore({ database: fresh() }), { describe, it });
 */
export function describeStore(
  name: string,
  makeStore: MakeStore,
  runner: TestRunner = globalRunner("describeStore"),
  breakTrigger?: BreakTrigger,
): void {
  const { describe, it } = runner;
  describe(`${name} keeps the store's contract`, () => {
    const cases = breakTrigger === undefined ? [] : [setAside(breakTrigger)];
    for (const [title, body, retention] of [
      ...FIRES,
      ...CLAIMS,
      ...OVERLAPPING,
      ...CANCELS,
      ...STARTS,
      ...HOLDS,
      ...REPEATS,
      ...RETRIES,
      ...ENDS,
      ...QUEUE,
      ...PAUSES,
      ...SKIPS,
      ...RECORDS,
      ...DOCUMENTS,
      ...LEASES,
      ...RETENTION,
      ...ROLL_UPS,
      ...HISTORY,
      ...EVENTS,
      ...CLOCK_RECOVERY,
      ...cases,
    ]) {
      it(title, async () => {
        const store = await makeStore(retention === undefined ? {} : { retention });
        await store.open();
        await store.open();
        try {
          await body(store);
        } finally {
          await store.close();
          await store.close();
        }
      });
    }
  });
}

/** A trigger that cannot be read is named where it is asked for, and does not hold up the line. */
function setAside(breakTrigger: BreakTrigger): Case {
  return [
    "sets aside a trigger that somebody has broken",
    async (store) => {
      await store.register([registration("a", { maxActiveRuns: 5 })], T0);
      const [bad, good] = await store.enqueue([request("a"), request("a")], T0);
      await breakTrigger(store, bad?.trigger.id ?? "");
      const { triggers } = await claim(store, T0);
      assert.deepEqual(
        triggers.map(({ id }) => id),
        [good?.trigger.id],
      );
      assert.equal((await claim(store, T0)).triggers.length, 0);
      await assert.rejects(store.trigger(bad?.trigger.id ?? ""), { code: "STORE_CORRUPT" });
    },
  ];
}
