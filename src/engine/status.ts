import { toDate } from "../base/instant.js";
import type { Pause } from "../ports/store.js";
import type { Core } from "./core.js";
import type { GateKeeper } from "./gate-keeper.js";
import type { Loop } from "./loop.js";
import type { NodeWord } from "./node-board.js";
import type { Outage } from "./outage.js";
import type { Pipeline } from "./pipeline.js";
import type { Runner } from "./runner.js";
import type { Sensing, SensorStatus } from "./sensing.js";
import type { UnrecordedEnds } from "./unrecorded-ends.js";

/** How a scheduler is. */
export interface SchedulerStatus {
  readonly phase: "created" | "starting" | "running" | "stopping" | "stopped";
  readonly node: string;
  readonly now: Date;
  readonly pipelines: number;
  /** Runs under way on this node. */
  readonly activeRuns: number;
  /** Runs that have ended on this node and that the store has not taken yet, because it is away or for another reason. */
  readonly unrecordedEnds: UnrecordedEnds;
  /** When this node fires next. */
  readonly nextFireAt: Date | null;
  /** When the loop last went round: a dead scheduler differs from an idle one. */
  readonly lastRoundAt: Date | null;
  /** The pause of everything. */
  readonly pause: { readonly at: Date; readonly until: Date | null; readonly reason: string | null; readonly user: string | null } | null;
  /** How far this node's clock is ahead of the store's server, ms; `null` while that is not known, or there is none. */
  readonly clockAheadMs: number | null;
  /** The sensors of this node's pipelines. */
  readonly sensors: readonly SensorStatus[];
  readonly store: {
    readonly name: string;
    readonly isAvailable: boolean;
    readonly unavailableSince: Date | null;
    readonly error: string | null;
  };
}

export function statusOf(
  core: Core,
  phase: SchedulerStatus["phase"],
  runner: Runner,
  loop: Loop,
  outage: Outage,
  sensors: readonly SensorStatus[],
  pipelines: number,
): SchedulerStatus {
  const { pause } = loop.globalPause;
  const nextAt = core.registry.nextAt();
  return {
    phase,
    node: core.node,
    now: toDate(core.clock.now()),
    pipelines,
    activeRuns: runner.size,
    unrecordedEnds: runner.ends.status(),
    nextFireAt: Number.isFinite(nextAt) && phase === "running" ? toDate(nextAt) : null,
    lastRoundAt: toDate(loop.lastRoundAt),
    pause: pauseView(pause),
    clockAheadMs: loop.skew.aheadMs,
    sensors,
    store: {
      name: core.store.name,
      isAvailable: outage.since === null,
      unavailableSince: toDate(outage.since),
      error: outage.error === null ? null : core.redact(outage.error.message),
    },
  };
}

/** How a pipeline is. */
export interface PipelineStatus {
  readonly pipelineId: string;
  readonly description: string | null;
  readonly tags: readonly string[];
  /** Its schedule in words. */
  readonly schedule: string;
  readonly nextFireAt: Date | null;
  readonly lastFireAt: Date | null;
  readonly lastSuccessAt: Date | null;
  readonly activeRuns: number;
  readonly maxActiveRuns: number;
  readonly conditions: readonly string[];
  /** Its own pause, or the pause of everything. */
  readonly pause: SchedulerStatus["pause"];
}

export async function pipelineStatus({ store }: Core, pipeline: Pipeline): Promise<PipelineStatus> {
  const [[state], global] = await Promise.all([store.states([pipeline.id]), store.globalPause()]);
  const pause = state?.pause ?? global.pause;
  return {
    pipelineId: pipeline.id,
    description: pipeline.description,
    tags: pipeline.tags,
    schedule: pipeline.schedule.describe(),
    nextFireAt: pause === null ? toDate(state?.nextFireAt ?? null) : null,
    lastFireAt: toDate(state?.lastFireAt ?? null),
    lastSuccessAt: toDate(state?.lastSuccessAt ?? null),
    activeRuns: state?.activeRuns ?? 0,
    maxActiveRuns: pipeline.execution.maxActiveRuns,
    conditions: pipeline.gate.conditions.map(({ name }) => name),
    pause: pauseView(pause),
  };
}

function pauseView(pause: Pause | null): SchedulerStatus["pause"] {
  return pause === null ? null : { at: toDate(pause.at), until: toDate(pause.until), reason: pause.reason, user: pause.user };
}

/** What this node says of itself to the others. */
export function wordOf(core: Core, loop: Loop, runner: Runner, sensing: Sensing, gates: GateKeeper): NodeWord {
  return {
    clockAheadMs: loop.skew.aheadMs,
    ...core.measureLoad(),
    activeRuns: runner.size,
    failingSensors: sensing
      .status()
      .flatMap(({ pipelineId, name, failures, error }) => (failures === 0 ? [] : [{ pipelineId, sensor: name, failures, error }])),
    failingProbes: gates.failingProbes(),
  };
}
