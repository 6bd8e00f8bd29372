import type { GateResult } from "../oracle/gate.js";
import type { SeenDecision, SeenTrigger } from "../seen.js";
import { isOverlapSkip } from "./decisions.js";
import type { History } from "./history.js";

/** A number that changes at instants: what is in use. */
class Steps {
  readonly #deltas: { readonly at: number; readonly by: number }[] = [];
  #times: number[] = [];
  #values: number[] = [];
  #isReady = false;

  span(from: number, until: number): void {
    if (until <= from) return;
    this.#deltas.push({ at: from, by: 1 });
    if (Number.isFinite(until)) this.#deltas.push({ at: until, by: -1 });
    this.#isReady = false;
  }

  /** The value when everything of the instant has happened. */
  after(at: number): number {
    this.#settle();
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as number) <= at) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (this.#values[low - 1] as number);
  }

  /** Instants at which it changes. */
  get times(): readonly number[] {
    this.#settle();
    return this.#times;
  }

  #settle(): void {
    if (this.#isReady) return;
    this.#deltas.sort((a, b) => a.at - b.at);
    this.#times = [];
    this.#values = [];
    let value = 0;
    for (const { at, by } of this.#deltas) {
      value += by;
      if (this.#times.at(-1) === at) this.#values[this.#values.length - 1] = value;
      else {
        this.#times.push(at);
        this.#values.push(value);
      }
    }
    this.#isReady = true;
  }
}

/** A decision with the instant at which its gate was asked. */
export interface Look {
  readonly askedAt: number;
  readonly at: number;
  readonly outcome: string;
  /** When a hold may be looked at again, at the earliest and at the latest. */
  readonly next: { readonly earliest: number; readonly latest: number } | null;
  readonly isOverlapSkip: boolean;
}

/**
 * What is in use at every instant. A run counts against `maxActiveRuns` from its start to its end, the waits between its attempts included; against its pool and the scheduler's limit while an
 * attempt goes on. What is being decided on counts like a run.
 */
export class Load {
  readonly #history: History;
  readonly #active = new Map<string, Steps>();
  readonly #pools = new Map<string, Steps>();
  readonly #all = new Steps();
  readonly #looks = new Map<string, readonly Look[]>();
  readonly #breaks: number[];

  constructor(history: History) {
    this.#history = history;
    for (const run of history.seen.runs)
      this.#of(this.#active, run.pipelineId).span(run.startedAt, run.endedAt ?? Number.POSITIVE_INFINITY);
    for (const { run, from, until } of history.attempts) this.#attempt(run.pipelineId, from, until);
    for (const [triggerId, decisions] of history.decisionsOf) {
      const trigger = history.triggers.get(triggerId);
      if (trigger === undefined) continue;
      const looks = this.#looksOf(trigger, decisions);
      this.#looks.set(triggerId, looks);
      for (const { askedAt, at } of looks) {
        this.#of(this.#active, trigger.pipelineId).span(askedAt, at);
        this.#attempt(trigger.pipelineId, askedAt, at);
      }
    }
    const spans = [...[...history.pauses.values()].flat(), ...history.downs];
    const all = [
      ...[...this.#active.values(), this.#all].flatMap(({ times }) => times),
      ...spans.flatMap(({ from, until }) => [from, until]),
    ];
    this.#breaks = [...new Set(all)].filter(Number.isFinite).sort((a, b) => a - b);
  }

  looksAt(trigger: SeenTrigger): readonly Look[] {
    return this.#looks.get(trigger.id) ?? [];
  }

  active(pipelineId: string, at: number): number {
    return this.#of(this.#active, pipelineId).after(at);
  }

  pool(name: string, at: number): number {
    return this.#of(this.#pools, name).after(at);
  }

  all(at: number): number {
    return this.#all.after(at);
  }

  isFull(pipelineId: string, at: number): boolean {
    return this.active(pipelineId, at) >= this.#history.specAt(pipelineId, at).execution.maxActiveRuns;
  }

  /** Whether the pool of a pipeline, or the scheduler, has no room after an instant. */
  isCrowded(pipelineId: string, at: number): boolean {
    const { world } = this.#history;
    const { pool } = this.#history.specAt(pipelineId, at).execution;
    if (world.globalLimit !== null && this.all(at) >= world.globalLimit) return true;
    return pool !== null && this.pool(pool, at) >= (world.pools[pool] as number);
  }

  isShut(pipelineId: string, at: number, isForced: boolean): boolean {
    return this.#history.isDownAt(at) || (!isForced && this.#history.isPausedAt(pipelineId, at));
  }

  /** Instants in [from, until) at which something changes, `from` first. */
  changesIn(from: number, until: number): number[] {
    let low = 0;
    let high = this.#breaks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#breaks[middle] as number) <= from) low = middle + 1;
      else high = middle;
    }
    const found = [from];
    for (let index = low; index < this.#breaks.length && (this.#breaks[index] as number) < until; index++)
      found.push(this.#breaks[index] as number);
    return found;
  }

  /** Every instant at which something changes. */
  get changes(): readonly number[] {
    return this.#breaks;
  }

  #attempt(pipelineId: string, from: number, until: number): void {
    this.#all.span(from, until);
    const { pool } = this.#history.specAt(pipelineId, from).execution;
    if (pool !== null) this.#of(this.#pools, pool).span(from, until);
  }

  #of(all: Map<string, Steps>, name: string): Steps {
    const known = all.get(name) ?? new Steps();
    all.set(name, known);
    return known;
  }

  #looksOf(trigger: SeenTrigger, decisions: readonly SeenDecision[]): Look[] {
    return decisions.map((decision) => {
      const { at, outcome, pipelineId } = decision;
      const isSkipped = isOverlapSkip(decision, this.#history.specAt(pipelineId, at));
      if (trigger.kind === "immediate" || trigger.isForced || isSkipped)
        return { askedAt: at, at, outcome, next: null, isOverlapSkip: isSkipped };
      const expected = this.#history.expected(decision);
      return { askedAt: expected.askedAt, at, outcome, next: outcome === "hold" ? nextOf(expected, at) : null, isOverlapSkip: false };
    });
  }
}

/** An event at that very instant may decide when it is looked at again. */
function nextOf({ recheckAt }: GateResult, at: number): Look["next"] {
  return recheckAt === null ? { earliest: at, latest: Number.POSITIVE_INFINITY } : { earliest: recheckAt, latest: recheckAt };
}
