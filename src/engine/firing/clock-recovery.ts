import { toDate } from "../../base/instant.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { ReplanRequest } from "../../ports/store/clock-recovery.js";
import type { Core } from "../context/core.js";
import type { Entry } from "../context/fire-queue.js";
import { replan } from "./replan.js";

/** Schedules that are looked at between two turns of the event loop. */
const CHECKED_AT_ONCE = 1_000;
/** Limits of how far ahead another node's clock may be before its fire times count as made too early: at most, and at least (ms). */
const MOST_AHEAD_MS = 5_000;
const LEAST_AHEAD_MS = 1_000;
/** Steps that differ by less undo each other, ms. */
const UNDONE_WITHIN_MS = 10_000;

/** Where a schedule stood before the clock went back, and the dropped fire times that were opened again. */
interface Before {
  readonly nextFireAt: number | null;
  readonly opened: readonly { readonly firstAt: number; readonly lastAt: number }[];
}

type ClockRecoveryCore = Pick<Core, "clock" | "events" | "fireQueue" | "logger" | "settings" | "store">;

/**
 * Gets schedules and queue over a clock that was wrong: this node's, after a step, or another node's, whose work is found in the store.
 *
 * - The clock goes back: it may have been ahead. Schedules go on from now, and dropped fire times that are still to come (or could still be made on time) are open again; so are those since the clock went
 *   forward, if this node saw it: they were dropped for being late by a wrong clock, and catchup decides on them by the right one.
 * - It goes forward by as much again: it had been right before. Schedules that this node has put back go on where they stood. Those that another one has put back stay there: what was made since then has
 *   its trigger, everything else goes through catchup.
 */
export class ClockRecovery {
  readonly #core: ClockRecoveryCore;
  /** Steps that are not dealt with yet, ms. */
  #steppedMs = 0;
  #back: { readonly byMs: number; readonly before: ReadonlyMap<string, Before> } | null = null;
  /** When the clock went forward, by the monotonic clock, ms; `null`: it did not, or has gone back since. */
  #forwardAt: number | null = null;

  constructor(core: ClockRecoveryCore) {
    this.#core = core;
  }

  /** Repairs what an earlier life of this node, or another node, has left behind. */
  async start(now: number): Promise<void> {
    await this.#rebase(now);
    await this.check(now);
  }

  /** The time has jumped. What the store refuses to take now is done by the next call. */
  async stepped(byMs: number, now: number): Promise<void> {
    this.#steppedMs += byMs;
    const steppedMs = this.#steppedMs;
    if (steppedMs < 0) {
      const since = this.#since(now);
      const before = new Map<string, Before>();
      for (const { pipeline, nextFireAt } of this.#core.fireQueue.all()) before.set(pipeline.id, { nextFireAt, opened: [] });
      for (const entry of this.#core.fireQueue.all()) entry.checkedFireAt = undefined;
      await this.#rebase(now);
      await this.#replanAll(now, since, 0, before);
      this.#forwardAt = null;
      this.#back = { byMs: steppedMs, before };
    } else if (steppedMs > 0) {
      const back = this.#back;
      this.#back = null;
      const isUndone = back !== null && Math.abs(back.byMs + steppedMs) <= UNDONE_WITHIN_MS;
      if (isUndone) await this.#goOn(back.before, now);
      else this.#forwardAt ??= this.#core.clock.monotonic();
    }
    this.#steppedMs -= steppedMs;
  }

  /** The instant after which dropped fire times are open again. */
  #since(now: number): number {
    const { clock, settings } = this.#core;
    const wrongForMs = this.#forwardAt === null ? 0 : clock.monotonic() - this.#forwardAt;
    return now - wrongForMs - settings.onTimeMs;
  }

  /** Looks for schedules that a node whose clock is ahead has advanced; each is looked at once until it moves. */
  async check(now: number): Promise<void> {
    const { onTimeMs } = this.#core.settings;
    await this.#replanAll(now, now - onTimeMs, Math.min(MOST_AHEAD_MS, Math.max(onTimeMs, LEAST_AHEAD_MS)), new Map());
  }

  async #rebase(now: number): Promise<void> {
    const { store, settings, fireQueue } = this.#core;
    await store.rebase(now + 2 * (settings.leaseMs + fireQueue.longestGateMs), now);
    const paused: Entry[] = [];
    for (const entry of fireQueue.all())
      if (entry.pause !== null || (entry.endedPauses.length > 0 && entry.endedPauses.some(({ until }) => until > now))) paused.push(entry);
    if (paused.length === 0) return;
    const states = await store.states(paused.map(({ pipeline }) => pipeline.id));
    for (const [index, entry] of paused.entries()) fireQueue.sync(entry, states[index] ?? null, now);
  }

