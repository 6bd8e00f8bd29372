import type { DecisionRecord } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { GlobalPause, Pause, PipelineState } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import type { PausedSpan } from "../../schedule/misfire.js";
import type { SkippedFire } from "../../schedule/skips.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";

const WAITING_READ = 500;
const RUNS_READ = 100;
/** Bytes of a trigger's parameters that conditions are shown. */
const PARAMETER_BYTES = 16_384;

/** Where a pipeline stands now: what a {@link Projection} starts from. Instants are epoch ms. */
export interface ProjectionState {
  readonly pipeline: Pipeline;
  readonly now: number;
  /** Where its schedule goes on; `null` when it fires no more. */
  readonly nextFireAt: number | null;
  /** True when the store has another schedule of it, which another node fires. */
  readonly isForeign: boolean;
  /** The pause that ends last. */
  readonly pause: Pause | null;
  readonly isPauseGlobal: boolean;
  readonly lastPauses: readonly PausedSpan[];
  /** Fire times that will be left out. */
  readonly skips: readonly SkippedFire[];
  /** Waiting triggers, oldest first, and how many more there are. */
  readonly waiting: readonly TriggerRecord[];
  readonly moreWaiting: number;
  readonly runs: readonly RunRecord[];
  readonly moreRuns: number;
  /** The newest decision that holds one of those triggers. */
  readonly held: DecisionRecord | null;
}

/** True when the store has the schedule of a pipeline; `isStarted`: a pipeline that another node has registered otherwise is that node's. */
export function isPlanned(state: PipelineState | null, { schedule }: Pipeline): state is PipelineState {
  return state !== null && state.scheduleKey === schedule.key;
}

/** Returns where the schedule of a pipeline goes on: where the store has it, else (it is not registered yet) where it starts now. */
export function nextFireOf(state: PipelineState | null, pipeline: Pipeline, isStarted: boolean, now: number): number | null {
  if (isPlanned(state, pipeline)) return state.nextFireAt;
  return isStarted && state !== null ? null : pipeline.schedule.nextAfter(now);
}

/** Reads where a pipeline stands. Lists are read only when the store counts something. */
export async function projectionState(
  { store }: Pick<Core, "store">,
  pipeline: Pipeline,
  state: PipelineState | null,
  global: GlobalPause,
  isStarted: boolean,
  now: number,
): Promise<ProjectionState> {
  const { id: pipelineId } = pipeline;
  const { waitingTriggers = 0, activeRuns = 0 } = state ?? {};
  const [waiting, runs] = await Promise.all([
    waitingTriggers === 0
      ? []
      : store.listTriggers({
          pipelineId,
          statuses: ["pending", "held"],
          limit: Math.min(waitingTriggers, WAITING_READ),
          valueLimit: PARAMETER_BYTES,
        }),
    activeRuns === 0
      ? []
      : store.listRuns({ pipelineId, statuses: ["running", "retrying"], limit: Math.min(activeRuns, RUNS_READ), valueLimit: 2_048 }),
  ]);
  const newestHeld = waiting.find(({ status }) => status === "held");
  const [held] = newestHeld === undefined ? [] : await store.listDecisions({ triggerId: newestHeld.id, limit: 1 });
  const pauses = [state?.pause ?? null, global.pause].filter((one) => one !== null).sort((a, b) => endOf(b) - endOf(a));
  const pause = pauses[0] ?? null;
  return {
    pipeline,
    now,
    nextFireAt: nextFireOf(state, pipeline, isStarted, now),
    isForeign: isStarted && state !== null && !isPlanned(state, pipeline),
    pause,
    isPauseGlobal: pause !== null && pause === global.pause,
    lastPauses: [...(state?.endedPauses ?? []), ...global.endedPauses],
    skips: state?.skips ?? [],
    waiting: waiting.toReversed(),
    moreWaiting: Math.max(0, waitingTriggers - waiting.length),
    runs: runs.toReversed(),
    moreRuns: Math.max(0, activeRuns - runs.length),
    held: held ?? null,
  };
}

function endOf({ until }: Pause): number {
  return until ?? Number.MAX_VALUE;
}
