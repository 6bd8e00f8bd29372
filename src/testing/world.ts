import type { Duration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import type { Instant } from "../base/instant.js";
import { toDate } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import type { Condition, ConditionContext, Verdict } from "../gate/condition.js";
import type { MeasurableProbe } from "../gate/probe.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { PauseOptions, TriggerOptions } from "../pipeline/request-options.js";
import type { Unknowns } from "./unknowns.js";

/** One attempt that a simulation asks its world about. */
export interface SimulatedAttempt {
  readonly pipelineId: string;
  readonly runId: string;
  /** From 1. */
  readonly attempt: number;
  readonly scheduledFor: Date | null;
  readonly startedAt: Date;
  readonly parameters: unknown;
  /** A number in [0, 1) from the stream of its pipeline, which the simulation's seed and the pipeline's id begin. */
  random(): number;
}

/** Outcome of an attempt. */
export interface ScriptedOutcome {
  /** `hang` ignores nothing but never ends by itself: its timeout ends it. Default `"succeed"`. */
  outcome?: "succeed" | "fail" | "hang";
  /** Default 0. */
  duration?: Duration;
  /** The message of a failure, and its code (which `retryOn` asks for). */
  error?: string;
  code?: string;
  /** False makes a failure final, whatever attempts are left. Default true. */
  isRetryable?: boolean;
  output?: unknown;
}

/** The world outside headgate in a simulation. */
export interface World {
  /** Outcome of each attempt. Default: it succeeds at once. */
  run?: (attempt: SimulatedAttempt) => ScriptedOutcome;
  /** Values of probes by name: one for ever, or by instant. A probe that is asked and not named here fails, and the result says so in `unknown`. */
  probes?: Readonly<Record<string, unknown>>;
  /** Answers of conditions by name, instead of asking the conditions themselves. */
  conditions?: Readonly<Record<string, (at: Date, pipelineId: string) => boolean | Verdict>>;
  /** Requests of people and systems, and their times. */
  triggers?: readonly (TriggerOptions & { readonly at: Instant; readonly pipelineId: string })[];
  pauses?: readonly (Omit<PauseOptions, "until"> & { readonly from: Instant; readonly until?: Instant })[];
}

const WORLD: OptionNames<World> = { run: true, probes: true, conditions: true, triggers: true, pauses: true };

/** @throws HeadgateError `INVALID_ARGUMENT` */
export function checkedWorld(world: World = {}): World {
  checkOptions(world, WORLD, "simulate: world");
  return world;
}

/** Pipelines whose conditions ask the world instead of the real outside, whose runs go as it says, and that no sensor starts. */
export function inWorld(pipelines: readonly Pipeline[], world: World, unknown: Unknowns): Pipeline[] {
  return pipelines.map((one) => {
    const pipeline = one.executor === null && one.sensors.length === 0 ? one : { ...one, executor: null, sensors: [] };
    const { conditions } = pipeline.gate;
    if (conditions.length === 0) return pipeline;
    return { ...pipeline, gate: { ...pipeline.gate, conditions: conditions.map((one) => conditionIn(one, world, unknown)) } };
  });
}

/** A condition that asks the world instead of the real outside. */
export function conditionIn(condition: Condition, world: World, unknown: Unknowns): Condition {
  const scripted =
    world.conditions !== undefined && Object.hasOwn(world.conditions, condition.name) ? world.conditions[condition.name] : undefined;
  if (scripted === undefined) {
    const evaluate = (context: ConditionContext) =>
      condition.evaluate({
        ...context,
        measure: (probe) => measureIn(world, probe, context, unknown),
        observe: async (probe) => ({ value: await measureIn(world, probe, context, unknown), at: context.now, latencyMs: 0 }),
        evaluate: (part) => context.evaluate(conditionIn(part, world, unknown)),
      });
    return { ...condition, evaluate };
  }
  return {
    ...condition,
    evaluate: ({ now, pipelineId }) => {
      const answer = scripted(toDate(now), pipelineId);
      if (typeof answer !== "boolean") return answer;
      return { result: answer ? "pass" : "block", reason: `${condition.name} ${answer ? "holds" : "does not hold"} in this world` };
    },
  };
}

async function measureIn<T>(world: World, probe: MeasurableProbe<T>, { now, pipelineId }: ConditionContext, unknown: Unknowns): Promise<T> {
  if (world.probes === undefined || !Object.hasOwn(world.probes, probe.name)) {
    unknown.add("probe", `probe ${JSON.stringify(probe.name)}, used by pipeline ${pipelineId}`, now);
    throw new HeadgateError("INVALID_ARGUMENT", `simulate: probe ${JSON.stringify(probe.name)} has no value; set one in world.probes`);
  }
  const scripted = world.probes[probe.name];
  return (typeof scripted === "function" ? scripted(toDate(now)) : scripted) as T;
}