  /**
   * @param since - dropped fire times after this are open again
   * @param before - takes what is opened again
   */
  async #replanAll(now: number, since: number, toleranceMs: number, before: Map<string, Before>): Promise<void> {
    const { fireQueue, clock } = this.#core;
    let looked = 0;
    let ahead: Entry[] = [];
    for (const entry of fireQueue.all()) {
      if (!entry.isOurs || entry.checkedFireAt === entry.nextFireAt) continue;
      if (this.#isAhead(entry, now + toleranceMs)) ahead.push(entry);
      else entry.checkedFireAt = entry.nextFireAt;
      if (++looked % CHECKED_AT_ONCE !== 0) continue;
      await this.#replan(ahead, now, since, before);
      ahead = [];
      await clock.yield?.();
    }
    await this.#replan(ahead, now, since, before);
  }

  /** Returns true if a schedule goes on later than it would by itself. One that throws is reported where it fires. */
  #isAhead({ pipeline, nextFireAt }: Entry, after: number): boolean {
    if (nextFireAt !== null && nextFireAt <= after) return false;
    try {
      const next = pipeline.schedule.nextAfter(after);
      return next !== null && (nextFireAt === null || nextFireAt > next);
    } catch {
      return false;
    }
  }

  async #replan(ahead: readonly Entry[], now: number, since: number, before: Map<string, Before>): Promise<void> {
    if (ahead.length === 0) return;
    const { store, fireQueue, events, logger } = this.#core;
    const opened = ahead.map((): DecisionRecord[] => []);
    const requests = ahead.map(
      ({ pipeline, nextFireAt }, index): ReplanRequest => ({
        pipelineId: pipeline.id,
        scheduleKey: pipeline.schedule.key,
        expectedFireAt: nextFireAt,
        since,
        plan: (dropped) => {
          opened[index] = [...dropped];
          return replan(pipeline.schedule, dropped, since, now);
        },
      }),
    );
    const results = await store.replan(requests, now);
    const replanned: string[] = [];
    for (const [index, { outcome, state }] of results.entries()) {
      const entry = ahead[index] as Entry;
      const { id } = entry.pipeline;
      if (fireQueue.get(id) !== entry) continue;
      fireQueue.sync(entry, state, now);
      if (outcome !== "replanned") {
        before.delete(id); // another node did, and only that one knows which fire times it opened again
        continue;
      }
      entry.checkedFireAt = entry.nextFireAt;
      const known = before.get(id);
      if (known !== undefined) before.set(id, { ...known, opened: (opened[index] ?? []).map((one) => spanOf(one, since)) });
      replanned.push(id);
      const withdrawn = opened[index]?.length ?? 0;
      events.emit("schedule.replanned", () => ({ pipelineId: id, nextFireAt: toDate(entry.nextFireAt), withdrawn }));
    }
    if (replanned.length > 0)
      logger.log("warn", "schedules that a fast clock had advanced were reset to the current time", {
        count: replanned.length,
        pipelineIds: replanned.slice(0, 10),
      });
  }

  /** The clock is back where it was before it went back: what it would have fired meanwhile was dealt with before. */
  async #goOn(before: ReadonlyMap<string, Before>, now: number): Promise<void> {
    const { fireQueue, store } = this.#core;
    const entries = [...fireQueue.all()].filter((entry) => isBehind(entry, before.get(entry.pipeline.id)));
    for (let from = 0; from < entries.length; from += CHECKED_AT_ONCE) {
      const some = entries.slice(from, from + CHECKED_AT_ONCE);
      const results = await store.fire(
        some.map((entry) => {
          const { pipeline, nextFireAt, lastFireAt } = entry;
          const next = whereToGoOn(entry, before.get(pipeline.id) as Before);
          const { id: pipelineId, schedule } = pipeline;
          return {
            pipelineId,
            scheduleKey: schedule.key,
            expectedFireAt: nextFireAt,
            nextFireAt: next,
            lastFireAt,
            triggers: [],
            dropped: [],
          };
        }),
        now,
      );
      for (const [index, { state }] of results.entries()) fireQueue.sync(some[index] as Entry, state, now);
    }
  }
}

function spanOf({ scheduledFor, missed }: DecisionRecord, since: number): { firstAt: number; lastAt: number } {
  return { firstAt: Math.max(scheduledFor ?? since, since + 1), lastAt: missed?.lastAt ?? scheduledFor ?? since };
}

/** The fire times that were opened again are still open; all others before the old place were dealt with. */
function whereToGoOn({ pipeline, nextFireAt }: Entry, before: Before): number | null {
  let next = before.nextFireAt;
  for (const { firstAt, lastAt } of before.opened) {
    if (nextFireAt === null || lastAt < nextFireAt) continue;
    const at = pipeline.schedule.nextAfter(Math.max(firstAt, nextFireAt) - 1);
    if (at !== null && (next === null || at < next)) next = at;
  }
  return next;
}

function isBehind(entry: Entry, before: Before | undefined): boolean {
  if (before === undefined || entry.nextFireAt === null) return false;
  const next = whereToGoOn(entry, before);
  return next === null || next > entry.nextFireAt;
}
