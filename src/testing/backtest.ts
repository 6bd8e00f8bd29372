import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { epochMs, type Instant } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import type { Pipeline } from "../engine/pipeline.js";
import type { AlertRule } from "../monitor/alert.js";
import { defaultRules } from "../monitor/rules.js";
import { alertsOver } from "./backtest-alerts.js";
import { type Freshness, freshnessOf } from "./freshness.js";
import { type SimulateOptions, type Simulation, simulate } from "./simulate.js";
import type { ScriptedOutcome } from "./world.js";

/** A run that was recorded: as `scheduler.runs()` gives it, or as it was exported to JSON. */
export interface HistoricalRun {
  readonly status: string;
  readonly scheduledFor: Instant | null;
  readonly startedAt: Instant;
  readonly endedAt: Instant | null;
  /** Attempts that it took. */
  readonly attempt: number;
  readonly output?: unknown;
}

/** What {@link backtest} plays. */
export interface BacktestOptions extends Pick<SimulateOptions, "seed" | "load"> {
  /** Recorded runs of the pipeline, in any order. */
  history: readonly HistoricalRun[];
  /** The pipeline as it might be: another schedule, tuner, windows, thresholds. */
  pipeline: Pipeline;
  /** How old data should be at most, to be compared. Default: not looked at. */
  maxAge?: Duration;
  /** Rules that might have fired. Default `defaultRules()`. */
  rules?: readonly AlertRule[];
  /** How often rules are evaluated. Default: a twenty-thousandth of the span, at least a minute. */
  every?: Duration;
  /** The span. Default: that of the history. */
  from?: Instant;
  to?: Instant;
}

/** What a configuration came to. */
export interface BacktestSide {
  readonly runs: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retries: number;
  readonly skipped: number;
  /** Time that runs took, ms, and its share of the span. */
  readonly busyMs: number;
  readonly busyShare: number;
  readonly freshness: Freshness;
  /** How often each rule's alert fired. */
  readonly alerts: Readonly<Record<string, number>>;
}

/** What was, and what would have been. */
export interface Backtest {
  readonly from: Date;
  readonly to: Date;
  readonly before: BacktestSide;
  readonly after: BacktestSide;
  /** How the interval would have changed, if it adapts; ms. */
  readonly intervals: Simulation["intervals"];
  /** Both side by side, in words. */
  readonly text: string;
}

/** A run as both sides have it. Instants are epoch ms. */
export interface PlayedRun {
  readonly isSuccess: boolean;
  readonly scheduledFor: number | null;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attempt: number;
}

const OPTIONS: OptionNames<BacktestOptions> = {
  history: true,
  pipeline: true,
  maxAge: true,
  rules: true,
  every: true,
  from: true,
  to: true,
  seed: true,
  load: true,
};

/**
 * Plays recorded runs again under another configuration, on the engine that runs in production, and compares: runs, failures, time taken, how fresh the data was, alerts that would have fired. A
 * run that starts at an instant goes as the recorded run did that had started last: as long, as well, with as many attempts, with its output.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a history without a run that has ended, or out of order bounds
 * @example
 * const { items } = await scheduler.runs({ pipelineId: "sync", limit: 1_000 });
 * console.log((await backtest({ history: items, pipeline: pipeline({ id: "sync", schedule: every("2h"), run: () => {} }), maxAge: "3h" })).text);
 */
export async function backtest(options: BacktestOptions): Promise<Backtest> {
  checkOptions(options, OPTIONS, "backtest");
  const { pipeline, rules = defaultRules() } = options;
  const recorded = options.history.flatMap(recordedOf).sort((a, b) => a.startedAt - b.startedAt);
  const [first] = recorded;
  if (first === undefined) throw new HeadgateError("INVALID_ARGUMENT", "backtest: history has no run that has ended");
  const from = options.from === undefined ? (first.scheduledFor ?? first.startedAt) : epochMs(options.from, "from");
  const to = options.to === undefined ? recorded.reduce((latest, { endedAt }) => Math.max(latest, endedAt), 0) : epochMs(options.to, "to");
  if (to <= from) throw new HeadgateError("INVALID_ARGUMENT", "backtest: to must be after from");
  const played = await simulate({
    pipelines: [pipeline],
    from,
    to,
    world: { run: asRecorded(recorded) },
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.load === undefined ? {} : { load: options.load }),
  });
  const everyMs = options.every === undefined ? Math.max(60_000, Math.ceil((to - from) / 20_000)) : durationMs(options.every, "every");
  const maxAgeMs = options.maxAge === undefined ? null : durationMs(options.maxAge, "maxAge");
  const side = (runs: readonly PlayedRun[], skipped: number) => sideOf({ runs, skipped, pipeline, rules, from, to, everyMs, maxAgeMs });
  const within = recorded.filter(({ startedAt }) => startedAt >= from && startedAt < to);
  const before = side(within, 0);
  const after = side(
    played.runs.flatMap(({ status, scheduledFor, startedAt, endedAt, attempt }) =>
      endedAt === null
        ? []
        : {
            isSuccess: status === "succeeded",
            scheduledFor: scheduledFor?.getTime() ?? null,
            startedAt: startedAt.getTime(),
            endedAt: endedAt.getTime(),
            attempt,
          },
    ),
    played.decisions.filter(({ outcome }) => outcome === "skip").length,
  );
  return {
    from: new Date(from),
    to: new Date(to),
    before,
    after,
    intervals: played.intervals,
    text: textOf(before, after, maxAgeMs !== null),
  };
}

