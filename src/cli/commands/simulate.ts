import { writeFileSync } from "node:fs";
import { stderr } from "node:process";
import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../adapters/clocks/system-clock.js";
import { durationMs, formatDuration } from "../../base/duration.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { loadedFor } from "../../service/config-source.js";
import { type Simulation, simulate } from "../../testing/simulate.js";
import { unknownText } from "../../testing/unknowns.js";
import { checkPipeline, globalsOf, outputOf } from "../globals.js";
import { tableOf } from "../output.js";
import { timelineHtml, timelineSvg } from "../timeline.js";

interface SimulateFlags {
  readonly from: string;
  readonly to: string;
  readonly pipeline?: readonly string[];
  readonly duration?: string;
  readonly failureRate: number;
  readonly seed: number;
  readonly file?: string;
  readonly svg?: string;
  readonly html?: string;
}

/** Progress is shown when it takes longer than this, ms. */
const PATIENCE_MS = 500;

export function addSimulate(program: Command): void {
  program
    .command("simulate")
    .description(
      "simulate what would run between two instants, with made-up durations and failures; conditions that query external systems pass",
    )
    .requiredOption("--from <instant>", "start instant")
    .requiredOption("--to <instant>", "end instant")
    .option("--pipeline <id...>", "only these pipelines")
    .option("--duration <duration>", "duration of a run (default: 5m, at most half the timeout)")
    .option("--failure-rate <share>", "share of the attempts that fail, 0 to 1", shareOf, 0)
    .option("--seed <number>", "seed of the random numbers", Number, 1)
    .option("--file <path>", "configuration file (default: schedule_config.yaml, if it exists)")
    .option("--svg <path>", "write a timeline as an SVG image")
    .option("--html <path>", "write a timeline as an HTML page")
    .action(async (flags: SimulateFlags, command: Command) => {
      const { config } = loadedFor({ ...globalsOf(command), ...(flags.file === undefined ? {} : { file: flags.file }) });
      const { pipelines: all, pools, maxActiveRuns } = config.scheduler;
      for (const id of flags.pipeline ?? []) checkPipeline(id, all);
      const pipelines = flags.pipeline === undefined ? all : all.filter(({ id }) => flags.pipeline?.includes(id));
      const durations = durationsOf(pipelines, flags.duration);
      const progress = new Progress(flags.from, flags.to);
      const played = await simulate({
        pipelines,
        from: flags.from,
        to: flags.to,
        seed: flags.seed,
        ...(pools === undefined ? {} : { pools }),
        ...(maxActiveRuns === undefined ? {} : { maxActiveRuns }),
        onProgress: (at) => progress.show(at),
        world: {
          conditions: passing(pipelines),
          run: (attempt) => ({
            outcome: attempt.random() < flags.failureRate ? "fail" : "succeed",
            duration: durations.get(attempt.pipelineId) ?? 0,
          }),
        },
      });
      const tookMs = progress.end();
      const ids = pipelines.map(({ id }) => id);
      if (flags.svg !== undefined) writeFileSync(flags.svg, timelineSvg(played, ids));
      if (flags.html !== undefined) writeFileSync(flags.html, timelineHtml(played, ids));
      outputOf(command).tell(summaryOf(played, ids, tookMs), () => textOf(played, ids, tookMs));
    });
}

const USUAL_MS = 5 * 60_000;

/** Returns the run duration of each pipeline: the requested one, or one that stays within its timeout. */
function durationsOf(pipelines: readonly Pipeline[], wanted: string | undefined): ReadonlyMap<string, number> {
  const fixed = wanted === undefined ? null : durationMs(wanted, "--duration");
  return new Map(pipelines.map(({ id, execution }) => [id, fixed ?? Math.min(USUAL_MS, Math.floor(execution.timeoutMs / 2))]));
}

/** Conditions that need the outside are taken as met: nobody knows what it will say. */
function passing(pipelines: readonly Pipeline[]): Record<string, () => boolean> {
  const outside = pipelines.flatMap(({ gate }) => gate.conditions).filter(({ needs }) => needs === "outside");
  return Object.fromEntries(outside.map(({ name }) => [name, () => true]));
}

interface Row {
  readonly pipeline: string;
  readonly triggers: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly skipped: number;
}

