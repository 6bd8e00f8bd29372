import { Heap, type HeapEntry } from "../../base/heap.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { Pause, PipelineState } from "../../ports/store.js";
import type { EndedPause } from "../../schedule/ended-pauses.js";
import type { SkippedFire } from "../../schedule/skips.js";

/** A pipeline of this node. Sorted in the heap by when it is next due: its next fire time, or the end of its pause. */
export interface Entry extends HeapEntry {
  pipeline: Pipeline;
  nextFireAt: number | null;
  /** True if the stored schedule is this node's. */
  isOurs: boolean;
  /** The `nextFireAt` that was found to be no later than the schedule has it; `undefined` while none was. */
  checkedFireAt: number | null | undefined;
  lastFireAt: number | null;
  /** Since when this node has it. */
  addedAt: number | null;
  pause: Pause | null;
  endedPauses: readonly EndedPause[];
  skips: readonly SkippedFire[];
}

const NONE: readonly Pipeline[] = Object.freeze([]);
const NO_IDS: readonly string[] = Object.freeze([]);
const NO_PAUSES: readonly EndedPause[] = Object.freeze([]);
const NO_SKIPS: readonly SkippedFire[] = Object.freeze([]);

/** A pipeline of which the store has said nothing yet. */
function unknownEntry(pipeline: Pipeline): Entry {
  return {
    heapIndex: -1,
    heapKey: 0,
    pipeline,
    nextFireAt: null,
    isOurs: false,
    checkedFireAt: undefined,
    lastFireAt: null,
    addedAt: null,
    pause: null,
    endedPauses: NO_PAUSES,
    skips: NO_SKIPS,
  };
}

/** Time a node relies on its knowledge of a pause that another node may have ended. */
const PAUSE_TRUST_MS = 30_000;

/** The pipelines of this node, in the order in which they fire. */
export class FireQueue {
  readonly #entries = new Map<string, Entry>();
  readonly #due = new Heap<Entry>();
  readonly #followers = new Map<string, Pipeline[]>();
  /** Pipelines with a condition on another's success, by that other. */
  readonly #watchers = new Map<string, Set<string>>();
  #longestGateMs = 0;
  /** True if a pipeline has, or had, an executor of its own. */
  hasOwnExecutors = false;

  get size(): number {
    return this.#entries.size;
  }

  /** The longest a gate of any pipeline may take, ms: a claim must hold that long. */
  get longestGateMs(): number {
    return this.#longestGateMs;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Pipelines that a success of this one triggers. */
  followersOf(id: string): readonly Pipeline[] {
    return this.#followers.get(id) ?? NONE;
  }

  /** Pipelines whose conditions look at successes of this one. */
  watchersOf(id: string): readonly string[] {
    const watchers = this.#watchers.get(id);
    return watchers === undefined ? NO_IDS : [...watchers];
  }

  put(pipeline: Pipeline): Entry {
    const old = this.#entries.get(pipeline.id);
    if (old !== undefined) this.#unfollow(old.pipeline);
    for (const one of watchedBy(pipeline)) this.#watchers.set(one, (this.#watchers.get(one) ?? new Set()).add(pipeline.id));
    const entry = old ?? unknownEntry(pipeline);
    entry.pipeline = pipeline;
    if (pipeline.executor !== null) this.hasOwnExecutors = true;
    this.#entries.set(pipeline.id, entry);
    for (const upstream of pipeline.after) {
      const followers = this.#followers.get(upstream);
      if (followers === undefined) this.#followers.set(upstream, [pipeline]);
      else followers.push(pipeline);
    }
    let gateMs = 0;
    for (const { timeoutMs } of pipeline.gate.conditions) gateMs += timeoutMs ?? 10_000;
    this.#longestGateMs = Math.max(this.#longestGateMs, gateMs);
    return entry;
  }

  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    this.#unfollow(entry.pipeline);
    this.#due.remove(entry);
    return this.#entries.delete(id);
  }

  /** Takes over what the store knows; a stored schedule that is not ours is another node's to fire. */
  sync(entry: Entry, state: PipelineState | null, now: number): void {
    const isOurs = state !== null && state.scheduleKey === entry.pipeline.schedule.key;
    entry.isOurs = isOurs;
    entry.nextFireAt = isOurs ? state.nextFireAt : null;
    entry.lastFireAt = state?.lastFireAt ?? null;
    entry.pause = state?.pause ?? null;
    entry.endedPauses = state?.endedPauses ?? NO_PAUSES;
    entry.skips = state?.skips ?? NO_SKIPS;
    this.place(entry, now);
  }

  /** Puts an entry where its next fire time, or its pause, says. */
  place(entry: Entry, now: number): void {
    const fireAt = entry.nextFireAt ?? Number.POSITIVE_INFINITY;
    const until = entry.pause?.until ?? Number.POSITIVE_INFINITY;
    const lookAt = entry.pause === null ? fireAt : Math.min(until, Math.max(fireAt, now + PAUSE_TRUST_MS));
    if (lookAt === Number.POSITIVE_INFINITY) this.#due.remove(entry);
    else this.#due.set(entry, lookAt);
  }

  /** When the first entry must be looked at; Infinity if none must. */
  nextAt(): number {
    return this.#due.peek()?.heapKey ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out the entries that are due, at most `limit`, in the order of time and then of their ids; each must be put back by {@link place} or {@link sync}. */
  takeDue(now: number, limit: number): Entry[] {
    const taken: Entry[] = [];
    while (taken.length < limit && this.nextAt() <= now) taken.push(this.#due.pop() as Entry);
    return taken.length < 2 ? taken : taken.sort((a, b) => a.heapKey - b.heapKey || (a.pipeline.id < b.pipeline.id ? -1 : 1));
  }

  #unfollow(pipeline: Pipeline): void {
    for (const one of watchedBy(pipeline)) this.#watchers.get(one)?.delete(pipeline.id);
    for (const upstream of pipeline.after) {
      const left = this.followersOf(upstream).filter(({ id }) => id !== pipeline.id);
      if (left.length === 0) this.#followers.delete(upstream);
      else this.#followers.set(upstream, left);
    }
  }
}

function watchedBy({ gate }: Pipeline): readonly string[] {
  return gate.conditions.length === 0 ? NO_IDS : gate.conditions.flatMap(({ watches }) => watches?.pipelines ?? []);
}
