import type { AlertRule } from "../monitor/alert.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { RunStatus } from "../run/run.js";
import { alertsOver } from "./backtest-alerts.js";
import { type Freshness, freshnessOf } from "./freshness.js";
import type { PlayedRun } from "./played-run.js";

/** Results of a configuration in a span. */
export interface BacktestSide {
  /** Runs that started and ended in the span. */
  readonly runs: number;
  readonly succeeded: number;
  /** Timed-out ones included. */
  readonly failed: number;
  readonly cancelled: number;
  readonly retries: number;
  /** Triggers and fire times that were skipped; `null` when the history has no decisions. */
  readonly skipped: number | null;
  /** Time that runs took, their waits for retries included, ms; and its share of the span. */
  readonly busyMs: number;
  readonly busyShare: number;
  readonly freshness: Freshness;
  /** Number of times each rule's alert fired. */
  readonly alerts: Readonly<Record<string, number>>;
}

/** Measures of both sides. Instants are epoch ms. */
export interface Measures {
  readonly pipeline: Pipeline;
  readonly rules: readonly AlertRule[];
  readonly from: number;
  readonly to: number;
  readonly everyMs: number;
  readonly maxAgeMs: number | null;
}

/** Measures what was, or what was played, in the span. */
export function sideOf(
  all: readonly (Omit<PlayedRun, "endedAt"> & { readonly endedAt: number | null })[],
  skipped: number | null,
  { pipeline, rules, from, to, everyMs, maxAgeMs }: Measures,
): BacktestSide {
  const runs = all.filter(
    (run): run is PlayedRun => run.startedAt >= from && run.startedAt < to && run.endedAt !== null && run.endedAt < to,
  );
  const countOf = (...statuses: readonly RunStatus[]) => runs.filter(({ status }) => statuses.includes(status)).length;
  const busyMs = runs.reduce((sum, { startedAt, endedAt }) => sum + endedAt - startedAt, 0);
  return {
    runs: runs.length,
    succeeded: countOf("succeeded"),
    failed: countOf("failed", "timed_out"),
    cancelled: countOf("cancelled"),
    retries: runs.reduce((sum, { attempt }) => sum + attempt - 1, 0),
    skipped,
    busyMs,
    busyShare: busyMs / (to - from),
    freshness: freshnessOf(runs, to, maxAgeMs),
    alerts: alertsOver(runs, pipeline, rules, from, to, everyMs),
  };
}

/** Both sides as a table in text. */
export function tableText(before: BacktestSide, after: BacktestSide, hasTarget: boolean): string {
  const share = (value: number | null) => (value === null ? "-" : `${(value * 100).toFixed(1)} %`);
  const hours = (ms: number | null) => (ms === null ? "-" : `${(ms / 3_600_000).toFixed(1)} h`);
  const alerts = ({ alerts: fired }: BacktestSide) =>
    Object.entries(fired)
      .map(([rule, count]) => `${count} ${rule}`)
      .join(", ") || "none";
  const rows: [string, (side: BacktestSide) => string][] = [
    ["runs", ({ runs }) => String(runs)],
    ["failed", ({ failed }) => String(failed)],
    ["cancelled", ({ cancelled }) => String(cancelled)],
    ["retries", ({ retries }) => String(retries)],
    ["skipped", ({ skipped }) => (skipped === null ? "-" : String(skipped))],
    ["time taken", ({ busyMs, busyShare }) => `${hours(busyMs)} (${share(busyShare)})`],
    ["age of the data, p50", ({ freshness }) => hours(freshness.p50Ms)],
    ["age of the data, p99", ({ freshness }) => hours(freshness.p99Ms)],
    ...(hasTarget
      ? ([["fresh enough", ({ freshness }) => share(freshness.withinShare)]] as [string, (side: BacktestSide) => string][])
      : []),
    ["alerts", alerts],
  ];
  const lines = rows.map(([name, of]) => [name, of(before), of(after)]);
  const width = (column: number) => Math.max(...lines.map((line) => (line[column] as string).length), 10);
  const pad = ([name, was, is]: readonly string[]) => `${(name as string).padEnd(width(0))}  ${(was as string).padStart(width(1))}  ${is}`;
  return [pad(["", "before", "after"]), ...lines.map(pad)].join("\n");
}
