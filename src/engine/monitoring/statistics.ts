import { toDate } from "../../base/instant.js";
import { endedAtOf, type FinishedSummary, idOf, pipelineOf } from "../../monitor/finished-record.js";
import type { RunWindow } from "../../monitor/statistics.js";
import type {
  PipelineStatistics,
  QueueStatistics,
  SchedulerStatistics,
  StatisticsService,
} from "../../ports/scheduler-api/statistics-service.js";
import type { StatisticsRollUp } from "../../ports/store/statistics.js";
import { PRIORITIES, type Priority } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { unknownPipeline } from "../context/errors.js";
import { Backlog } from "./backlog.js";
import { beginningOf, isCurrent, TOTAL, windowOf } from "./statistics-roll-up.js";

const PAGE = 1_000;
/** Overlap of reads: what other nodes recorded a little late is read too. */
const OVERLAP_MS = 10_000;
/** Roll-ups read between two turns of the event loop. */
const ROLL_UPS = 200;

type StoredStatisticsCore = Pick<Core, "clock" | "fireQueue" | "measureLoad" | "settings" | "store">;

/**
 * Statistics in constant memory: what the store has rolled up, and what has ended since. They are the same on every node, and after a restart, which reads no history.
 */
export class StoredStatistics implements StatisticsService {
  readonly #core: StoredStatisticsCore;
  readonly #windowMs: number;
  readonly #windows = new Map<string, RunWindow>();
  #total: RunWindow;
  /** Up to when the roll-ups count that the windows began with, by pipeline; until what has ended since is read. */
  readonly #rolledUp = new Map<string, number>();
  #readUntil: number | null = null;
  /** Records read at the newest end, which is read twice. */
  #seen = new Map<string, number>();
  #reading: Promise<void> | null = null;

  constructor(core: StoredStatisticsCore) {
    this.#core = core;
    this.#windowMs = core.settings.statisticsMs;
    this.#total = windowOf(TOTAL, this.#windowMs);
  }

  async get(pipelineId: string): Promise<PipelineStatistics> {
    if (!this.#core.fireQueue.has(pipelineId)) throw unknownPipeline(pipelineId);
    const [waiting] = await Promise.all([Backlog.read(this.#core.store, pipelineId), this.refresh()]);
    const { activeRuns, length, oldestAt } = waiting.of(pipelineId);
    const queue = { length, oldestAt: toDate(oldestAt) };
    return { pipelineId, activeRuns: activeRuns.length, queue, ...this.window(pipelineId).at(this.#core.clock.now()) };
  }

  async total(): Promise<SchedulerStatistics> {
    const [waiting] = await Promise.all([Backlog.read(this.#core.store), this.refresh()]);
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
      window = windowOf(pipelineId, this.#windowMs);
      this.#windows.set(pipelineId, window);
    }
    return window;
  }

  refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { store, clock } = this.#core;
    const now = clock.now();
    let from = this.#readUntil === null ? await this.#begin(now) : Math.min(this.#readUntil, now) - OVERLAP_MS;
    let limit = PAGE;
    const until = now + OVERLAP_MS; // nodes whose clocks are a little ahead
    for (;;) {
      const ended = await store.listFinished({ from, until, limit });
      for (const one of ended) this.#take(one);
      const last = ended.at(-1);
      if (last === undefined || ended.length < limit) break;
      const at = endedAtOf(last);
      if (at === from) limit *= 2; // more than a page of them ended at one instant
      from = at;
      await clock.yield?.();
    }
    this.#readUntil = now;
    this.#rolledUp.clear();
    for (const [id, at] of this.#seen) if (at < now - 2 * OVERLAP_MS) this.#seen.delete(id);
    for (const id of this.#windows.keys()) if (!this.#core.fireQueue.has(id)) this.#windows.delete(id);
  }

  /** Begins with the roll-ups, and returns from when on to read what has ended. */
  async #begin(now: number): Promise<number> {
    const { store, fireQueue, clock } = this.#core;
    this.#windows.clear();
    this.#seen.clear();
    this.#rolledUp.clear();
    const isUsable = (row: StatisticsRollUp) => isCurrent(row, this.#windowMs, now);
    const total = (await store.rollUps({ pipelineIds: [TOTAL] })).find(isUsable);
    this.#total = windowOf(TOTAL, this.#windowMs, total);
    if (total === undefined) return beginningOf(this.#core, now);
    for (let after: string = TOTAL; ; ) {
      const rows = await store.rollUps({ after, limit: ROLL_UPS });
      for (const row of rows.filter(isUsable)) {
        if (!fireQueue.has(row.pipelineId)) continue;
        this.#windows.set(row.pipelineId, windowOf(row.pipelineId, this.#windowMs, row));
        this.#rolledUp.set(row.pipelineId, row.until);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROLL_UPS) return total.until;
      after = last.pipelineId;
      await clock.yield?.();
    }
  }

  #take(ended: FinishedSummary): void {
    const id = idOf(ended);
    if (this.#seen.has(id)) return;
    const at = endedAtOf(ended);
    this.#seen.set(id, at);
    this.#total.add(ended);
    const pipelineId = pipelineOf(ended);
    if (at >= (this.#rolledUp.get(pipelineId) ?? 0)) this.window(pipelineId).add(ended);
  }
}
