import { HeadgateError } from "../base/errors.js";
import { epochMs, type Instant } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import type { Decision } from "../gate/view.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";
import type { Run } from "../run/view.js";
import type { Trigger } from "../trigger/view.js";
import type { HistoricalPause, History } from "./history.js";

/** Options of {@link readHistory}. */
export interface ReadHistoryOptions {
  /** The pipeline whose history is read. */
  pipelineId: string;
  /** From this fire time, or creation where there is none. Default: from the oldest record on. */
  from?: Instant;
  /** Exclusive. Default: to the newest record. */
  until?: Instant;
}

/** A pipeline's {@link History} as a scheduler returns it. */
export interface ReadHistory extends History {
  readonly runs: readonly Run[];
  readonly triggers: readonly Trigger[];
  readonly decisions: readonly Decision[];
  readonly pauses: readonly HistoricalPause[];
}

const OPTIONS: OptionNames<ReadHistoryOptions> = { pipelineId: true, from: true, until: true };
const PAGE = 1_000;

/**
 * Reads what a store keeps of a pipeline, for `backtest`: its runs, triggers and decisions, and its pauses out of the audit log. All of it is JSON.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_INSTANT`, `STORE_UNAVAILABLE`
 * @example
 * writeFileSync("prices.json", JSON.stringify(await readHistory(scheduler, { pipelineId: "prices", from: "2026-03-01" })));
 */
export async function readHistory(scheduler: Scheduler, options: ReadHistoryOptions): Promise<ReadHistory> {
  checkOptions(options, OPTIONS, "readHistory");
  const { pipelineId } = options;
  if (typeof pipelineId !== "string" || pipelineId === "")
    throw new HeadgateError("INVALID_ARGUMENT", "readHistory: pipelineId: must be the id of a pipeline", {
      details: { option: "pipelineId" },
    });
  const span = {
    pipelineId,
    limit: PAGE,
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.until === undefined ? {} : { until: options.until }),
  };
  const [runs, triggers, decisions] = await Promise.all([
    allOf((cursor) => scheduler.runs({ ...span, ...cursor })),
    allOf((cursor) => scheduler.triggers({ ...span, ...cursor })),
    allOf((cursor) => scheduler.decisions({ ...span, ...cursor })),
  ]);
  const from = options.from === undefined ? Number.NEGATIVE_INFINITY : epochMs(options.from, "from");
  const until = options.until === undefined ? Number.POSITIVE_INFINITY : epochMs(options.until, "until");
  return { runs, triggers, decisions, pauses: await pausesOf(scheduler, pipelineId, from, until) };
}

/** All pages, oldest first. */
async function allOf<T>(
  page: (cursor: { cursor?: string }) => Promise<{ readonly items: readonly T[]; readonly nextCursor: string | null }>,
): Promise<readonly T[]> {
  const found: T[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { items, nextCursor } = await page(cursor === undefined ? {} : { cursor });
    found.push(...items);
    cursor = nextCursor;
  }
  return found.reverse();
}

/** Pauses of the pipeline and of everything, as the audit log has them, oldest first. */
async function pausesOf(scheduler: Scheduler, id: string, from: number, until: number): Promise<readonly HistoricalPause[]> {
  const found: HistoricalPause[] = [];
  for (let before: number | undefined; ; ) {
    const records = await scheduler.audit.list({ limit: PAGE, ...(before === undefined ? {} : { before }) });
    for (const { at, action, pipelineId, user, reason, after } of records) {
      if ((action !== "pause" && action !== "resume") || (pipelineId !== null && pipelineId !== id) || at < from || at >= until) continue;
      const end = (after as { readonly until?: unknown } | null)?.until;
      const ends = action === "pause" ? { until: typeof end === "number" ? new Date(end) : null } : {};
      found.push({ at: new Date(at), action, pipelineId, user, reason, ...ends });
    }
    const last = records.at(-1);
    if (records.length < PAGE || last === undefined || last.at < from) return found.reverse();
    before = last.seq;
  }
}
