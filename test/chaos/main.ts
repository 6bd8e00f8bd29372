/**
 * Breaks a fleet of real processes in many ways and checks that every promise holds: `npm run chaos -- --rounds 1000 --seed 7`. Ends with 1 when one was broken.
 */
import { parseArgs } from "node:util";
import { postgresBinaries } from "../support/private-postgres.js";
import { campaign } from "./campaign.js";
import type { Kind } from "./environment.js";
import type { Family } from "./faults/fault.js";
import { PostgresServer } from "./servers.js";

const FAMILIES: readonly Family[] = ["process", "network", "postgres", "sqlite", "clock", "redis"];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    from: { type: "string", default: "1" },
    epoch: { type: "string", default: "20" },
    faults: { type: "string", default: FAMILIES.join(",") },
    stores: { type: "string" },
  },
});
const number = (name: "rounds" | "seed" | "from" | "epoch") => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: must be an integer ≥ 1 (got ${values[name]})`);
  return value;
};
const families = values.faults.split(",") as Family[];
const unknown = families.filter((one) => !FAMILIES.includes(one));
if (unknown.length > 0) throw new Error(`--faults: unknown: ${unknown.join(", ")}; there are: ${FAMILIES.join(", ")}`);

const bin = postgresBinaries();
if (bin === null) console.log("there is no PostgreSQL on this machine: only rounds on SQLite are run");
const postgres = bin === null ? null : await PostgresServer.start(bin);
try {
  const report = await campaign({
    seed: number("seed"),
    from: number("from"),
    rounds: number("rounds"),
    epochRounds: number("epoch"),
    families,
    ...(values.stores === undefined ? {} : { kinds: values.stores.split(",") as Kind[] }),
    postgres,
    log: console.log,
  });
  console.log(`\nseed ${values.seed}\n${report.summary()}`);
  if (report.violations.length > 0) process.exitCode = 1;
} finally {
  postgres?.stop();
}
