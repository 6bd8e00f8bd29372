/**
 * Plays random worlds on the engine that runs in production and checks them against an oracle: `npm run test:worlds -- --seeds 1000`. Ends with 1 when a check fails that is not in the
 * list of what is not held yet.
 */
import { parseArgs } from "node:util";
import { dropSchemas, testDatabaseUrl } from "../support/postgres.js";
import { CHECKS, type CheckName } from "./check/report.js";
import { LARGE, SMALL, worldOf } from "./generate/world.js";
import { failedChecks, type Judged, judged } from "./judge.js";
import { NOT_YET } from "./not-yet.js";
import { Places, type StoreName } from "./places.js";
import { inWords, shrunk } from "./shrink.js";
import type { World } from "./spec.js";
import { Summary } from "./summary.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    stores: { type: "string" },
    small: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
  },
});

function whole(name: "seeds" | "from" | "seed"): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: must be an integer ≥ 1 (got ${values[name]})`);
  return value;
}

const databaseUrl = await testDatabaseUrl();
const places = new Places(databaseUrl);
const size = values.small ? SMALL : LARGE;
const first = values.seed === undefined ? whole("from") : whole("seed");
const count = values.seed === undefined ? whole("seeds") : 1;
const isFatal = (name: CheckName) => values.all || values.seed !== undefined || NOT_YET[name] === undefined;

/** Memory and SQLite; every tenth world on PostgreSQL, too. */
function storesOf(seed: number): StoreName[] {
  if (values.stores !== undefined) return values.stores.split(",") as StoreName[];
  return ["memory", "sqlite", ...(databaseUrl !== null && seed % 10 === 0 ? (["postgres"] as const) : [])];
}

async function explainFailure({ world, reports }: Judged, stores: readonly StoreName[]): Promise<void> {
  for (const [store, { violations }] of reports) {
    const fatal = violations.filter(({ check }) => isFatal(check));
    for (const { check, pipelineId, text } of fatal.slice(0, 8))
      console.log(`  ${store}: ${check}${pipelineId === null ? "" : ` (${pipelineId})`}: ${text}`);
    if (fatal.length > 8) console.log(`  ${store}: and ${fatal.length - 8} more`);
  }
  const wanted = [...failedChecks({ world, reports })].filter(isFatal);
  const stillFails = async (smaller: World) => {
    const failed = failedChecks(await judged(smaller, stores, places));
    return wanted.some((name) => failed.has(name));
  };
  const smallest = await shrunk(world, stillFails);
  console.log(`  ${wanted.map((name) => CHECKS[name]).join("\n  ")}`);
  console.log(`  smallest world that still fails: ${inWords(smallest)}`);
  const again = await judged(smallest, stores, places);
  for (const [store, { violations }] of again.reports)
    for (const { check, text } of violations.filter((one) => wanted.includes(one.check)).slice(0, 3))
      console.log(`  ${store}: ${check}: ${text}`);
  console.log(`  again: npm run test:worlds -- --seed ${world.seed}${values.small ? " --small" : ""}\n`);
}

const summary = new Summary();
try {
  for (let seed = first; seed < first + count; seed++) {
    const stores = storesOf(seed);
    const result = await judged(worldOf(seed, size), stores, places);
    summary.add(result);
    const failed = [...failedChecks(result)].filter(isFatal);
    if (failed.length > 0) {
      process.exitCode = 1;
      console.log(`seed ${seed} (${result.world.theme}): ${failed.join(", ")}`);
      await explainFailure(result, stores);
    } else if (seed % 10 === 0) console.log(`${seed - first + 1} of ${count} worlds played`);
  }
  console.log(summary.text());
} finally {
  places.close();
  await dropSchemas();
}
process.exit();
