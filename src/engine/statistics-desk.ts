import { toDate } from "../base/instant.js";
import { type EndedSummary, endedAtOf, idOf, pipelineOf } from "../monitor/ended.js";
import { RunWindow, type Statistics } from "../monitor/statistics.js";
import { PRIORITIES, type Priority } from "../trigger/trigger.js";
import type { Core } from "./core.js";
import { unknownPipeline } from "./refusals.js";
import { Waiting } from "./waiting.js";

/** How many runs of a pipeline, and of all, quantiles are made of. */
const TIMINGS = { pipeline: 40, total: 1_000 };
const PAGE = 1_000;
/** What other nodes recorded a little late is read all the same. */
const OVERLAP_MS = 10_000;
/** About how much is read again after a start: when more has ended in the window, only the newest. */
const REREAD_LIMIT = 100_000;

/** What is so of triggers that wait. */
export interface QueueStatistics {
  readonly length: number;
  readonly oldestAt: Date | null;
}

/** A pipeline's statistics, over all nodes. */
export interface PipelineStatistics extends Statistics {
  readonly pipelineId: string;
  readonly activeRuns: number;
  readonly queue: QueueStatistics;
}

/** The statistics of all pipelines, over all nodes. */
export interface SchedulerStatistics extends Statistics {
  readonly activeRuns: number;
  readonly queue: QueueStatistics & { readonly byPriority: Readonly<Record<Priority, QueueStatistics>> };
  /** How busy this machine is, shares 0 to 1. */
  readonly load: { readonly cpu: number | null; readonly memory: number | null };
}

/** Statistics in constant memory, made of what the store says has ended: it is the same on every node, and after a restart. */
export class StatisticsDesk {
  readonly #core: Core;
  readonly #windowMs: number;
  readonly #windows = new Map<string, RunWindow>();
  readonly #total: RunWindow;
  #readUntil: number | null = null;
  /** What was read at the newest end, which is read twice. */
  #seen = new Map<string, number>();
  #reading: Promise<void> | null = null;

  constructor(core: Core) {
    this.#core = core;
    this.#windowMs = core.settings.statisticsMs;
    this.#total = new RunWindow({ lengthMs: this.#windowMs, timings: TIMINGS.total });
  }

  /**
   * A pipeline's statistics over the window (`statisticsWindow` of the scheduler, 24 h).
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`
   */
  async of(pipelineId: string): Promise<PipelineStatistics> {
    if (!this.#core.registry.has(pipelineId)) throw unknownPipeline(pipelineId);
    const [waiting] = await Promise.all([Waiting.read(this.#core.store, pipelineId), this.refresh()]);
    const { activeRuns, length, oldestAt } = waiting.of(pipelineId);
    const queue = { length, oldestAt: toDate(oldestAt) };
    return { pipelineId, activeRuns: activeRuns.length, queue, ...this.window(pipelineId).at(this.#core.clock.now()) };
  }

  /** The statistics of all pipelines together. */
  async total(): Promise<SchedulerStatistics> {
    const [waiting] = await Promise.all([Waiting.read(this.#core.store), this.refresh()]);
    const byPriority = Object.fromEntries(
      PRIORITIES.map((name) => {
        const { length, oldestAt } = waiting.byPriority.get(name) ?? { length: 0, oldestAt: null };
        return [name, { length, oldestAt: toDate(oldestAt) }];
      }),
    ) as Record<Priority, QueueStatistics>;
    return {
      activeRuns: waiting.activeRuns,
      queue: { length: waiting.length, oldestAt: toDate(waiting.oldestAt), byPriority },
      load: this.#core.measureLoad(),
      ...this.#total.at(this.#core.clock.now()),
    };
  }

  /**
   * The window of a pipeline, as far as it was read.
   *
   * @internal
   */
  window(pipelineId: string): RunWindow {
    let window = this.#windows.get(pipelineId);
    if (window === undefined) {
      window = new RunWindow({ lengthMs: this.#windowMs, timings: TIMINGS.pipeline });
      this.#windows.set(pipelineId, window);
    }
    return window;
  }

  /** Takes in what has ended since the last look. */
  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#core;
    const now = clock.now();
    let from = this.#readUntil === null ? await this.#beginning(now) : Math.min(this.#readUntil, now) - OVERLAP_MS;
    let limit = PAGE;
    const until = now + OVERLAP_MS; // nodes whose clocks are a little ahead
    for (;;) {
      const ended = await store.listEnded({ from, until, limit });
      for (const one of ended) this.#take(one);
      const last = ended.at(-1);
      if (last === undefined || ended.length < limit) break;
      const at = endedAtOf(last);
      if (at === from) limit *= 2; // more than a page of them ended at one instant
      from = at;
      await clock.yield?.();
    }
    this.#readUntil = now;
    for (const [id, at] of this.#seen) if (at < now - 2 * OVERLAP_MS) this.#seen.delete(id);
    for (const id of this.#windows.keys()) if (!this.#core.registry.has(id)) this.#windows.delete(id);
  }

  /** Where the first look begins: at the window's beginning, or later when that would be too much to read, as far as its first page tells. */
  async #beginning(now: number): Promise<number> {
    const from = now - this.#windowMs;
    const page = await this.#core.store.listEnded({ from, until: now, limit: PAGE });
    const [first, last] = [page[0], page.at(-1)];
    if (first === undefined || last === undefined || page.length < PAGE) return from;
    const expected = (PAGE * this.#windowMs) / Math.max(1, endedAtOf(last) - endedAtOf(first));
    return expected <= REREAD_LIMIT ? from : Math.floor(now - (this.#windowMs * REREAD_LIMIT) / expected);
  }

  #take(ended: EndedSummary): void {
    const id = idOf(ended);
    if (this.#seen.has(id)) return;
    this.#seen.set(id, endedAtOf(ended));
    this.window(pipelineOf(ended)).add(ended);
    this.#total.add(ended);
  }
}
