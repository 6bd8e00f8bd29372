import { HeadgateError } from "../../../base/errors.js";
import { FifoList } from "../../../base/fifo-list.js";
import type { RecentStarts } from "../../../gate/start-limit.js";
import type { Backlog, BacklogGroup, Pause, PipelineRegistration, PipelineState } from "../../../ports/store.js";
import { type SkippedFire, withoutSkips, withSkips } from "../../../schedule/skips.js";
import { RETIRED } from "../../../trigger/transitions.js";
import { newPipelineEntity, type PipelineEntity, type RunEntity, stateOf, type TriggerEntity } from "./entities.js";
import type { ReadyQueue } from "./ready-queue.js";

/** The pipelines, and what is said of a whole one. */
export class Pipelines {
  readonly #cells = new Map<string, PipelineEntity>();
  readonly #lines: ReadyQueue;

  constructor(lines: ReadyQueue) {
    this.#lines = lines;
  }

  get(id: string): PipelineEntity | undefined {
    return this.#cells.get(id);
  }

  ids(): Iterable<string> {
    return this.#cells.keys();
  }

  all(): Iterable<PipelineEntity> {
    return this.#cells.values();
  }

  /** @throws HeadgateError `UNKNOWN_PIPELINE` */
  known(pipelineId: string): PipelineEntity {
    const cell = this.#cells.get(pipelineId);
    if (cell !== undefined) return cell;
    throw new HeadgateError("UNKNOWN_PIPELINE", `pipeline ${pipelineId} is not registered`, { details: { pipelineId } });
  }

  register(registration: PipelineRegistration): PipelineState {
    const known = this.#cells.get(registration.id);
    const cell = known ?? newPipelineEntity(registration);
    if (known === undefined) this.#cells.set(registration.id, cell);
    else if (isDifferent(registration, cell.registration)) {
      this.#lines.leavePool(cell);
      if (registration.scheduleKey !== cell.registration.scheduleKey) cell.nextFireAt = registration.nextFireAt;
      const isMoved = registration.pool !== cell.registration.pool;
      cell.registration = registration;
      if (isMoved) this.#lines.enterPool(cell);
      else this.#lines.refresh(cell);
    }
    return stateOf(cell);
  }

  state(id: string): PipelineState | null {
    const cell = this.#cells.get(id);
    return cell === undefined ? null : stateOf(cell);
  }

  /** Takes a pipeline out of use; gives what waited. */
  retire(id: string): readonly TriggerEntity[] | null {
    const cell = this.#cells.get(id);
    if (cell === undefined) return null;
    cell.nextFireAt = null;
    cell.registration = { ...cell.registration, scheduleKey: RETIRED };
    return [...(cell.life?.waiting ?? [])];
  }

