import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { epochMs, type Instant } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import type { AlertRule } from "../monitor/alert.js";
import { defaultRules } from "../monitor/rules.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import { type BacktestSide, sideOf, tableText } from "./backtest-side.js";
import type { HistoricalRun, History } from "./history.js";
import { nameGaps } from "./history-gaps.js";
import { play } from "./play.js";
import { PlayedTriggers } from "./played-triggers.js";
import { type Recorded, recordedHistory } from "./recorded.js";
import { RecordedAttempts } from "./recorded-attempts.js";
import { type ConditionAnswer, recordedGate } from "./recorded-gate.js";
import { recordedSteps } from "./recorded-steps.js";
import { RepeatedLooks } from "./repeated-looks.js";
import { type SimulateOptions, type Simulation, simulationOf, stepsOf } from "./simulate.js";
import { Unknowns, unknownText } from "./unknowns.js";
import type { World } from "./world.js";

/** Behaviour that a backtest does not take from the history. */
export type BacktestWorld = Pick<World, "probes" | "conditions" | "triggers" | "pauses">;

/** Options of {@link backtest}. */
export interface BacktestOptions extends Pick<SimulateOptions, "seed" | "load"> {
  /** Recorded history of the pipeline: what `readHistory` returns, or its runs alone; also out of JSON. The more it has, the less is assumed. */
  history: readonly HistoricalRun[] | History;
  /** The pipeline as it might be: another schedule, tuner, windows, thresholds. */
  pipeline: Pipeline;
  /** Values of probes and answers of conditions, in place of the recorded findings; triggers and pauses, in addition to the recorded ones. Default: as recorded. */
  world?: BacktestWorld;
  /** Maximum age of the data, for comparison. Default: not compared. */
  maxAge?: Duration;
  /** Rules that might have fired. Default `defaultRules()`. */
  rules?: readonly AlertRule[];
  /** Interval at which rules are evaluated. Default: a twenty-thousandth of the span, at least a minute. */
  every?: Duration;
  /** The span that is compared; the play begins with the history. Default: that of the history, its last instant included. */
  from?: Instant;
  /** The end, exclusive. Default: right after the last record. */
  to?: Instant;
}

/** Comparison of what was and what would have been. */
export interface Backtest {
  readonly from: Date;
  readonly to: Date;
  readonly before: BacktestSide;
  readonly after: BacktestSide;
  /** Changes of the interval, if it adapts; ms. */
  readonly intervals: Simulation["intervals"];
  /** The simulated records, from the beginning of the history on. */
  readonly played: Pick<Simulation, "triggers" | "decisions" | "runs" | "refused">;
  /** Evaluation of each condition. Those answered from the history were not called. */
  readonly conditions: readonly ConditionAnswer[];
  /** Gaps of the history and what was assumed instead, one entry for each kind. */
  readonly unknown: Simulation["unknown"];
  /** Both side by side, in words, and what is not known. */
  readonly text: string;
}

const OPTIONS: OptionNames<BacktestOptions> = {
  history: true,
  pipeline: true,
  world: true,
  maxAge: true,
  rules: true,
  every: true,
  from: true,
  to: true,
  seed: true,
  load: true,
};
const WORLD: OptionNames<BacktestWorld> = { probes: true, conditions: true, triggers: true, pauses: true };

/**
 * Plays a recorded history again under another configuration, on the engine that runs in production, and compares: runs, failures, time taken, how fresh the data was, alerts that would have
 * fired. The unchanged configuration comes to what was recorded, run for run, or `unknown` names what the history lacks.
 *
 * A run for a fire time or a request that is in the history goes as its recorded run did, attempt by attempt; any other goes as the recorded run that had started last before it. Requests,
 * pauses and cancels come when they came. Conditions that look outside are not called: they find what they found then.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a history without a run that has ended, with records of several pipelines, or bounds out of order; `INVALID_INSTANT`, `INVALID_DURATION`
 * @example
 * const history = await readHistory(scheduler, { pipelineId: "sync", from: "2026-03-01" });
 * const { text, unknown } = await backtest({ history, pipeline: pipeline({ id: "sync", schedule: every("2h"), run: () => {} }), maxAge: "3h" });
 */
