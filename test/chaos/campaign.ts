import { hasRedisBinary } from "../support/redis.js";
import { Epoch } from "./epoch.js";
import type { Evidence, Violation } from "./evidence.js";
import { type PlanOptions, planOf, type RoundPlan } from "./plan.js";
import { Report } from "./report.js";
import type { PostgresServer } from "./servers.js";
import { StallMeter } from "./stalls.js";

export interface CampaignOptions extends PlanOptions {
  readonly from: number;
  readonly rounds: number;
  /** `null`: this machine has none, and rounds on it are left out; so are those with a queue where there is no Redis. */
  readonly postgres: PostgresServer | null;
  readonly log: (text: string) => void;
  /** No round begins after so many ms. Default: no limit. */
  readonly limitMs?: number;
}

/** Runs rounds, epoch by epoch. After a violation the store is left, so that one defect is not found a hundred times. */
export async function campaign(options: CampaignOptions): Promise<Report> {
  const { seed, from, rounds, postgres, log, limitMs = Number.POSITIVE_INFINITY } = options;
  const hasRedis = hasRedisBinary();
  const report = new Report();
  const meter = new StallMeter();
  const begun = performance.now();
  let epoch: Epoch | null = null;
  let last: RoundPlan | null = null;
  const leave = async (isOrderly: boolean) => {
    if (epoch === null || last === null) return;
    const found = isOrderly ? await epoch.end() : [];
    const evidence = epoch.evidence();
    if (found.length > 0) told(found, evidence, last);
    report.add(evidence, epoch.unavailable);
    await epoch.close();
    epoch = null;
  };
  const told = (violations: readonly Violation[], evidence: Evidence, plan: RoundPlan) => {
    const families = options.families.join(",");
    const begin = Math.floor((plan.round - 1) / options.epochRounds) * options.epochRounds + 1;
    const again = `npm run chaos -- --seed ${seed} --from ${begin} --rounds ${plan.round - begin + 1} --epoch ${options.epochRounds} --faults ${families}`;
    report.violated(violations, evidence, plan, again);
  };
  try {
    for (let round = from; round < from + rounds && performance.now() - begun < limitMs; round++) {
      const plan = planOf(options, round);
      if ((plan.kind !== "sqlite" && postgres === null) || (plan.kind === "queue" && !hasRedis)) continue;
      if (epoch !== null && last?.epoch !== plan.epoch) await leave(true);
      const began = performance.now();
      epoch ??= await Epoch.start(plan.kind, { seed, epoch: round, postgres, meter });
      last = plan;
      const found = await epoch.round(plan);
      report.rounds++;
      log(
        `round ${round} ${plan.kind} ${((performance.now() - began) / 1_000).toFixed(1)} s: ${plan.faults.map(({ fault, slots, size, holdMs }) => `${fault.name} [${slots}]${size === 0 ? "" : ` ${size}`} ${holdMs} ms`).join("; ") || "nothing"}`,
      );
      if (found.length === 0) continue;
      told(found, epoch.evidence(), plan);
      await leave(false);
    }
    await leave(true);
  } finally {
    await (epoch as Epoch | null)?.close();
    await meter.stop();
  }
  return report;
}
