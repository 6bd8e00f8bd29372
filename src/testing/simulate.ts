import { isAdaptive } from "../adaptive/adaptive.js";
import { HeadgateError } from "../base/errors.js";
import { epochMs, type Instant, toDate } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { SchedulerOptions } from "../entry/create-scheduler.js";
import { type Decision, decisionView } from "../gate/view.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import { type Run, runView } from "../run/view.js";
import { type Trigger, triggerView } from "../trigger/view.js";
import { type Played, play, type Refusal, type Step } from "./play.js";
import { inOrderMade } from "./simulation-history.js";
import { type Unknown, Unknowns } from "./unknowns.js";
import { checkedWorld, inWorld, type World } from "./world.js";

/** Options of {@link simulate}. */
export interface SimulateOptions extends Pick<SchedulerOptions, "pools" | "maxActiveRuns" | "misfireThreshold"> {
  /** In any order: the result is the same. */
  pipelines: readonly Pipeline[];
  /** The first instant that is played. */
  from: Instant;
  /** The end, exclusive for fire times. */
  to: Instant;
  /** Behaviour of runs, probes and people. Default: every run succeeds at once. */
  world?: World;
  /** Of every random number. Each pipeline draws from a stream of its own, so that another pipeline more or less leaves its luck as it was. Default 1. */
  seed?: number;
  /** Load of the machine, for adaptive schedules, by instant: shares, 0 to 1. Default: unknown. */
  load?: (at: Date) => { readonly cpu: number | null; readonly memory: number | null };
  /** Called now and then with how far it is. Default: nothing is called. */
  onProgress?: (at: Date) => void;
}

/** Result of a simulation. The lists are created on first access, oldest first. */
export interface Simulation {
  readonly from: Date;
  readonly to: Date;
  readonly counts: { readonly triggers: number; readonly decisions: number; readonly runs: number };
  /** Changes of the intervals of adaptive schedules; ms. */
  readonly intervals: readonly {
    readonly pipelineId: string;
    readonly at: Date;
    readonly fromMs: number;
    readonly toMs: number;
    readonly reason: string;
  }[];
  /** Triggers and pauses of the world that the scheduler refused, such as an immediate trigger while paused. */
  readonly refused: readonly Refusal[];
  /** Gaps, such as a probe without a value, and what was assumed instead. */
  readonly unknown: readonly Unknown[];
  readonly triggers: readonly Trigger[];
  readonly decisions: readonly Decision[];
  readonly runs: readonly Run[];
}

const OPTIONS: OptionNames<SimulateOptions> = {
  pipelines: true,
  from: true,
  to: true,
  world: true,
  seed: true,
  onProgress: true,
  pools: true,
  maxActiveRuns: true,
  misfireThreshold: true,
  load: true,
};

/**
 * Plays what a scheduler would do from one instant to another, with scripted outcomes, durations and probe values, on the same engine that
 * runs in production. The same input gives the same result, byte for byte.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` unless `to` is after `from`, and whatever `createScheduler` throws; what the scheduler refuses of the world is in `refused`
 * @example
 * const played = await simulate({ pipelines: [daily], from: "2026-01-01", to: "2026-04-01", world: { run: () => ({ duration: "20m" }) } });
 * console.log(played.runs.length, played.decisions.filter(({ outcome }) => outcome === "skip"));
 */
export async function simulate(options: SimulateOptions): Promise<Simulation> {
  checkOptions(options, OPTIONS, "simulate");
  const { pipelines } = options;
  if (!Array.isArray(pipelines))
    throw new HeadgateError("INVALID_ARGUMENT", `simulate: pipelines: must be an array (got ${shown(pipelines)})`);
  const from = epochMs(options.from, "from");
  const to = epochMs(options.to, "to");
  if (to <= from) throw new HeadgateError("INVALID_ARGUMENT", "simulate: to must be after from");
  const world = checkedWorld(options.world);
  const { seed = 1, load = () => ({ cpu: null, memory: null }), onProgress } = options;
  const unknown = new Unknowns();
  if (options.load === undefined)
    for (const { id, schedule } of pipelines)
      if (isAdaptive(schedule) && schedule.policy.tuner.followsLoad === true) unknown.add("load", `pipeline ${id}`, null, null);
  const played = await play({
    pipelines: inWorld(options.pipelines, world, unknown),
    from,
    to,
    seed,
    load,
    script: (attempt) => world.run?.(attempt) ?? {},
    steps: stepsOf(world),
    ...limitsOf(options),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return simulationOf(played, from, to, unknown);
}

/** Limits of a scheduler that were given. */
function limitsOf({
  pools,
  maxActiveRuns,
  misfireThreshold,
}: Pick<SimulateOptions, "pools" | "maxActiveRuns" | "misfireThreshold">): Pick<
  SimulateOptions,
  "pools" | "maxActiveRuns" | "misfireThreshold"
> {
  return {
    ...(pools === undefined ? {} : { pools }),
    ...(maxActiveRuns === undefined ? {} : { maxActiveRuns }),
    ...(misfireThreshold === undefined ? {} : { misfireThreshold }),
  };
}

/** Returns the actions of people and systems in a world, by instant. */
export function stepsOf(world: Pick<World, "triggers" | "pauses">): Step[] {
  const steps: Step[] = [];
  for (const { at, pipelineId, ...rest } of world.triggers ?? []) {
    steps.push({
      at: epochMs(at, "world.triggers.at"),
      what: "trigger",
      pipelineId,
      act: ({ scheduler }) => scheduler.trigger(pipelineId, rest),
    });
  }
  for (const { from, until, ...rest } of world.pauses ?? []) {
    const pipelineId = rest.pipelineId ?? null;
    steps.push({ at: epochMs(from, "world.pauses.from"), what: "pause", pipelineId, act: ({ scheduler }) => scheduler.pause(rest) });
    if (until === undefined) continue;
    const whom = pipelineId === null ? {} : { pipelineId };
    steps.push({ at: epochMs(until, "world.pauses.until"), what: "resume", pipelineId, act: ({ scheduler }) => scheduler.resume(whom) });
  }
  return steps;
}

/** Returns the result of a play in its public form. */
export function simulationOf({ log, refused, intervals }: Played, from: number, to: number, unknown: Unknowns): Simulation {
  const triggers = once(() => inOrderMade(log.triggers, triggerView));
  const decisions = once(() => inOrderMade(log.decisions, decisionView));
  const runs = once(() => inOrderMade(log.runs, runView));
  return {
    from: toDate(from),
    to: toDate(to),
    counts: { triggers: log.triggers.size, decisions: log.decisions.size, runs: log.runs.size },
    intervals,
    refused,
    unknown: unknown.list(),
    get triggers() {
      return triggers();
    },
    get decisions() {
      return decisions();
    },
    get runs() {
      return runs();
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
