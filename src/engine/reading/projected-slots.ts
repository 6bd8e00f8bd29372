import { isoUtc } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { OpenMatter } from "../../ports/scheduler-api/explanation.js";
import { longestRunMs } from "../../run/longest.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import type { Contention } from "./contention.js";
import { canHold } from "./projected-gate.js";
import { type Holder, isOverlapped, type Retry, type Waiting } from "./projection-items.js";

/** True if there is a slot for a trigger: none for certain (`isTaken`), or as far as what is open allows. */
export interface SlotsNeeded {
  readonly isTaken: boolean;
  /** Holders of the pipeline's slots, as a clause. */
  readonly taken: string;
  readonly open: readonly OpenMatter[];
}

/** Timers and rounds may be so late, ms. */
const LATE_MS = 1_000;
const NAMED = 3;
const NEVER = Number.POSITIVE_INFINITY;

/** Possible holders of the run slots of one pipeline, each with its latest end. */
export class ProjectedSlots {
  readonly #pipeline: Pipeline;
  readonly #contention: Contention;
  readonly #graceMs: number;
  readonly #now: number;
  readonly #pausedUntil: number;
  readonly #isRemote: boolean;
  #holders: Holder[] = [];
  /** From when on a run of the pipeline may have started or ended since now. */
  runsFrom = NEVER;

  constructor(core: Pick<Core, "executors" | "settings">, pipeline: Pipeline, contention: Contention, now: number, pausedUntil: number) {
    this.#pipeline = pipeline;
    this.#contention = contention;
    this.#graceMs = core.settings.graceMs;
    this.#now = now;
    this.#pausedUntil = pausedUntil;
    this.#isRemote = core.executors.of(pipeline).kind === "remote";
  }

