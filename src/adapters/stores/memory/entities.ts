import { FifoList } from "../../../base/fifo-list.js";
import type { HeapEntry } from "../../../base/heap.js";
import type { DecisionRecord } from "../../../gate/finding.js";
import type { Pause, PipelineRegistration, PipelineState } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { EndedPause } from "../../../schedule/ended-pauses.js";
import type { SkippedFire } from "../../../schedule/skips.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { ReadyList } from "./ready-list.js";

/** A pipeline and what hangs on it. In the heap of its pool by the order of the trigger that would be claimed next. */
export interface PipelineEntity extends HeapEntry {
  registration: PipelineRegistration;
  /** The id of that trigger. */
  headId: string;
  nextFireAt: number | null;
  lastFireAt: number | null;
  lastSuccessAt: number | null;
  pause: Pause | null;
  endedPauses: readonly EndedPause[];
  skips: readonly SkippedFire[];
  /** Made with its first trigger, so that 100,000 idle pipelines stay small. */
  life: Life | null;
}

/** A pipeline's triggers and runs. */
export interface Life {
  /** Triggers that may be claimed now. */
  readonly ready: ReadyList<TriggerEntity>;
  /** Triggers pending or held, ready or not. */
  readonly waiting: Set<TriggerEntity>;
  /** Runs running or retrying: they take its slots. */
  readonly active: Set<RunEntity>;
  /** Triggers claimed and not yet decided: they take its slots too. */
  claimed: number;
  /** Kept runs, oldest first. */
  readonly runs: FifoList<RunEntity>;
  /** True if they stand in the order of their starts, as they do unless a clock was set back. */
  isInOrder: boolean;
  /** Kept triggers by fire time and by key: what makes each unique. */
  readonly byFireTime: Map<number, TriggerEntity>;
  readonly byKey: Map<string, TriggerEntity>;
  /** The latest fire time that ever had a trigger. */
  newestFireTime: number;
}

/** A trigger. In the heap of timers while something about it changes by time alone. */
export interface TriggerEntity extends HeapEntry {
  record: TriggerRecord;
  readonly owner: PipelineEntity;
  readonly life: Life;
  decisions: readonly DecisionRecord[];
  run: RunEntity | null;
  isReady: boolean;
  /** Counted in its pipeline's `claimed`. */
  isClaimed: boolean;
  /** Bytes of its run's output, once it has ended. */
  outputSize: number;
  /** The pool in which it, or its run, holds a slot; `undefined` while it holds none. */
  slot: string | null | undefined;
}

/** A run. In the heap of timers while it waits for its next attempt. */
export interface RunEntity extends HeapEntry {
  record: RunRecord;
  readonly trigger: TriggerEntity;
}

export type TimerEntity = TriggerEntity | RunEntity;

const NO_DECISIONS: readonly DecisionRecord[] = [];
const NO_PAUSES: readonly EndedPause[] = [];
const NO_SKIPS: readonly SkippedFire[] = [];

export function newPipelineEntity(registration: PipelineRegistration): PipelineEntity {
  return {
    heapIndex: -1,
    heapKey: 0,
    registration,
    headId: "",
    nextFireAt: registration.nextFireAt,
    lastFireAt: null,
    lastSuccessAt: null,
    pause: null,
    endedPauses: NO_PAUSES,
    skips: NO_SKIPS,
    life: null,
  };
}

export function lifeOf(cell: PipelineEntity): Life {
  cell.life ??= {
    ready: new ReadyList(),
    waiting: new Set(),
    active: new Set(),
    claimed: 0,
    runs: new FifoList(),
    isInOrder: true,
    byFireTime: new Map(),
    byKey: new Map(),
    newestFireTime: Number.NEGATIVE_INFINITY,
  };
  return cell.life;
}

export function newTriggerEntity(record: TriggerRecord, owner: PipelineEntity): TriggerEntity {
  return {
    heapIndex: -1,
    heapKey: 0,
    record,
    owner,
    life: lifeOf(owner),
    decisions: NO_DECISIONS,
    run: null,
    isReady: false,
    isClaimed: false,
    outputSize: 0,
    slot: undefined,
  };
}

export function isRunEntity(cell: TimerEntity): cell is RunEntity {
  return "trigger" in cell;
}

export function stateOf(cell: PipelineEntity): PipelineState {
  return {
    id: cell.registration.id,
    scheduleKey: cell.registration.scheduleKey,
    nextFireAt: cell.nextFireAt,
    lastFireAt: cell.lastFireAt,
    lastSuccessAt: cell.lastSuccessAt,
    pause: cell.pause,
    endedPauses: cell.endedPauses,
    skips: cell.skips,
    activeRuns: cell.life?.active.size ?? 0,
    waitingTriggers: cell.life?.waiting.size ?? 0,
  };
}
