import { backtest, type ReadHistory, simulate, type UnknownKind } from "../../../src/testing/index.js";
import { fateOf } from "../random.js";
import type { Seen } from "../seen.js";
import type { Deed, PipelineSpec, World } from "../spec.js";
import { answerOf, built } from "./pipelines.js";
import { seenDecision, seenRun, seenTrigger } from "./records.js";

/** Deeds that the world of a simulation has words for. */
const SIMULATED = new Set<Deed["kind"]>(["trigger", "pause", "resume"]);

/** Whether a simulation can play a world: nobody cancels, replaces, rechecks or dies in it, and retries draw nothing at random. */
export function canBeSimulated({ theme, deeds, pipelines }: World): boolean {
  const isPlain = theme === "plain" && deeds.every(({ kind }) => SIMULATED.has(kind));
  return isPlain && pipelines.every(({ execution }) => execution.jitter === 0);
}

/** The records of the simulation of a world. */
export async function simulated(world: World): Promise<Pick<Seen, "triggers" | "decisions" | "runs">> {
  const specs = new Map(world.pipelines.map((spec) => [spec.id, spec]));
  const played = await simulate({
    pipelines: world.pipelines.map((spec) => built(spec, world.seed, () => {})),
    from: world.from + 1,
    to: world.to + 1,
    pools: world.pools,
    misfireThreshold: world.misfireThreshold,
    ...(world.globalLimit === null ? {} : { maxActiveRuns: world.globalLimit }),
    world: {
      run: ({ pipelineId, startedAt, attempt }) => {
        const spec = specs.get(pipelineId) as PipelineSpec;
        const { kind, ms, code } = fateOf(world.seed, pipelineId, spec.fate, startedAt.getTime(), attempt);
        if (kind === "hang") return { outcome: "hang" };
        if (kind === "ok") return { duration: ms, output: { ms } };
        const error = kind === "final" ? `final after ${ms}` : `fails after ${ms}`;
        return { duration: ms, outcome: "fail", error, isRetryable: kind !== "final", ...(code === null ? {} : { code }) };
      },
      probes: probesOf(world),
      triggers: world.deeds.flatMap((deed) => (deed.kind === "trigger" ? [triggerOf(deed)] : [])),
      pauses: pausesOf(world.deeds),
    },
  });
  return { triggers: played.triggers.map(seenTrigger), decisions: played.decisions.map(seenDecision), runs: played.runs.map(seenRun) };
}

function triggerOf(deed: Extract<Deed, { kind: "trigger" }>) {
  return {
    at: deed.at,
    pipelineId: deed.pipelineId,
    user: "ana",
    reason: deed.key === null ? `deed of ${deed.at}` : "under a key",
    kind: deed.as === "forced" ? ("immediate" as const) : deed.as,
    force: deed.as === "forced",
    ...(deed.priority === null ? {} : { priority: deed.priority }),
    ...(deed.notBefore === null ? {} : { notBefore: deed.notBefore }),
    ...(deed.key === null ? {} : { idempotencyKey: deed.key }),
  };
}

/** A resume belongs to the pause before it of the same target. */
function pausesOf(deeds: readonly Deed[]) {
  return deeds.flatMap((deed, index) => {
    if (deed.kind !== "pause") return [];
    const resume = deeds.slice(index).find((one) => one.kind === "resume" && one.pipelineId === deed.pipelineId);
    return [
      {
        from: deed.at,
        user: "ana",
        reason: `deed of ${deed.at}`,
        ...(deed.pipelineId === null ? {} : { pipelineId: deed.pipelineId }),
        ...(deed.duration === null ? {} : { duration: deed.duration }),
        ...(deed.duration === null && resume !== undefined ? { until: resume.at } : {}),
      },
    ];
  });
}

/** A probe that fails cannot be scripted to throw by value alone: its function throws. */
function probesOf(world: World): Record<string, unknown> {
  const probes: Record<string, unknown> = {};
  for (const { conditions } of world.pipelines) for (const name of probeNames(conditions)) probes[name.name] = name.answer(world.seed);
  return probes;
}

function probeNames(conditions: PipelineSpec["conditions"]): { readonly name: string; answer(seed: number): unknown }[] {
  return conditions.flatMap((spec) => {
    if (spec.type === "all" || spec.type === "any") return probeNames(spec.parts);
    if (spec.type === "not") return probeNames([spec.part]);
    if (spec.type !== "probe") return [];
    return [{ name: spec.name, answer: (seed: number) => (at: Date) => answerOf(spec, seed, at.getTime()) }];
  });
}

/** Kinds of what a backtest does not know, on which the records of an unchanged configuration may depend. */
export const EXCUSES: ReadonlySet<UnknownKind> = new Set<UnknownKind>(["look_times", "late_start", "no_node", "lost_late"]);

/** Returns true when a history tells all of a pipeline: it shares no slots, was never another one, nobody asked for a recheck, no node ended, no clock stepped, and what comes on time is as by default. */
export function canBeBacktested({ theme, deeds, misfireThreshold, globalLimit }: World, { id, execution }: PipelineSpec): boolean {
  const isOther = (deed: Deed) =>
    (deed.kind === "replace" && deed.pipeline.id === id) || (deed.kind === "recheck" && (deed.pipelineId ?? id) === id);
  return theme === "plain" && !deeds.some(isOther) && misfireThreshold === 30_000 && globalLimit === null && execution.pool === null;
}

type Records = Pick<Seen, "triggers" | "decisions" | "runs">;

/** A backtest of a pipeline on its own history: what was, what would have been, and what is not known; `null` when nothing has run to its end. */
export async function backtested(
  world: World,
  spec: PipelineSpec,
  seen: Seen,
): Promise<{ readonly recorded: Records; readonly again: Records; readonly unknown: readonly UnknownKind[] } | null> {
  const history: ReadHistory = JSON.parse(seen.histories.get(spec.id) as string);
  if (!history.runs.some(({ endedAt }) => endedAt !== null)) return null;
  const { played, unknown } = await backtest({
    history,
    pipeline: built(spec, world.seed, () => {}),
    to: seen.endedAt + 1,
  });
  return { recorded: seenOf(JSON.parse(JSON.stringify(history), asDate)), again: seenOf(played), unknown: unknown.map(({ kind }) => kind) };
}

function seenOf({ triggers, decisions, runs }: Pick<ReadHistory, "triggers" | "decisions" | "runs">): Records {
  return { triggers: triggers.map(seenTrigger), decisions: decisions.map(seenDecision), runs: runs.map(seenRun) };
}

function asDate(_key: string, value: unknown): unknown {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? new Date(value) : value;
}