  /** Triggers that wait now and may still wait. */
  get waiting(): readonly { readonly waiting: Waiting; readonly record: TriggerRecord; readonly holder: Holder }[] {
    return this.#holders.flatMap((holder) => {
      const { waiting } = holder;
      return waiting === null || waiting.record === null ? [] : [{ waiting, record: waiting.record, holder }];
    });
  }

  /** Names of runs that may not have ended at an instant. */
  runsAt(at: number): readonly string[] {
    return this.#holders.filter(({ waiting, until }) => waiting === null && until >= at).map(({ name }) => name);
  }

  /** Takes in a run that is active now; returns its next attempt, if it waits for one. */
  begin(run: RunRecord): Retry | null {
    const { execution } = this.#pipeline;
    const now = this.#now;
    if (run.status === "retrying") {
      const dueAt = Math.max(run.retryAt ?? now, now + 1);
      const at = run.isForced ? dueAt : Math.max(dueAt, this.#pausedUntil);
      const isCertain = run.cancelRequest === null && ((run.retryAt ?? 0) > now || this.#pausedUntil > now);
      const name = `run ${run.id} waiting for attempt ${run.attempt + 1}`;
      const holder = this.#add({ name, waiting: null, from: now, until: NEVER, heldUntil: isCertain ? at : now });
      this.#runFrom(isCertain ? at : now);
      return { run, at, isCertain, holder };
    }
    const canRetry = run.attempt <= execution.retries;
    let until = run.attemptStartedAt + longestRunMs(execution, run.attempt, this.#graceMs) + LATE_MS;
    if (canRetry && this.#pausedUntil > now && !run.isForced)
      until = Math.max(until, this.#pausedUntil + longestRunMs(execution, run.attempt + 1, this.#graceMs));
    const isOpen = this.#isRemote || run.leaseUntil <= now || until <= now || (canRetry && this.#isContended());
    this.#add({ name: `run ${run.id} running since ${isoUtc(run.startedAt)}`, waiting: null, from: now, until: isOpen ? NEVER : until });
    this.#runFrom(now);
    return null;
  }

  /** Takes slots of which nothing is known. */
  holdUnknown(name: string, slots: number, at: number): void {
    for (let slot = 0; slot < slots; slot++) this.#add({ name, waiting: null, from: at, until: NEVER });
    this.#runFrom(at);
  }

  /** Takes in a trigger that starts at an instant (`isStarted`), or of which it is only known that it does not start before. */
  hold(waiting: Waiting, at: number, isStarted = false): void {
    const { execution, gate } = this.#pipeline;
    const slots = execution.maxActiveRuns;
    const holding = this.#holders.filter(({ until }) => until >= at);
    const startAt = isStarted || holding.length < slots ? at : Math.max(at, ...holding.map(({ until }) => until));
    const heldMs = isStarted || waiting.isForced || !canHold(this.#pipeline) ? 0 : gate.holdForMs;
    const isOpen = this.#isRemote || this.#isContended() || this.#contention.triggeredFrom !== NEVER;
    const latest = startAt + heldMs + gateMs(this.#pipeline) + longestRunMs(execution, 1, this.#graceMs) + LATE_MS;
    const taken = holding.flatMap(({ heldUntil }) => (heldUntil > at ? [heldUntil] : [])).sort((a, b) => a - b);
    const from = waiting.isForced ? at : (taken[taken.length - slots] ?? at);
    this.#add({ name: waiting.name, waiting: isStarted ? null : waiting, from, until: isOpen ? NEVER : latest });
    this.#runFrom(at);
  }

  /** A trigger may start or end only now, and not earlier. */
  release(waiting: Waiting): void {
    this.#holders = this.#holders.filter((one) => one.waiting !== waiting);
  }

  /** Scheduled triggers wait no more from an instant on: those that have not started are replaced. */
  replace(at: number): void {
    for (const { waiting } of this.#holders) if (waiting !== null && isOverlapped(waiting)) this.end(waiting, at);
  }

  /** A trigger waits no more from an instant on; if it has started before, its run may go on. */
  end(ended: Waiting, at: number): void {
    const latest = at + longestRunMs(this.#pipeline.execution, 1, this.#graceMs) + LATE_MS;
    this.#holders = this.#holders.map((one) =>
      one.waiting === ended ? { ...one, waiting: null, until: Math.min(one.until, latest) } : one,
    );
  }

  /** An attempt is due: what it depends on, and from now on its run may end. */
  retry({ run, isCertain, holder }: Retry, at: number): readonly OpenMatter[] {
    const { execution } = this.#pipeline;
    const open = [...this.#contention.at(at, execution.maxActiveRuns - 1)];
    if (!isCertain) open.unshift({ kind: "retry", name: null, reason: "its run may have been resumed, cancelled or finished before then" });
    const isOpen = open.length > 0 || this.#isContended() || this.#isRemote;
    holder.until = isOpen ? NEVER : at + longestRunMs(execution, run.attempt + 1, this.#graceMs) + LATE_MS;
    holder.heldUntil = at;
    this.#runFrom(at);
    return open;
  }

  /** Says whether there is a slot for a trigger at an instant. */
  neededBy({ isForced }: Waiting, at: number): SlotsNeeded {
    const { maxActiveRuns } = this.#pipeline.execution;
    const holding = this.#holders.filter(({ until }) => until >= at);
    const isTriggered = this.#contention.triggeredFrom <= at;
    const own = isForced ? maxActiveRuns : isTriggered ? maxActiveRuns - 1 : Math.min(holding.length, maxActiveRuns - 1);
    const open = [...this.#contention.at(at, own)];
    if (isForced) return { isTaken: false, taken: "", open };
    const certain = holding.filter(({ heldUntil }) => heldUntil > at);
    const slots = `${maxActiveRuns} of ${maxActiveRuns} run slots`;
    if (certain.length >= maxActiveRuns) {
      const taken = `${slots} ${maxActiveRuns === 1 ? "is" : "are"} in use (${namesOf(certain)})`;
      return { isTaken: true, taken, open: [slotMatter(taken), ...open] };
    }
    if (holding.length >= maxActiveRuns) {
      const latest = Math.max(...holding.map(({ until }) => until));
      const end = latest === NEVER ? "" : `; until ${isoUtc(latest)} at the latest`;
      open.unshift(slotMatter(`${slots} may still be in use (${namesOf(holding)}${end})`));
    } else if (isTriggered) open.unshift(slotMatter(`${slots} may be in use by a run that a sensor or another pipeline triggers`));
    return { isTaken: false, taken: "", open };
  }

  /** Forgets what has certainly ended before an instant. */
  forget(at: number): void {
    this.#holders = this.#holders.filter(({ until, heldUntil, waiting }) => until >= at || heldUntil > at || waiting?.record != null);
  }

  #add({ heldUntil = Number.NEGATIVE_INFINITY, ...rest }: Omit<Holder, "heldUntil"> & { heldUntil?: number }): Holder {
    const holder = { ...rest, heldUntil };
    this.#holders.push(holder);
    return holder;
  }

  #runFrom(at: number): void {
    this.runsFrom = Math.min(this.runsFrom, at);
  }

  /** True when a limit shared with other pipelines may ever delay a run. */
  #isContended(): boolean {
    return this.#contention.at(Number.MAX_VALUE, this.#pipeline.execution.maxActiveRuns - 1).length > 0;
  }
}

/** The longest that its conditions may take, ms: its trigger has a slot meanwhile. */
function gateMs({ gate }: Pipeline): number {
  return gate.conditions.reduce((sum, { needs, timeoutMs = 10_000 }) => (needs === "time" ? sum : sum + timeoutMs), 0);
}

function slotMatter(reason: string): OpenMatter {
  return { kind: "slot", name: null, reason };
}

function namesOf(holders: readonly Holder[]): string {
  const names = holders.slice(0, NAMED).map(({ name }) => name);
  return `${names.join("; ")}${holders.length > NAMED ? ` and ${holders.length - NAMED} more` : ""}`;
}
