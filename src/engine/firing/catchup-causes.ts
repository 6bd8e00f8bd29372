import type { EndedPause } from "../../schedule/ended-pauses.js";
import type { CatchupRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import type { Entry } from "../context/fire-queue.js";
import { readNodes } from "../context/node-documents.js";

/** Interruptions of this node's rounds, newest last: as many as a plan that is made in parts may still need. */
const INTERRUPTIONS_KEPT = 20;

/** A pause that has ended, of the pipeline or of everything. */
export interface CoveringPause extends EndedPause {
  readonly isGlobal: boolean;
}

type CatchupCausesCore = Pick<Core, "fireQueue" | "settings" | "store">;

/** Knows why fire times are made late: what kept this node, or all of them, from making them on time. */
export class CatchupCauses {
  readonly #core: CatchupCausesCore;
  /** The last sign of life of any scheduler before this one started. */
  #lastSeenAt: number | null = null;
  #roundAt: number | null = null;
  #roundBeforeAt: number | null = null;
  #interruptions: CatchupRecord[] = [];

  constructor(core: CatchupCausesCore) {
    this.#core = core;
  }

  /** Reads from the store when a scheduler was there last. */
  async start(now: number): Promise<void> {
    const { store, fireQueue } = this.#core;
    const [[trigger], [run], nodes] = await Promise.all([
      store.listTriggers({ limit: 1, valueLimit: 2 }),
      store.listRuns({ limit: 1, valueLimit: 2 }),
      readNodes(store),
    ]);
    let lastAt = Number.NEGATIVE_INFINITY;
    const note = (at: number | null | undefined) => {
      if (at !== null && at !== undefined && at <= now && at > lastAt) lastAt = at;
    };
    for (const at of [trigger?.createdAt, trigger?.endedAt, run?.startedAt, run?.attemptStartedAt, run?.endedAt]) note(at);
    for (const { seenAt } of nodes) note(seenAt);
    for (const { lastFireAt } of fireQueue.all()) note(lastFireAt);
    this.#lastSeenAt = Number.isFinite(lastAt) ? lastAt : null;
  }

  /** Notes, at the beginning of a round, what kept this node from having it sooner. */
  look(now: number, steppedMs: number, unavailableSince: number | null): void {
    this.#roundBeforeAt = this.#roundAt;
    this.#roundAt = now;
    const since = this.#roundBeforeAt;
    if (unavailableSince !== null) this.#note({ cause: "store_unavailable", from: unavailableSince, until: now });
    else if (steppedMs > 0) this.#note({ cause: "clock_step", from: now - steppedMs, until: now });
    else if (since !== null && now - since > this.#core.settings.trustMs + this.#core.settings.onTimeMs)
      this.#note({ cause: "stalled", from: since, until: now });
  }

  /** Returns why a fire time that is handled now is late; `null` when it is on time. */
  of({ addedAt, lastFireAt }: Entry, fireAt: number, pauses: readonly CoveringPause[], now: number): CatchupRecord | null {
    const { onTimeMs } = this.#core.settings;
    const pause = pauses.find(({ from, until }) => fireAt >= from && fireAt < until);
    if (pause !== undefined) {
      const { from, until, reason, user, isGlobal } = pause;
      return { cause: "paused", from, until, pause: { reason, user, isGlobal } };
    }
    if (now - fireAt <= onTimeMs) return null;
    if (addedAt !== null && fireAt < addedAt)
      return { cause: "downtime", from: lastSeen(this.#lastSeenAt, lastFireAt, fireAt), until: addedAt };
    const known = this.#interruptions.findLast(({ from, until }) => fireAt <= until && (from === null || fireAt + onTimeMs >= from));
    const from = this.#roundBeforeAt === null ? null : Math.min(this.#roundBeforeAt, fireAt);
    return known ?? { cause: "stalled", from, until: now };
  }

  /** Records an interruption; one that continues replaces its earlier record. */
  #note(one: CatchupRecord): void {
    const last = this.#interruptions.at(-1);
    if (last?.cause === one.cause && last.from === one.from) this.#interruptions.pop();
    this.#interruptions = [...this.#interruptions, one].slice(-INTERRUPTIONS_KEPT);
  }
}

/** A sign of life after the fire time came from a scheduler that does not have the pipeline. */
function lastSeen(anyAt: number | null, ownAt: number | null, fireAt: number): number | null {
  if (anyAt !== null && anyAt <= fireAt) return anyAt;
  return ownAt !== null && ownAt <= fireAt ? ownAt : null;
}
