import { describe, expect, it } from "vitest";
import { postgresBinaries } from "../support/private-postgres.js";
import { campaign } from "./campaign.js";
import { PostgresServer } from "./servers.js";

const bin = postgresBinaries();
/** The same faults every time, unless another seed is given. */
const SEED = Number(process.env.HEADGATE_CHAOS_SEED ?? 4);
if (bin === null) console.warn("no PostgreSQL binaries (initdb) on this machine: the short form of `npm run chaos` is skipped");

describe.skipIf(bin === null)("a fleet of real processes that is broken in many ways", () => {
  it("keeps every promise, on PostgreSQL, on SQLite and with a queue", async () => {
    const postgres = await PostgresServer.start(bin as string);
    try {
      const lines: string[] = [];
      const report = await campaign({
        seed: SEED,
        from: 1,
        rounds: 9,
        epochRounds: 3,
        kinds: ["postgres", "sqlite", "queue"],
        families: ["process", "network", "postgres", "sqlite", "clock", "redis"],
        postgres,
        log: (line) => lines.push(line),
        limitMs: 60_000,
      });
      expect(
        report.violations.map(({ violation }) => `${violation.invariant}: ${violation.message}`),
        lines.join("\n"),
      ).toEqual([]);
      expect(report.rounds).toBeGreaterThanOrEqual(3);
    } finally {
      postgres.stop();
    }
  }, 300_000);
});
