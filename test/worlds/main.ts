/**
 * Plays random worlds on the engine that runs in production and checks them against an oracle: `npm run test:worlds -- --seeds 1000`. Ends with 1 when a check fails that is not in the
 * list of what is not held yet.
 */
import { parseArgs } from "node:util";
import { dropSchemas, testDatabaseUrl } from "../support/postgres.js";
import services from "../support/services.js";
import { CHECKS, type CheckName } from "./check/report.js";
import { LARGE, SMALL, worldOf } from "./generate/world.js";
import { failedChecks, type Judged, judged } from "./judge.js";
import { NOT_YET } from "./not-yet.js";
import { Places, type StoreName } from "./places.js";
import { inWords, shrunk } from "./shrink.js";
import type { World } from "./spec.js";
import { Summary } from "./summary.js";

const { values } = parseArgs({
  allowNegative: true, // --no-shrink: failures are listed sooner
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    stores: { type: "string" },
    small: { type: "boolean", default: false },
    all: { type: "boolean", default: false },
    shrink: { type: "boolean", default: true },
  },
});

function whole(name: "seeds" | "from" | "seed", text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: must be an integer ≥ 1 (got ${text})`);
  return value;
}

/** Those of `--seed 4,21`, or `--seeds` of them in a row. */
function seedsToPlay(): readonly number[] {
  if (values.seed !== undefined) return values.seed.split(",").map((one) => whole("seed", one));
  const from = whole("from", values.from);
  return Array.from({ length: whole("seeds", values.seeds) }, (_, index) => from + index);
}

await services();
const databaseUrl = await testDatabaseUrl();
const places = new Places(databaseUrl);
const size = values.small ? SMALL : LARGE;
const seeds = seedsToPlay();
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
  console.log(`  ${wanted.map((name) => CHECKS[name]).join("\n  ")}`);
  const again = () => console.log(`  again: npm run test:worlds -- --seed ${world.seed}${values.small ? " --small" : ""}\n`);
  if (!values.shrink) {
    again();
    return;
  }
  const stillFails = async (smaller: World) => {
    const failed = failedChecks(await judged(smaller, stores, places));
    return wanted.some((name) => failed.has(name));
  };
  const smallest = await shrunk(world, stillFails);
  console.log(`  smallest world that still fails: ${inWords(smallest)}`);
  for (const [store, { violations }] of (await judged(smallest, stores, places)).reports)
    for (const { check, text } of violations.filter((one) => wanted.includes(one.check)).slice(0, 3))
      console.log(`  ${store}: ${check}: ${text}`);
  again();
}

const summary = new Summary();
try {
  for (const [index, seed] of seeds.entries()) {
    const stores = storesOf(seed);
    const result = await judged(worldOf(seed, size), stores, places);
    summary.add(result);
    const failed = [...failedChecks(result)].filter(isFatal);
    if (failed.length > 0) {
      process.exitCode = 1;
      console.log(`seed ${seed} (${result.world.theme}): ${failed.join(", ")}`);
      await explainFailure(result, stores);
    } else if (seed % 10 === 0) console.log(`${index + 1} of ${seeds.length} worlds played`);
  }
  console.log(summary.text());
} finally {
  places.close();
  await dropSchemas();
}
process.exit();
