import type { HeapEntry } from "../../../base/heap.js";
import { Trail } from "../../../base/fifo-list.js";
import type { DecisionRecord } from "../../../gate/finding.js";
import type { Pause, PipelineRegistration, PipelineState } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { EndedPause } from "../../../schedule/ended-pauses.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { ReadyLine } from "./ready-list.js";

/** A pipeline and what hangs on it. In the heap of its pool by the order of the trigger that would be claimed next. */
export interface PipelineCell extends HeapEntry {
  registration: PipelineRegistration;
  /** The id of that trigger. */
  headId: string;
  nextFireAt: number | null;
  lastFireAt: number | null;
  lastSuccessAt: number | null;
  pause: Pause | null;
  endedPauses: readonly EndedPause[];
  /** Made with its first trigger, so that 100,000 idle pipelines stay small. */
  life: Life | null;
}

/** A pipeline's triggers and runs. */
export interface Life {
  /** Triggers that may be claimed now. */
  readonly ready: ReadyLine;
  /** Triggers pending or held, ready or not. */
  readonly waiting: Set<TriggerCell>;
  /** Runs running or retrying: they take its slots. */
  readonly active: Set<RunCell>;
  /** Triggers claimed and not yet decided: they take its slots too. */
  claimed: number;
  /** Kept runs, oldest first. */
  readonly runs: Trail<RunCell>;
  /** Whether they stand in the order of their starts, as they do unless a clock was set back. */
  isInOrder: boolean;
  /** Kept triggers by fire time and by key: what makes each unique. */
  readonly byFireTime: Map<number, TriggerCell>;
  readonly byKey: Map<string, TriggerCell>;
  /** The latest fire time that ever had a trigger. */
  newestFireTime: number;
}

/** A trigger. In the heap of timers while something about it changes by time alone. */
export interface TriggerCell extends HeapEntry {
  record: TriggerRecord;
  readonly owner: PipelineCell;
  readonly life: Life;
  decisions: readonly DecisionRecord[];
  run: RunCell | null;
  isReady: boolean;
  /** Counted in its pipeline's `claimed`. */
  isClaimed: boolean;
  /** Bytes of its run's output, once it has ended. */
  outputSize: number;
  /** The pool in which it, or its run, holds a slot; `undefined` while it holds none. */
  slot: string | null | undefined;
}

/** A run. In the heap of timers while it waits for its next attempt. */
export interface RunCell extends HeapEntry {
  record: RunRecord;
  readonly trigger: TriggerCell;
}

export type TimerCell = TriggerCell | RunCell;

const NO_DECISIONS: readonly DecisionRecord[] = [];
const NO_PAUSES: readonly EndedPause[] = [];

export function pipelineCell(registration: PipelineRegistration): PipelineCell {
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
    life: null,
  };
}

export function lifeOf(cell: PipelineCell): Life {
  cell.life ??= {
    ready: new ReadyLine(),
    waiting: new Set(),
    active: new Set(),
    claimed: 0,
    runs: new Trail(),
    isInOrder: true,
    byFireTime: new Map(),
    byKey: new Map(),
    newestFireTime: Number.NEGATIVE_INFINITY,
  };
  return cell.life;
}

export function triggerCell(record: TriggerRecord, owner: PipelineCell): TriggerCell {
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

export function isRunCell(cell: TimerCell): cell is RunCell {
  return "trigger" in cell;
}

export function stateOf(cell: PipelineCell): PipelineState {
  return {
    id: cell.registration.id,
    scheduleKey: cell.registration.scheduleKey,
    nextFireAt: cell.nextFireAt,
    lastFireAt: cell.lastFireAt,
    lastSuccessAt: cell.lastSuccessAt,
    pause: cell.pause,
    endedPauses: cell.endedPauses,
    activeRuns: cell.life?.active.size ?? 0,
    waitingTriggers: cell.life?.waiting.size ?? 0,
  };
}
