import type { ConditionSpec } from "../spec.js";
import { grouped, type History } from "./history.js";
import type { Load } from "./load.js";
import { iso, type Report } from "./report.js";

/** No limit is ever exceeded: looked at after every instant at which something starts. */
export function checkLimits(history: History, load: Load, report: Report): void {
  const { world, seen } = history;
  if (world.theme === "steps") return; // spans by a clock that went back overlap
  const forced = new Set(seen.triggers.filter(({ isForced }) => isForced).map(({ id }) => id));
  for (const run of seen.runs) {
    report.counts.runs++;
    if (forced.has(run.triggerId)) continue;
    const { maxActiveRuns } = history.specAt(run.pipelineId, run.startedAt).execution;
    const active = load.active(run.pipelineId, run.startedAt);
    if (active > maxActiveRuns && !isShrunk(history, run.pipelineId, run.startedAt))
      report.fail("limits", run.startedAt, run.pipelineId, `${active} runs at ${iso(run.startedAt)}, of ${maxActiveRuns}`);
  }
  for (const { run, from } of history.attempts) {
    const { pool } = history.specAt(run.pipelineId, from).execution;
    const used = pool === null ? 0 : load.pool(pool, from);
    if (pool !== null && used > (world.pools[pool] as number) && !isShrunk(history, run.pipelineId, from))
      report.fail("limits", from, run.pipelineId, `${used} attempts in pool ${pool} at ${iso(from)}, of ${world.pools[pool]}`);
    if (world.globalLimit !== null && load.all(from) > world.globalLimit)
      report.fail("limits", from, run.pipelineId, `${load.all(from)} attempts at ${iso(from)}, of ${world.globalLimit}`);
  }
  checkRates(history, report);
  checkPauses(history, report);
}

/** Whether runs of before a replacement may still take more than it allows. */
function isShrunk({ seen }: History, _pipelineId: string, at: number): boolean {
  return seen.deeds.some(({ deed, at: since }) => deed.kind === "replace" && since <= at);
}

/** Every run whose gate had to ask `maxPerPeriod`, against the runs that started in the period up to it. */
function checkRates(history: History, report: Report): void {
  const runs = history.seen.runs.filter(({ triggerId }) => {
    const trigger = history.triggers.get(triggerId);
    return trigger !== undefined && trigger.kind !== "immediate" && !trigger.isForced;
  });
  for (const [pipelineId, own] of grouped(runs, (run) => run.pipelineId)) {
    for (const { startedAt } of own) {
      for (const { count, period } of history.specAt(pipelineId, startedAt).conditions.filter(isRate)) {
        const started = history.starts(pipelineId, startedAt - period, startedAt, true).length;
        if (started > count)
          report.fail(
            "max-per-period",
            startedAt,
            pipelineId,
            `${started} runs started in the ${period} ms up to ${iso(startedAt)}, of ${count}`,
          );
      }
    }
  }
}

function isRate(spec: ConditionSpec): spec is Extract<ConditionSpec, { type: "max" }> {
  return spec.type === "max";
}

function checkPauses(history: History, report: Report): void {
  const slack = history.world.nodes > 1 ? history.unnoticedMs : 0; // an attempt that was claimed may begin elsewhere before a node hears of it
  for (const { run, from, attempt } of history.attempts) {
    if (history.triggers.get(run.triggerId)?.isForced) continue;
    for (const span of history.pausedSpans(run.pipelineId))
      if (from >= span.from + (attempt === 1 ? 0 : slack) && from < span.until)
        report.fail(
          "pauses",
          from,
          run.pipelineId,
          `attempt ${attempt} of run ${run.id} starts ${iso(from)}, paused since ${iso(span.from)}`,
        );
  }
}
