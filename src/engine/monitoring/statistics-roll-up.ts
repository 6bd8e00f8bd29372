import { endedAtOf, type FinishedSummary, pipelineOf } from "../../monitor/finished-record.js";
import { RunWindow, type WindowState } from "../../monitor/statistics.js";
import type { Fence } from "../../ports/store/leases.js";
import type { StatisticsRollUp } from "../../ports/store/statistics.js";
import { SETTLED_MS } from "../../trigger/retention.js";
import type { Core } from "../context/core.js";

/** The roll-up of all pipelines together. */
export const TOTAL = "";
/** Runs of a pipeline, and of all, from which quantiles are made. */
const TIMINGS = { pipeline: 40, total: 1_000 };
/** About how much history is read where nothing was rolled up yet: when more has ended in the window, only the newest. */
const READ_LIMIT = 100_000;
const PAGE = 1_000;

/** A window of a pipeline, or of all; from its roll-up on, if there is one. */
export function windowOf(pipelineId: string, windowMs: number, rollUp?: StatisticsRollUp): RunWindow {
  const timings = pipelineId === TOTAL ? TIMINGS.total : TIMINGS.pipeline;
  return new RunWindow({ lengthMs: windowMs, timings }, rollUp?.state as WindowState | undefined);
}

/** Returns false for roll-ups of windows of another length, and for those by a clock that was ahead: they are made again. */
export function isCurrent(rollUp: StatisticsRollUp, windowMs: number, now: number): boolean {
  return rollUp.windowMs === windowMs && rollUp.until <= now;
}

/** Where reading begins when nothing was rolled up: where the window does, or later when that would be too much to read, judging by its first page. */
export async function beginningOf({ store, settings }: Pick<Core, "settings" | "store">, now: number): Promise<number> {
  const from = now - settings.statisticsMs;
  const page = await store.listFinished({ from, until: now, limit: PAGE });
  const [first, last] = [page[0], page.at(-1)];
  if (first === undefined || last === undefined || page.length < PAGE) return from;
  const expected = (PAGE * settings.statisticsMs) / Math.max(1, endedAtOf(last) - endedAtOf(first));
  return expected <= READ_LIMIT ? from : Math.floor(now - (settings.statisticsMs * READ_LIMIT) / expected);
}

/**
 * Adds some of what has ended since the last roll-up to the roll-ups of its pipelines, in one transaction with the instant up to which everything is counted: whenever a node dies, nothing is counted twice or left
 * out. Costs what has ended, off the path of runs. Returns true when nothing is left.
 *
 * @param limit - about how much to add
 */
export async function rollUpStatistics(core: Pick<Core, "store" | "settings">, lease: Fence, now: number, limit: number): Promise<boolean> {
  const { store, settings } = core;
  const windowMs = settings.statisticsMs;
  const settledAt = now - SETTLED_MS;
  const current = (rows: readonly StatisticsRollUp[]) => rows.filter((row) => isCurrent(row, windowMs, now));
  const [total] = current(await store.rollUps({ pipelineIds: [TOTAL] }));
  const from = total?.until ?? (await beginningOf(core, now));
  const { ended, until } = await endedIn(store, from, settledAt, limit);
  if (ended.length === 0) return true;
  const ids = [...new Set(ended.map(pipelineOf))];
  const known = new Map(current(await store.rollUps({ pipelineIds: ids })).map((row) => [row.pipelineId, row]));
  const windows = new Map(ids.map((id) => [id, windowOf(id, windowMs, known.get(id))]));
  const all = windowOf(TOTAL, windowMs, total);
  for (const one of ended) {
    all.add(one);
    const id = pipelineOf(one);
    if (endedAtOf(one) >= (known.get(id)?.until ?? 0)) windows.get(id)?.add(one);
  }
  const rows = [...windows, [TOTAL, all] as const].map(([pipelineId, { state }]) => ({ pipelineId, until, windowMs, state }));
  return !(await store.saveRollUps(lease, rows)) || until === settledAt;
}

/** Records that ended from an instant on, in whole milliseconds, and the instant up to which they reach. */
async function endedIn(
  store: Core["store"],
  from: number,
  before: number,
  limit: number,
): Promise<{ readonly ended: readonly FinishedSummary[]; readonly until: number }> {
  if (from >= before) return { ended: [], until: from };
  for (let most = limit; ; most *= 2) {
    const ended = await store.listFinished({ from, until: before, limit: most });
    if (ended.length < most) return { ended, until: before };
    const until = endedAtOf(ended.at(-1) as FinishedSummary);
    const whole = ended.filter((one) => endedAtOf(one) < until);
    if (whole.length > 0) return { ended: whole, until };
  }
}