export async function backtest(options: BacktestOptions): Promise<Backtest> {
  checkOptions(options, OPTIONS, "backtest");
  const { pipeline, rules = defaultRules(), world = {}, load } = options;
  checkOptions(world, WORLD, "backtest: world");
  const unknown = new Unknowns();
  const recorded = recordedHistory(options.history, pipeline);
  const from = options.from === undefined ? recorded.firstAt : epochMs(options.from, "from");
  const to = options.to === undefined ? recorded.lastAt + 1 : epochMs(options.to, "to");
  if (to <= from) throw new HeadgateError("INVALID_ARGUMENT", "backtest: to must be after from");
  nameGaps(recorded, pipeline, { hasLoad: load !== undefined }, unknown);
  const { played, conditions } = await playAgain(recorded, options, Math.min(from, recorded.firstAt), to, unknown);
  const measures = {
    pipeline,
    rules,
    from,
    to,
    everyMs: options.every === undefined ? Math.max(60_000, Math.ceil((to - from) / 20_000)) : durationMs(options.every, "every"),
    maxAgeMs: options.maxAge === undefined ? null : durationMs(options.maxAge, "maxAge"),
  };
  const skippedBefore = recorded.decisions === null ? null : skippedIn(recorded.decisions, from, to);
  const before = sideOf(recorded.runs, skippedBefore, measures);
  const after = sideOf(
    played.runs.map(({ status, scheduledFor, startedAt, endedAt, attempt }) => ({
      status,
      scheduledFor: scheduledFor?.getTime() ?? null,
      startedAt: startedAt.getTime(),
      endedAt: endedAt?.getTime() ?? null,
      attempt,
    })),
    skippedIn(
      played.decisions.map(({ outcome, at, missed }) => ({ outcome, at: at.getTime(), count: missed?.count ?? 1 })),
      from,
      to,
    ),
    measures,
  );
  return {
    from: new Date(from),
    to: new Date(to),
    before,
    after,
    intervals: played.intervals,
    played,
    conditions,
    unknown: unknown.list(),
    text: textOf(tableText(before, after, measures.maxAgeMs !== null), conditions, unknown),
  };
}

async function playAgain(
  recorded: Recorded,
  { pipeline, world = {}, seed = 1, load = () => ({ cpu: null, memory: null }) }: BacktestOptions,
  from: number,
  to: number,
  unknown: Unknowns,
): Promise<{ readonly played: Simulation; readonly conditions: readonly ConditionAnswer[] }> {
  const triggers = new PlayedTriggers(pipeline.id);
  const attempts = new RecordedAttempts(recorded.runs, pipeline.execution, triggers, unknown);
  const decisions = recorded.decisions ?? [];
  const looks = new RepeatedLooks(decisions, pipeline, triggers, unknown);
  const { gate, answers } = recordedGate(pipeline, { world, decisions, looks, played: triggers, unknown });
  const alone = { ...pipeline, gate, executor: null, sensors: [], after: [], execution: { ...pipeline.execution, pool: null } };
  const result = await play({
    pipelines: [alone],
    from,
    to,
    seed,
    load,
    script: attempts.script,
    jitterOf: attempts.jitterOf,
    nextLook: looks.nextLook,
    steps: [...recordedSteps(recorded, pipeline, triggers, unknown), ...stepsOf(world)],
  });
  return { played: simulationOf(result, from, to, unknown), conditions: answers };
}

function skippedIn(
  decisions: readonly { readonly outcome: string; readonly at: number; readonly count: number }[],
  from: number,
  to: number,
): number {
  return decisions.reduce((sum, { outcome, at, count }) => (outcome === "skip" && at >= from && at < to ? sum + count : sum), 0);
}

function textOf(table: string, conditions: readonly ConditionAnswer[], unknown: Unknowns): string {
  const recorded = conditions.filter(({ answeredBy }) => answeredBy === "history").map(({ condition }) => condition);
  const lines = unknownText(unknown.list());
  return [
    table,
    ...(recorded.length === 0 ? [] : ["", `not called, answered by what they found when it was recorded: ${recorded.join(", ")}`]),
    ...(lines.length === 0 ? [] : ["", "not known", ...lines.map((line) => `  ${line}`)]),
  ].join("\n");
}
