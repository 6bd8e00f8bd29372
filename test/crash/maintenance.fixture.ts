/**
 * A node that does nothing but maintenance, as fast as it can: `maintenance.fixture.ts <store url> <count> <now> <claim at> <steps> <turns>`. Says `done` when nothing is left, unless it kills itself
 * before: so many turns after so many steps have begun, in the middle of a transaction.
 */
import { setImmediate } from "node:timers/promises";
import type { Settings } from "../../src/engine/context/core.js";
import { rollUpStatistics } from "../../src/engine/monitoring/statistics-roll-up.js";
import { storeFromUrl } from "../../src/entry/store-from-url.js";

const LIMIT = 10;
const LEASE = "maintenance";
const [url = "", ...rest] = process.argv.slice(2);
const [count = 0, now = 0, claimAt = 0, steps = 0, turns = 0] = rest.map(Number);
const store = storeFromUrl(url, { retention: { count } });
const core = { store, settings: { statisticsMs: 86_400_000 } as Settings };

/** SQLite's statements follow each other within one turn of the event loop. */
async function killSoon(): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await (url.startsWith("sqlite:") ? null : setImmediate());
  process.kill(process.pid, "SIGKILL");
}

await store.open();
const lease = await store.claimLease(LEASE, `node-${process.pid}`, claimAt + 1, claimAt);
const held = { name: LEASE, token: lease?.token ?? 0 };
for (let step = 1, isDone = false; !isDone; step++) {
  if (step === steps) void killSoon();
  isDone = (await rollUpStatistics(core, held, now, LIMIT)) && (await store.prune(now, { limit: LIMIT })).isDone;
}
process.stdout.write("done\n");
await store.close();
