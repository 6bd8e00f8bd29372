import { isError } from "../../base/errors.js";
import { toDate } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { PipelineStatus, SchedulerStatus, SensorStatus } from "../../ports/scheduler-api/status.js";
import type { Pause } from "../../ports/store.js";
import type { Core } from "../context/core.js";
import type { GlobalPause } from "../context/global-pause.js";
import type { Phase } from "../context/phase.js";
import type { RoundHealth } from "../context/round-health.js";
import type { StoreHealth } from "../context/store-health.js";
import type { GateEvaluator } from "../gating/gate-evaluator.js";
import type { SensorRunner } from "../intake/sensors.js";
import type { NodeReport } from "../monitoring/node-registry.js";
import { skipView } from "../pipelines/skips.js";
import type { Runner } from "../running/runner.js";
import { whyNotReady } from "./readiness.js";

/** Maximum length of a failure that a node reports to the others. */
const MESSAGE_CHARACTERS = 500;

/** Reported state of the loop. */
interface RoundStatus {
  readonly health: RoundHealth;
  readonly skew: { readonly aheadMs: number | null };
}

interface StatusParts {
  readonly phase: Phase;
  readonly runner: Runner;
  readonly loop: RoundStatus;
  readonly globalPause: GlobalPause;
  readonly storeHealth: StoreHealth;
  readonly sensors: readonly SensorStatus[];
  /** Number of pipelines. */
  readonly pipelines: number;
}

export function statusOf(
  core: Pick<Core, "clock" | "fireQueue" | "node" | "redact" | "store">,
  { phase, runner, loop, globalPause, storeHealth, sensors, pipelines }: StatusParts,
): SchedulerStatus {
  const { pause } = globalPause.current;
  const { health } = loop;
  const { failure } = health;
  const notReadyReason = whyNotReady(phase, health);
  const nextAt = core.fireQueue.nextAt();
  return {
    phase,
    isReady: notReadyReason === null,
    notReadyReason,
    node: core.node,
    now: toDate(core.clock.now()),
    pipelines,
    activeRuns: runner.size,
    unrecordedEnds: runner.ends.status(),
    nextFireAt: Number.isFinite(nextAt) && phase === "running" ? toDate(nextAt) : null,
    lastRoundAt: toDate(health.lastSuccessAt),
    roundFailure: failure === null ? null : { since: toDate(failure.since), error: core.redact(messageOf(failure.error)) },
    pause: pauseView(pause),
    clockAheadMs: loop.skew.aheadMs,
    clockCorrectionMs: core.clock.correctionMs,
    sensors,
    store: {
      name: core.store.name,
      isAvailable: storeHealth.since === null,
      unavailableSince: toDate(storeHealth.since),
      error: storeHealth.error === null ? null : core.redact(storeHealth.error.message),
    },
  };
}

export async function pipelineStatus({ store }: Pick<Core, "store">, pipeline: Pipeline): Promise<PipelineStatus> {
  const [[state], global] = await Promise.all([store.states([pipeline.id]), store.globalPause()]);
  const pause = state?.pause ?? global.pause;
  return {
    pipelineId: pipeline.id,
    description: pipeline.description,
    tags: pipeline.tags,
    owner: pipeline.owner,
    schedule: pipeline.schedule.describe(),
    nextFireAt: pause === null ? toDate(state?.nextFireAt ?? null) : null,
    lastFireAt: toDate(state?.lastFireAt ?? null),
    lastSuccessAt: toDate(state?.lastSuccessAt ?? null),
    activeRuns: state?.activeRuns ?? 0,
    maxActiveRuns: pipeline.execution.maxActiveRuns,
    conditions: pipeline.gate.conditions.map(({ name }) => name),
    pause: pauseView(pause),
    skips: (state?.skips ?? []).map(skipView),
  };
}

function pauseView(pause: Pause | null): SchedulerStatus["pause"] {
  return pause === null ? null : { at: toDate(pause.at), until: toDate(pause.until), reason: pause.reason, user: pause.user };
}

function messageOf(error: unknown): string {
  return isError(error) ? error.message : String(error);
}

/** Returns the status that this node reports to the others. */
export function nodeReportOf(
  core: Pick<Core, "measureLoad" | "redact">,
  loop: RoundStatus,
  runner: Runner,
  sensors: SensorRunner,
  gates: GateEvaluator,
): NodeReport {
  return {
    clockAheadMs: loop.skew.aheadMs,
    failingSince: loop.health.failure?.since ?? null,
    failure: loop.health.failure === null ? null : core.redact(messageOf(loop.health.failure.error)).slice(0, MESSAGE_CHARACTERS),
    ...core.measureLoad(),
    activeRuns: runner.size,
    failingSensors: sensors
      .status()
      .flatMap(({ pipelineId, name, isHeldHere, failures, error }) =>
        failures === 0 || !isHeldHere ? [] : [{ pipelineId, sensor: name, failures, error }],
      ),
    failingProbes: gates.failingProbes(),
  };
}