interface Recorded extends PlayedRun {
  readonly output: unknown;
}

function recordedOf({ status, scheduledFor, startedAt, endedAt, attempt, output = null }: HistoricalRun): Recorded[] {
  if (endedAt === null || status === "cancelled") return [];
  return [
    {
      isSuccess: status === "succeeded",
      scheduledFor: scheduledFor === null ? null : epochMs(scheduledFor, "history.scheduledFor"),
      startedAt: epochMs(startedAt, "history.startedAt"),
      endedAt: epochMs(endedAt, "history.endedAt"),
      attempt,
      output,
    },
  ];
}

/** Runs go as the recorded run that had started last. Its time is spread evenly over its attempts. */
function asRecorded(recorded: readonly Recorded[]) {
  const chosen = new Map<string, Recorded>();
  return ({ runId, attempt, startedAt }: { runId: string; attempt: number; startedAt: Date }): ScriptedOutcome => {
    const model = chosen.get(runId) ?? lastBefore(recorded, startedAt.getTime());
    const isLast = attempt >= model.attempt;
    if (isLast) chosen.delete(runId);
    else chosen.set(runId, model);
    const duration = Math.max(0, Math.round((model.endedAt - model.startedAt) / model.attempt));
    if (isLast && model.isSuccess) return { duration, output: model.output };
    return { duration, outcome: "fail", error: "as it was recorded" };
  };
}

function lastBefore(recorded: readonly Recorded[], at: number): Recorded {
  let [low, high] = [0, recorded.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((recorded[middle] as Recorded).startedAt <= at) low = middle;
    else high = middle - 1;
  }
  return recorded[low] as Recorded;
}

interface SideInput {
  readonly runs: readonly PlayedRun[];
  readonly skipped: number;
  readonly pipeline: Pipeline;
  readonly rules: readonly AlertRule[];
  readonly from: number;
  readonly to: number;
  readonly everyMs: number;
  readonly maxAgeMs: number | null;
}

function sideOf({ runs, skipped, pipeline, rules, from, to, everyMs, maxAgeMs }: SideInput): BacktestSide {
  const succeeded = runs.filter(({ isSuccess }) => isSuccess).length;
  const busyMs = runs.reduce((sum, { startedAt, endedAt }) => sum + endedAt - startedAt, 0);
  return {
    runs: runs.length,
    succeeded,
    failed: runs.length - succeeded,
    retries: runs.reduce((sum, { attempt }) => sum + attempt - 1, 0),
    skipped,
    busyMs,
    busyShare: busyMs / (to - from),
    freshness: freshnessOf(runs, to, maxAgeMs),
    alerts: alertsOver(runs, pipeline, rules, from, to, everyMs),
  };
}

function textOf(before: BacktestSide, after: BacktestSide, hasTarget: boolean): string {
  const share = (value: number | null) => (value === null ? "-" : `${(value * 100).toFixed(1)} %`);
  const hours = (ms: number | null) => (ms === null ? "-" : `${(ms / 3_600_000).toFixed(1)} h`);
  const alerts = ({ alerts: fired }: BacktestSide) =>
    Object.entries(fired)
      .map(([rule, count]) => `${count} ${rule}`)
      .join(", ") || "none";
  const rows: [string, (side: BacktestSide) => string][] = [
    ["runs", ({ runs }) => String(runs)],
    ["failed", ({ failed }) => String(failed)],
    ["retries", ({ retries }) => String(retries)],
    ["skipped", ({ skipped }) => String(skipped)],
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