  /** The pauses of pipelines, or (`null`) of everything, as they are. */
  pausesOf(ids: readonly (string | null)[]): readonly (Pause | null)[] {
    return ids.map((id) => this.#lines.pauseOf(id === null ? null : this.known(id)));
  }

  pause(id: string | null, pause: Pause): void {
    if (id === null) this.#lines.pauseAll(pause, this.#cells.values());
    else this.#lines.pause(this.known(id), pause);
  }

  /** `note` receives the skips of before; if it throws, nothing changes. */
  skip(id: string, added: readonly SkippedFire[], note: (before: readonly SkippedFire[]) => void): readonly SkippedFire[] {
    const cell = this.known(id);
    const skips = withSkips(cell.skips, added, { pipelineId: id, nextFireAt: cell.nextFireAt });
    note(cell.skips);
    cell.skips = skips;
    return skips;
  }

  /** Returns the skips that were removed. */
  unskip(id: string, fireTimes: readonly number[] | null, note: (before: readonly SkippedFire[]) => void): readonly SkippedFire[] {
    const cell = this.known(id);
    const left = withoutSkips(cell.skips, fireTimes);
    const removed = cell.skips.filter((one) => !left.includes(one));
    if (removed.length === 0) return removed;
    note(cell.skips);
    cell.skips = left;
    return removed;
  }

  paused(): readonly string[] {
    return [...this.#lines.paused].map(({ registration }) => registration.id);
  }

  resume(id: string | null, now: number): Pause | null {
    return id === null ? this.#lines.resumeAll(now, this.#cells.values()) : this.#lines.resume(this.known(id), now);
  }

  /** Kept runs of a pipeline, oldest first. */
  runsOf(id: string): FifoList<RunEntity> {
    return this.#cells.get(id)?.life?.runs ?? new FifoList();
  }

  countRuns(id: string, from: number, until: number): number {
    const runs = this.runsOf(id);
    let count = 0;
    for (let index = runs.length - 1; index >= 0; index--) {
      const { startedAt } = (runs.at(index) as RunEntity).record;
      if (startedAt < from) break;
      if (startedAt < until) count++;
    }
    return count;
  }

  /** The newest starts in [from, until), no more than `limit`. Starts are kept in order unless a clock was set back: then all are looked at. */
  recentStarts(id: string, from: number, until: number, limit: number): RecentStarts {
    const life = this.#cells.get(id)?.life;
    const found: number[] = [];
    if (life === null || life === undefined) return { count: 0, oldestAt: null };
    for (let index = life.runs.length - 1; index >= 0 && (found.length < limit || !life.isInOrder); index--) {
      const { startedAt } = (life.runs.at(index) as RunEntity).record;
      if (startedAt >= from && startedAt < until) found.push(startedAt);
      else if (startedAt < from && life.isInOrder) break;
    }
    const newest = (life.isInOrder ? found : found.toSorted((a, b) => b - a)).slice(0, limit);
    return { count: newest.length, oldestAt: newest.at(-1) ?? null };
  }

  /** Returns the queue and the active runs, of a pipeline or of all. */
  backlog(pipelineId: string | undefined): Backlog {
    const groups = new Map<string, Writable>();
    const activeRuns: Backlog["activeRuns"][number][] = [];
    const cells = pipelineId === undefined ? this.#cells.values() : [this.#cells.get(pipelineId)];
    for (const cell of cells) {
      for (const { record } of cell?.life?.waiting ?? []) {
        const { priority, createdAt, scheduledFor, status } = record;
        const name = `${priority} ${record.pipelineId}`;
        const known: Writable = groups.get(name) ?? {
          pipelineId: record.pipelineId,
          priority,
          waiting: 0,
          oldestAt: createdAt,
          ...NO_FIRE_TIMES,
        };
        groups.set(name, known);
        known.waiting++;
        known.oldestAt = Math.min(known.oldestAt, createdAt);
        if (scheduledFor === null) continue;
        known.oldestFireTimeAt = Math.min(known.oldestFireTimeAt ?? scheduledFor, scheduledFor);
        if (status === "pending") known.oldestPendingFireTimeAt = Math.min(known.oldestPendingFireTimeAt ?? scheduledFor, scheduledFor);
      }
      for (const { record } of cell?.life?.active ?? []) {
        const { id, startedAt, scheduledFor } = record;
        activeRuns.push({ id, pipelineId: record.pipelineId, startedAt, scheduledFor });
      }
    }
    return { groups: [...groups.values()], activeRuns };
  }
}

function isDifferent(one: PipelineRegistration, other: PipelineRegistration): boolean {
  return (
    one.scheduleKey !== other.scheduleKey ||
    one.maxActiveRuns !== other.maxActiveRuns ||
    one.overlap !== other.overlap ||
    one.pool !== other.pool
  );
}

type Writable = { -readonly [Field in keyof BacklogGroup]: BacklogGroup[Field] };

const NO_FIRE_TIMES = { oldestFireTimeAt: null, oldestPendingFireTimeAt: null } as const;