function rowsOf(played: Simulation, ids: readonly string[]): readonly Row[] {
  const rows = new Map(ids.map((id) => [id, { pipeline: id, triggers: 0, succeeded: 0, failed: 0, skipped: 0 }]));
  for (const { pipelineId } of played.triggers) count(rows.get(pipelineId), "triggers");
  for (const { pipelineId, status } of played.runs) {
    if (status === "succeeded") count(rows.get(pipelineId), "succeeded");
    else if (status !== "running" && status !== "retrying") count(rows.get(pipelineId), "failed");
  }
  for (const { pipelineId, outcome } of played.decisions) if (outcome === "skip") count(rows.get(pipelineId), "skipped");
  return [...rows.values()];
}

function count<Name extends string>(row: Record<Name, number> | undefined, name: Name): void {
  if (row !== undefined) row[name]++;
}

function summaryOf(played: Simulation, ids: readonly string[], tookMs: number): object {
  const runs = played.runs.map(({ pipelineId, status, attempt, scheduledFor, startedAt, endedAt }) => ({
    pipeline: pipelineId,
    status,
    attempts: attempt,
    scheduled_for: scheduledFor,
    started_at: startedAt,
    ended_at: endedAt,
  }));
  const skipped = played.decisions
    .filter(({ outcome }) => outcome === "skip")
    .map(({ pipelineId, scheduledFor, at, reason }) => ({ pipeline: pipelineId, scheduled_for: scheduledFor, at, reason }));
  return {
    from: played.from,
    to: played.to,
    took_ms: tookMs,
    pipelines: rowsOf(played, ids),
    runs,
    skipped,
    intervals: played.intervals,
    refused: played.refused,
    unknown: played.unknown,
  };
}

function textOf(played: Simulation, ids: readonly string[], tookMs: number): string {
  const rows = rowsOf(played, ids).map(({ pipeline, triggers, succeeded, failed, skipped }) => [
    pipeline,
    String(triggers),
    String(succeeded),
    String(failed),
    String(skipped),
  ]);
  const reasons = new Map<string, number>();
  for (const { outcome, reason, pipelineId } of played.decisions) {
    if (outcome !== "skip") continue;
    const text = `${pipelineId}: ${reason.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "…")}`;
    reasons.set(text, (reasons.get(text) ?? 0) + 1);
  }
  const common = [...reasons].sort(([, one], [, other]) => other - one).slice(0, 10);
  return [
    tableOf(["pipeline", "triggers", "succeeded", "failed", "skipped"], rows),
    ...(common.length === 0 ? [] : ["", "skipped because", ...common.map(([reason, times]) => `  ${times} × ${reason}`)]),
    ...(played.unknown.length === 0 ? [] : ["", "not known", ...unknownText(played.unknown).map((line) => `  ${line}`)]),
    "",
    `${played.from.toISOString()} to ${played.to.toISOString()}, simulated in ${formatDuration(tookMs)}`,
  ].join("\n");
}

/** A line on a terminal that says how far it is, and when it will be done. */
class Progress {
  readonly #from: number;
  readonly #length: number;
  readonly #clock = systemClock();
  readonly #begin = this.#clock.monotonic();
  #isShown = false;

  constructor(from: string, to: string) {
    this.#from = Date.parse(from);
    this.#length = Date.parse(to) - this.#from;
  }

  show(at: Date): void {
    const took = this.#clock.monotonic() - this.#begin;
    if (took < PATIENCE_MS || !stderr.isTTY) return;
    const share = (at.getTime() - this.#from) / this.#length;
    const left = Math.round(took / share - took);
    this.#isShown = true;
    stderr.write(
      `\r${Math.floor(share * 100)} %, ${at.toISOString()}, done in ${formatDuration(Math.ceil(left / 1_000) * 1_000)} \u001b[K`,
    );
  }

  /** Ends it and returns the time it took, ms. */
  end(): number {
    if (this.#isShown) stderr.write("\r\u001b[K");
    return Math.round(this.#clock.monotonic() - this.#begin);
  }
}

function shareOf(text: string): number {
  const share = Number(text);
  if (!(share >= 0 && share <= 1)) throw new InvalidArgumentError("must be from 0 to 1");
  return share;
}
