import type { Store } from "../../ports/store.js";
import { CLAIMS } from "./claims.js";
import { FIRES } from "./fires.js";
import { RECORDS } from "./records.js";

/** What a test runner offers: the functions of vitest, jest and `node:test` will do. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/**
 * The contract that every store keeps: atomic fires, idempotent enqueue, claims in order under all limits, leases, fencing, retries, expiry, pause, decisions,
 * cursors, settings, paging. Run it on a store of one's own.
 *
 * @param makeStore - gives an empty store that is not open yet, a new one each time
 * @param runner - default: the `describe` and `it` that the runner has made global
 * @example
 * describeStore("my store", () => myStore({ database: fresh() }), { describe, it });
 */
export function describeStore(name: string, makeStore: () => Store | Promise<Store>, runner: TestRunner = globalRunner()): void {
  const { describe, it } = runner;
  describe(`${name} keeps the store's contract`, () => {
    for (const [title, body] of [...FIRES, ...CLAIMS, ...RECORDS]) {
      it(title, async () => {
        const store = await makeStore();
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

function globalRunner(): TestRunner {
  const { describe, it } = globalThis as Partial<TestRunner>;
  if (describe !== undefined && it !== undefined) return { describe, it };
  throw new Error("describeStore: hand in the describe and it of your test runner as the third argument");
}
