import { checked } from "./check/index.js";
import { type CheckName, Report } from "./check/report.js";
import { difference } from "./compare.js";
import type { Places, StoreName } from "./places.js";
import { play } from "./player/play.js";
import { backtested, canBeBacktested, canBeSimulated, EXCUSES, simulated } from "./player/simulated.js";
import type { Seen } from "./seen.js";
import type { World } from "./spec.js";

/** What one world came to, on each of the stores. */
export interface Judged {
  readonly world: World;
  readonly reports: ReadonlyMap<StoreName, Report>;
}

/** Plays a world on each store and checks it: by the oracle, the first store against its simulation and backtest, and the stores against each other. */
export async function judged(world: World, stores: readonly StoreName[], places: Pick<Places, "make">): Promise<Judged> {
  const reports = new Map<StoreName, Report>();
  let first: Seen | null = null;
  for (const store of stores) {
    let report = new Report();
    try {
      const seen = await playUndisturbed(world, store, places);
      report = checked(world, seen);
      if (first === null) await checkPlayedAgain(world, seen, report);
      else if (world.nodes === 1 && !isOpenWhichIsFirst(world, store)) {
        const found = difference(first, seen);
        if (found !== "") report.fail("stores", world.from, null, `${first.store} (-) and ${seen.store} (+) differ:\n${found}`);
      }
      first ??= seen;
    } catch (error) {
      report.fail("errors", world.from, null, `the world could not be played: ${(error as Error).stack ?? String(error)}`);
    }
    reports.set(store, report);
  }
  return { world, reports };
}

/** Plays a world again if the store was not to be had meanwhile: a busy machine keeps a database from answering in time, and rounds that were tried again are late. */
async function playUndisturbed(world: World, store: StoreName, places: Pick<Places, "make">): Promise<Seen> {
  let seen = await play(world, places.make(store));
  for (let again = 0; again < 2 && seen.outages.length > 0; again++) seen = await play(world, places.make(store));
  return seen;
}

/**
 * Which of two triggers a store sees first is left open in two cases. A condition that takes its whole timeout ends decisions at the very instants at which other held triggers of its pipeline are due, which
 * decides what `skip` and `cancel_running` do. And triggers that are decided on at once ask a database at once: the one that is answered first takes the last place of `maxPerPeriod`.
 */
function isOpenWhichIsFirst({ pipelines, deeds }: World, store: StoreName): boolean {
  const specs = [...pipelines, ...deeds.flatMap((deed) => (deed.kind === "replace" ? [deed.pipeline] : []))];
  const withCondition = (type: string) =>
    new Set(specs.filter(({ conditions }) => JSON.stringify(conditions).includes(`"type":"${type}"`)).map(({ id }) => id));
  const [hanging, limited] = [withCondition("hang"), withCondition("max")];
  return specs.some(
    ({ id, execution: { overlap, maxActiveRuns } }) =>
      (hanging.has(id) && (overlap === "skip" || overlap === "cancel_running")) ||
      (store === "postgres" && limited.has(id) && maxActiveRuns > 1),
  );
}

/** The simulation of the world has the same records, and the backtest of a pipeline's history comes to that history. */
async function checkPlayedAgain(world: World, seen: Seen, report: Report): Promise<void> {
  if (canBeSimulated(world)) {
    const found = difference(seen, await simulated(world));
    if (found !== "") report.fail("simulate", world.from, null, `the engine (-) and simulate (+) differ:\n${found}`);
  }
  for (const spec of world.pipelines) {
    if (!canBeBacktested(world, spec)) continue;
    const played = await backtested(world, spec, seen);
    if (played === null) continue;
    report.counts.backtests++;
    const { recorded, again, unknown } = played;
    const found = difference(recorded, again);
    if (found !== "" && !unknown.some((kind) => EXCUSES.has(kind)))
      report.fail(
        "backtest",
        world.from,
        spec.id,
        `history (-) and backtest (+) differ (${unknown.join(", ") || "all is known"}):\n${found}`,
      );
  }
}

/** The names of the checks that failed, on any store. */
export function failedChecks({ reports }: Judged): Set<CheckName> {
  return new Set([...reports.values()].flatMap(({ violations }) => violations.map(({ check }) => check)));
}
