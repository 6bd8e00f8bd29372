import { isAdaptive } from "../../adaptive/adaptive.js";
import { isoUtc } from "../../base/instant.js";
import type { Finding } from "../../gate/finding.js";
import { longestRunMs } from "../../run/longest.js";
import type { RunRecord } from "../../run/run.js";
import { planMisfires } from "../../schedule/misfire.js";
import { orderOf } from "../../trigger/order.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Core, executorOf } from "../core.js";
import type { GateKeeper } from "../gate-keeper.js";
import type { Pipeline } from "../pipeline.js";
import type { Contention } from "./contention.js";
import { nameOf, paused } from "./explain-words.js";
import { canHold, type Judged, type ProjectedGate, projectGate } from "./projected-gate.js";
import type { ProjectionState } from "./projection-state.js";
import type { FutureAnswer, OpenMatter } from "./story.js";

/** Something that happens to a pipeline at an instant to come. */
export interface Projected {
  readonly at: number;
  /** A fire time; a waiting trigger that may start; a retry; the end of a hold. */
  readonly what: "fire" | "start" | "retry" | "expiry";
  /** The trigger or run in words. */
  readonly name: string;
  readonly trigger: TriggerRecord | null;
  readonly run: RunRecord | null;
  readonly answer: FutureAnswer;
  /** A clause with its own subject, such as "it will run because it has no conditions". */
  readonly reason: string;
  readonly dependsOn: readonly OpenMatter[];
  readonly findings: readonly Finding[];
}

/** A trigger that waits for certain: it is there now, or is made at a fire time. */
interface Waiting {
  readonly name: string;
  readonly record: TriggerRecord | null;
  readonly judged: Judged;
  readonly isForced: boolean;
  readonly order: number;
  readonly availableAt: number;
  readonly expiresAt: number | null;
  /** It is looked at again earlier when another pipeline succeeds, or a probe is well again. */
  readonly mayStartEarlier: boolean;
}

/** Something that may hold a run slot: a run, or a trigger of which it is not known when it starts. */
interface Holder {
  readonly name: string;
  readonly waiting: Waiting | null;
  /** The earliest instant at which it may start. */
  readonly from: number;
  /** The latest instant at which its slot is free. */
  until: number;
  /** Until when it holds the slot for certain. */
  heldUntil: number;
}

interface Retry {
  readonly run: RunRecord;
  readonly at: number;
  readonly isCertain: boolean;
  readonly holder: Holder;
}

/** Timers and rounds may be so late, ms. */
const LATE_MS = 1_000;
const MOST_FIRES = 5_000;
const NAMED = 3;

/**
 * Plays what happens to one pipeline from its state on, by time alone, and marks everything that is not certain: when runs end, what conditions on the outside say, which slots others take. Assumes
 * that the scheduler runs and nobody intervenes.
 *
 * A certain trigger is in `#waiting` until it starts or ends for certain; whatever of it becomes uncertain leaves a {@link Holder}, which may take a slot up to the latest end that policies allow.
 */
export class Projection {
  readonly #core: Core;
  readonly #gates: GateKeeper;
  readonly #state: ProjectionState;
  readonly #contention: Contention;
  readonly #pausedUntil: number;
  #waiting: Waiting[] = [];
  #holders: Holder[] = [];
  #retries: Retry[] = [];
  /** Catchup of the pause that lasts now: fire times that are made when it ends. */
  #made: readonly number[] = [];
  #isMadeKnown = false;
  #nextFireAt: number | null;
  /** From when on a run may have started or ended since now. */
  #runsFrom = Number.POSITIVE_INFINITY;
  /** From when on an adaptive interval may be another one. */
  #changesFrom = Number.POSITIVE_INFINITY;
  #fires = 0;
  #out: Projected[] = [];

  readonly #isAdapting: boolean;
  readonly #interestFrom: number;

  /**
   * @param isAdapting - its adaptive interval is neither frozen nor overridden
   * @param interestFrom - if very many fire times come before this instant (epoch ms), some are passed over, and whatever they leave behind counts as open
   */
  constructor(core: Core, gates: GateKeeper, state: ProjectionState, contention: Contention, isAdapting: boolean, interestFrom: number) {
    this.#core = core;
    this.#interestFrom = interestFrom;
    this.#gates = gates;
    this.#state = state;
    this.#contention = contention;
    this.#nextFireAt = state.nextFireAt;
    this.#pausedUntil = state.pause === null ? Number.NEGATIVE_INFINITY : (state.pause.until ?? Number.POSITIVE_INFINITY);
    this.#isAdapting = isAdapting && isAdaptive(state.pipeline.schedule);
    if (this.#isAdapting && isAdaptive(state.pipeline.schedule) && state.pipeline.schedule.policy.tuner.followsLoad === true)
      this.#changesFrom = state.now;
    this.#begin();
  }

  /** True when the interval may have changed by an instant. */
  mayHaveChanged(at: number): boolean {
    return at > this.#changesFrom;
  }

  /** The trigger that waits now and is there at the instant reached: for certain, or possibly. */
  waitingAt(at: number): { readonly record: TriggerRecord; readonly isCertain: boolean; readonly availableAt: number } | null {
    const certain = this.#waiting.find(({ record, mayStartEarlier }) => record !== null && !mayStartEarlier);
    if (certain?.record) return { record: certain.record, isCertain: true, availableAt: certain.availableAt };
    const holder = this.#holders.find(({ waiting, until }) => waiting !== null && waiting.record !== null && until > at);
    if (!holder?.waiting?.record) return null;
    return { record: holder.waiting.record, isCertain: holder.from > at, availableAt: holder.from };
  }

  /** The retry that is due after the instant reached. */
  get retrying(): { readonly run: RunRecord; readonly at: number } | null {
    return this.#retries[0] ?? null;
  }

  /** Runs of now that may still hold a slot at an instant. */
  mayRunAt(at: number): readonly string[] {
    return this.#holders.filter(({ waiting, until }) => waiting === null && until >= at).map(({ name }) => name);
  }

  /** Plays on until an instant; returns what happens up to and including it. */
  async advance(until: number): Promise<readonly Projected[]> {
    this.#out = [];
    for (let at = this.#next(); at <= until; at = this.#next()) {
      await this.#play(at);
      if (this.#fires >= MOST_FIRES && this.#nextFireAt !== null && this.#nextFireAt < this.#interestFrom) this.#passOver(at);
    }
    return this.#out;
  }

  /** There are too many fire times to go through: goes on at the instant of interest. */
  #passOver(at: number): void {
    this.#holdAll(`a run of the ${MOST_FIRES} or more fire times before`, this.#state.pipeline.execution.maxActiveRuns, at);
    this.#nextFireAt = this.#state.pipeline.schedule.nextAfter(this.#interestFrom - 1);
  }

  /** Slots of which nothing is known. */
  #holdAll(name: string, slots: number, at: number): void {
    for (let slot = 0; slot < slots; slot++) this.#hold({ name, waiting: null, from: at, until: Number.POSITIVE_INFINITY });
    this.#hasRunFrom(at);
  }

  #begin(): void {
    const { runs, waiting, moreWaiting, moreRuns, now, nextFireAt } = this.#state;
    for (const run of runs) this.#beginRun(run);
    for (const record of waiting) this.#beginWaiting(record);
    const more = moreRuns + moreWaiting;
    if (more > 0) this.#holdAll(`one of ${more} more runs and triggers`, Math.min(more, this.#state.pipeline.execution.maxActiveRuns), now);
    if (nextFireAt !== null && nextFireAt <= now && this.#pausedUntil <= now) {
      const { fires, next } = this.#planned(now);
      this.#nextFireAt = next;
      for (const fireAt of fires) this.#holdWaiting(this.#triggerFor(fireAt, now), now);
    }
  }

  #beginRun(run: RunRecord): void {
    const { now, pipeline } = this.#state;
    const { execution } = pipeline;
    const { graceMs } = this.#core.settings;
    const canRetry = run.attempt <= execution.retries;
    const name = `run ${run.id}, ${run.status === "retrying" ? `which waits for attempt ${run.attempt + 1}` : `running since ${isoUtc(run.startedAt)}`}`;
    if (run.status === "retrying") {
      const at = this.#unpaused(Math.max(run.retryAt ?? now, now + 1), run.isForced);
      const isCertain = run.cancelRequest === null && ((run.retryAt ?? 0) > now || this.#pausedUntil > now);
      const holder = this.#hold({ name, waiting: null, from: now, until: Number.POSITIVE_INFINITY, heldUntil: isCertain ? at : now });
      this.#retries.push({ run, at, isCertain, holder });
      this.#hasRunFrom(isCertain ? at : now);
      return;
    }
    let until = run.attemptStartedAt + longestRunMs(execution, run.attempt, graceMs) + LATE_MS;
    if (canRetry && this.#pausedUntil > now && !run.isForced)
      until = Math.max(until, this.#pausedUntil + longestRunMs(execution, run.attempt + 1, graceMs));
    const isUnbounded =
      executorOf(this.#core, pipeline).kind === "remote" || run.leaseUntil <= now || until <= now || (canRetry && this.#isContended());
    this.#hold({ name, waiting: null, from: now, until: isUnbounded ? Number.POSITIVE_INFINITY : until });
    this.#hasRunFrom(now);
  }

  #beginWaiting(record: TriggerRecord): void {
    const { now } = this.#state;
    const waiting: Waiting = {
      name: nameOf(record),
      record,
      judged: record,
      isForced: record.isForced,
      order: record.order,
      availableAt: this.#unpaused(record.availableAt, record.isForced),
      expiresAt: record.expiresAt,
      mayStartEarlier: this.#mayStartEarlier(record),
    };
    const isClaimed = record.node !== null && record.leaseUntil !== null && record.leaseUntil > now;
    const isDue = isClaimed || waiting.availableAt <= now;
    if (isDue || waiting.mayStartEarlier) this.#holdWaiting(waiting, now);
    if (!isDue) this.#waiting.push(waiting);
  }

  /** What holds a trigger may be over before it says so itself: another pipeline has succeeded, or a probe is well again. */
  #mayStartEarlier(record: TriggerRecord): boolean {
    const { pipeline, held } = this.#state;
    if (record.status !== "held" || !hasWatches(pipeline)) return false;
    const isKnown = held !== null && held.triggerId === record.id;
    return !(isKnown && held.findings.every(({ result, recheckAt }) => result !== "block" || recheckAt !== undefined));
  }

  #unpaused(at: number, isForced: boolean): number {
    return isForced ? at : Math.max(at, this.#pausedUntil);
  }

  /** When something happens next; Infinity for never. */
  #next(): number {
    let at = Number.POSITIVE_INFINITY;
    if (this.#nextFireAt !== null) at = this.#nextFireAt;
    if (this.#nextFireAt !== null && this.#nextFireAt < this.#pausedUntil) at = Math.max(at, this.#state.now + 1);
    for (const one of this.#waiting) at = Math.min(at, one.availableAt, one.expiresAt ?? Number.POSITIVE_INFINITY);
    for (const one of this.#retries) at = Math.min(at, one.at);
    for (const { waiting } of this.#holders)
      if (waiting?.record != null && waiting.expiresAt !== null) at = Math.min(at, Math.max(waiting.expiresAt, this.#state.now + 1));
    if (this.#made.length > 0) at = Math.min(at, this.#pausedUntil);
    return at;
  }

  /** Plays one instant, in the order of the engine's round. */
  async #play(at: number): Promise<void> {
    this.#holders = this.#holders.filter(({ until, heldUntil, waiting }) => until >= at || heldUntil > at || waiting?.record != null);
    if (this.#nextFireAt !== null && this.#nextFireAt < this.#pausedUntil && this.#nextFireAt <= at) this.#missNext();
    if (at === this.#pausedUntil) this.#catchUp(at);
    const fired: Waiting[] = [];
    if (this.#nextFireAt !== null && this.#nextFireAt <= at && this.#nextFireAt >= this.#pausedUntil) {
      const one = await this.#fireNext(at);
      if (one !== null) fired.push(one);
    }
    this.#expire(at);
    for (const one of this.#retries.filter((retry) => retry.at <= at)) this.#retry(one, at);
    const ready = this.#waiting.filter((one) => one.availableAt <= at).sort((a, b) => a.order - b.order);
    for (const one of ready) await this.#start(one, at, fired.includes(one) ? "fire" : "start");
  }

  /** Plans fire times that are overdue at an instant. */
  #planned(at: number): { readonly fires: readonly number[]; readonly next: number | null } {
    const { pipeline, pause, lastPauses } = this.#state;
    const span = pause === null || at !== this.#pausedUntil ? [] : [{ from: Math.min(pause.at, this.#state.now), until: at }];
    const fires: number[] = [];
    let next = this.#nextFireAt;
    for (let rounds = 0; next !== null && next <= at && rounds < 10; rounds++) {
      const plan = planMisfires({
        schedule: pipeline.schedule,
        dueAt: next,
        now: at,
        catchup: pipeline.execution.catchup,
        windowMs: pipeline.execution.catchupWindowMs,
        onTimeMs: this.#core.settings.onTimeMs,
        paused: [...span, ...lastPauses],
      });
      fires.push(...plan.fires);
      next = plan.nextFireAt;
    }
    return { fires, next };
  }

  /** A fire time within the pause that lasts now. */
  #missNext(): void {
    const { pipeline, now, pause, isPauseGlobal } = this.#state;
    const { catchup } = pipeline.execution;
    if (!this.#isMadeKnown && this.#pausedUntil !== Number.POSITIVE_INFINITY) {
      this.#made = this.#planned(this.#pausedUntil).fires.filter((fireAt) => fireAt < this.#pausedUntil);
      this.#isMadeKnown = true;
    }
    const at = this.#nextFireAt as number;
    this.#nextFireAt = pipeline.schedule.nextAfter(at);
    this.#fires++;
    if (at <= now || pause === null) return;
    const isEndless = this.#pausedUntil === Number.POSITIVE_INFINITY;
    const isMade = isEndless || this.#made.includes(at);
    const why = paused(pause, isPauseGlobal);
    const then = isEndless
      ? `unless that is resumed before, catchup (${catchup}) decides on resume`
      : isMade
        ? `catchup (${catchup}) makes its trigger when that ends`
        : `catchup (${catchup}) drops it when that ends`;
    this.#emit(at, "fire", this.#triggerFor(at, at), isMade ? "will_wait" : "will_miss", {
      reason: `it will ${isMade ? "wait" : "be missed"} because ${why}; ${then}`,
      ...(isEndless ? { dependsOn: [{ kind: "pause" as const, name: null, reason: why }] } : {}),
    });
  }

  /** The pause ends: the fire times in it that catchup makes are triggers now. */
  #catchUp(at: number): void {
    for (const fireAt of this.#made) {
      this.#supersede(at);
      this.#waiting.push(this.#triggerFor(fireAt, at));
    }
    this.#made = [];
  }

  #triggerFor(fireAt: number, createdAt: number): Waiting {
    const { id, execution } = this.#state.pipeline;
    return {
      name: `the scheduled trigger for ${isoUtc(fireAt)}`,
      record: null,
      judged: { id: `${id} ${fireAt}`, kind: "scheduled", scheduledFor: fireAt, parameters: null },
      isForced: false,
      order: orderOf("scheduled", execution.priority, createdAt),
      availableAt: createdAt,
      expiresAt: null,
      mayStartEarlier: false,
    };
  }

  /** The trigger of the next fire time; `null` when it is not certain that there will be one. */
  async #fireNext(at: number): Promise<Waiting | null> {
    const { pipeline } = this.#state;
    const fireAt = this.#nextFireAt as number;
    const made = this.#triggerFor(fireAt, at);
    this.#nextFireAt = pipeline.schedule.nextAfter(fireAt);
    this.#fires++;
    if (!this.mayHaveChanged(fireAt)) {
      this.#supersede(at);
      this.#waiting.push(made);
      return made;
    }
    const gate = await this.#gateOf(made, at);
    const interval: OpenMatter = { kind: "interval", name: null, reason: "its interval adapts to how its runs go and may change before" };
    const dependsOn = [interval, ...this.#slotsAt(made, at).open, ...gate.open];
    const isOpen = gate.outcome === "run" || gate.outcome === "open";
    this.#emit(at, "fire", made, isOpen ? "may_run" : "may_skip", {
      reason: isOpen ? mayRun(dependsOn, "") : `it will not run then (${gate.reason}); ${whetherText(dependsOn)}`,
      dependsOn,
      findings: gate.findings,
    });
    const waiting = this.#waiting.filter(isReplaceable);
    this.#waiting = this.#waiting.filter((one) => !isReplaceable(one));
    for (const one of waiting) this.#holdWaiting(one, at);
    if (gate.outcome !== "skip") this.#holdWaiting(made, at);
    return null;
  }

  /** `queue_one`: a new fire time replaces the scheduled trigger that waits. */
  #supersede(at: number): void {
    const { execution } = this.#state.pipeline;
    if (execution.overlap !== "queue_one") return;
    this.#waiting = this.#waiting.filter((one) => !isReplaceable(one));
    const latest = at + this.#runMs() + LATE_MS;
    this.#holders = this.#holders.map((one) =>
      one.waiting === null || !isReplaceable(one.waiting) ? one : { ...one, waiting: null, until: Math.min(one.until, latest) },
    );
  }

  #expire(at: number): void {
    for (const one of this.#waiting.filter(({ expiresAt }) => expiresAt !== null && expiresAt <= at)) {
      this.#waiting = this.#waiting.filter((other) => other !== one);
      if (one.mayStartEarlier) continue; // its holder says so
      this.#emit(at, "expiry", one, "will_expire", { reason: "it will expire because it has been held for as long as holdFor allows" });
    }
    for (const holder of this.#holders) {
      const { waiting } = holder;
      if (waiting?.record == null || waiting.expiresAt === null || waiting.expiresAt > at) continue;
      this.#emit(at, "expiry", waiting, "may_expire", { reason: "it expires then unless it has run or ended before" });
      this.#holders = this.#holders.map((one) =>
        one === holder ? { ...one, waiting: null, until: Math.min(one.until, at + this.#runMs() + LATE_MS) } : one,
      );
    }
  }

  #retry({ run, at: dueAt, isCertain, holder }: Retry, at: number): void {
    const { graceMs } = this.#core.settings;
    const { execution } = this.#state.pipeline;
    this.#retries = this.#retries.filter((one) => one.run !== run);
    const own = Math.min(this.#holders.length - 1, execution.maxActiveRuns - 1);
    const open: OpenMatter[] = [...this.#contention.at(at, own)];
    if (!isCertain) open.push({ kind: "retry", name: null, reason: "its run is due for an attempt, or asked to end, already" });
    const attempt = `attempt ${run.attempt + 1}`;
    const error = run.error === null ? "" : ` after attempt ${run.attempt} failed (${run.error.message})`;
    this.#out.push({
      at,
      what: "retry",
      name: `run ${run.id}`,
      trigger: null,
      run,
      answer: open.length === 0 ? "will_retry" : "may_run",
      reason: open.length === 0 ? `${attempt} will start${error}` : `${attempt} may start${error}; ${whetherText(open)}`,
      dependsOn: open,
      findings: [],
    });
    const until = dueAt + longestRunMs(execution, run.attempt + 1, graceMs) + LATE_MS;
    const isUnbounded = open.length > 0 || this.#isContended() || executorOf(this.#core, this.#state.pipeline).kind === "remote";
    holder.until = isUnbounded ? Number.POSITIVE_INFINITY : until;
    holder.heldUntil = at;
    this.#hasRunFrom(at);
  }

  /** What becomes of a trigger that may start now. */
  async #start(one: Waiting, at: number, what: "fire" | "start"): Promise<void> {
    const { overlap } = this.#state.pipeline.execution;
    this.#waiting = this.#waiting.filter((other) => other !== one);
    this.#holders = this.#holders.filter(({ waiting }) => waiting !== one);
    const slots = this.#slotsAt(one, at);
    const isScheduled = isReplaceable(one);
    const emit = (answer: FutureAnswer, rest: Rest) => this.#emit(at, what, one, answer, rest);
    if (slots.isTaken && !(isScheduled && overlap === "cancel_running")) {
      const isSkipped = isScheduled && overlap === "skip";
      if (!isSkipped) this.#holdWaiting(one, at);
      return emit(isSkipped ? "will_skip" : "will_wait", {
        reason: `it will ${isSkipped ? "be skipped" : "wait"} because ${slots.taken}${isSkipped ? ' and overlap policy is "skip"' : ""}`,
      });
    }
    const gate = await this.#gateOf(one, at);
    const { findings } = gate;
    const dependsOn = [...slots.open, ...gate.open];
    const isSkippedByOverlap = isScheduled && overlap === "skip" && slots.open.some(({ kind }) => kind === "slot");
    const isOpen = slots.open.length > 0;
    switch (gate.outcome) {
      case "run":
      case "open": {
        this.#holdWaiting(one, at, dependsOn.length === 0);
        const otherwise = slots.open.some(({ kind }) => kind === "slot") && isScheduled ? ELSE[overlap] : "";
        return dependsOn.length === 0
          ? emit("will_run", { reason: `it will run because ${gate.reason}`, findings })
          : emit("may_run", { reason: mayRun(dependsOn, otherwise), dependsOn, findings });
      }
      case "skip":
        if (isOpen && !isSkippedByOverlap) {
          this.#holdWaiting(one, at);
          return emit("may_skip", {
            reason: `it will be skipped (${gate.reason}) or wait; ${whetherText(dependsOn)}`,
            dependsOn,
            findings,
          });
        }
        return emit("will_skip", { reason: `it will be skipped because ${gate.reason}`, findings });
      case "blocked":
        this.#holdWaiting(one, at);
        return emit("may_skip", { reason: `it will be held or skipped because ${gate.reason}`, dependsOn, findings });
      case "hold":
        if (isSkippedByOverlap) {
          this.#holdWaiting(one, at);
          return emit("may_skip", {
            reason: `it will be held (${gate.reason}) or skipped; ${whetherText(dependsOn)}`,
            dependsOn,
            findings,
          });
        }
        return this.#heldBy(one, gate, at, isOpen, emit);
    }
  }

  #heldBy(one: Waiting, gate: ProjectedGate, at: number, isOpen: boolean, emit: (answer: FutureAnswer, rest: Rest) => void): void {
    const { findings, reason } = gate;
    if (isOpen || gate.recheckAt === null) {
      this.#holdWaiting(one, at);
      return emit("will_wait", { reason: `it will be held because ${reason}`, findings });
    }
    const expiresAt = one.expiresAt ?? at + this.#state.pipeline.gate.holdForMs;
    this.#waiting.push({ ...one, availableAt: Math.min(gate.recheckAt, expiresAt), expiresAt });
    const next = this.#nextFireAt;
    const isReplaced =
      isReplaceable(one) && this.#state.pipeline.execution.overlap === "queue_one" && next !== null && next <= gate.recheckAt;
    if (isReplaced && next <= expiresAt)
      return emit("will_wait", {
        reason: `it will be held because ${reason}; the fire time ${isoUtc(next)} replaces it unless it has ended before (overlap policy "queue_one")`,
        findings,
      });
    if (gate.recheckAt >= expiresAt)
      return emit("will_expire", {
        reason: `it will be held because ${reason}; it expires at ${isoUtc(expiresAt)}, before that`,
        findings,
      });
    return emit("will_wait", { reason: `it will be held because ${reason}`, findings });
  }

  /** Which slots a trigger needs, and whether they are free: for certain not (`isTaken`), or what it depends on. */
  #slotsAt(one: Waiting, at: number): { readonly isTaken: boolean; readonly taken: string; readonly open: readonly OpenMatter[] } {
    const { maxActiveRuns } = this.#state.pipeline.execution;
    const holding = this.#holders.filter(({ until }) => until >= at);
    const certain = holding.filter(({ heldUntil }) => heldUntil > at);
    const all = maxActiveRuns === 1 ? "1 of 1 run slots" : `${maxActiveRuns} of ${maxActiveRuns} run slots`;
    const are = maxActiveRuns === 1 ? "is" : "are";
    const isTriggered = this.#contention.triggeredFrom <= at;
    const own = Math.min(
      isTriggered ? Number.POSITIVE_INFINITY : holding.length,
      one.isForced ? Number.POSITIVE_INFINITY : maxActiveRuns - 1,
    );
    const open: OpenMatter[] = [...this.#contention.at(at, Math.min(own, maxActiveRuns))];
    if (one.isForced) return { isTaken: false, taken: "", open };
    if (certain.length >= maxActiveRuns)
      return {
        isTaken: true,
        taken: `${all} ${are} in use (${namesOf(certain)})`,
        open: [slotMatter(`${all} ${are} in use by ${namesOf(certain)}`)],
      };
    if (holding.length >= maxActiveRuns) {
      const latest = Math.max(...holding.map(({ until }) => until));
      const end = latest === Number.POSITIVE_INFINITY ? "" : `, until ${isoUtc(latest)} at the latest`;
      open.unshift(slotMatter(`${all} may still be in use by ${namesOf(holding)}${end}`));
    } else if (isTriggered) open.unshift(slotMatter(`${all} may be in use by a run that a sensor or a pipeline before it triggers`));
    return { isTaken: false, taken: "", open };
  }

  async #gateOf({ judged, isForced, record }: Waiting, at: number): Promise<ProjectedGate> {
    if (isForced || judged.kind === "immediate") {
      const reason = isForced ? "it is forced: conditions are bypassed" : "it is immediate: conditions are bypassed";
      return { outcome: "run", reason, recheckAt: null, findings: [], open: [] };
    }
    const whole = record?.omitted?.includes("parameters") === true ? await this.#core.store.trigger(record.id) : null;
    const { pipeline, now, held } = this.#state;
    const isHistoryKnown = at < this.#runsFrom && this.#contention.triggeredFrom > at;
    return projectGate(this.#gates, pipeline, { at, now, trigger: whole ?? judged, isHistoryKnown, held });
  }

  /** A trigger that starts now, or of which it is not known when: it may hold a slot until its run has ended at the latest. */
  #holdWaiting(waiting: Waiting, at: number, isStarted = false): void {
    const { pipeline } = this.#state;
    const holding = this.#holders.filter(({ until }) => until >= at);
    const slots = pipeline.execution.maxActiveRuns;
    const isBehind = !isStarted && holding.length >= slots;
    const startAt = isBehind ? Math.max(at, ...holding.map(({ until }) => until)) : at;
    const heldMs = isStarted || waiting.isForced || !canHold(pipeline) ? 0 : pipeline.gate.holdForMs;
    const isUnbounded = this.#isContended() || this.#contention.triggeredFrom !== Number.POSITIVE_INFINITY;
    const isRemote = executorOf(this.#core, pipeline).kind === "remote";
    const latest = startAt + heldMs + gateMs(pipeline) + this.#runMs() + LATE_MS;
    const taken = holding.map(({ heldUntil }) => heldUntil).filter((one) => one > at);
    const from = waiting.isForced || taken.length < slots ? at : (taken.sort((a, b) => a - b)[taken.length - slots] as number);
    this.#hold({
      name: waiting.name,
      waiting: isStarted ? null : waiting,
      from,
      until: isUnbounded || isRemote ? Number.POSITIVE_INFINITY : latest,
    });
    this.#hasRunFrom(at);
  }

  #hold({ heldUntil = Number.NEGATIVE_INFINITY, ...rest }: Omit<Holder, "heldUntil"> & { heldUntil?: number }): Holder {
    const holder = { ...rest, heldUntil };
    this.#holders.push(holder);
    return holder;
  }

  #hasRunFrom(at: number): void {
    this.#runsFrom = Math.min(this.#runsFrom, at);
    if (this.#isAdapting) this.#changesFrom = Math.min(this.#changesFrom, at);
  }

  #runMs(): number {
    return longestRunMs(this.#state.pipeline.execution, 1, this.#core.settings.graceMs);
  }

  /** True when a limit shared with other pipelines may ever delay a run. */
  #isContended(): boolean {
    return this.#contention.at(Number.MAX_VALUE, this.#state.pipeline.execution.maxActiveRuns - 1).length > 0;
  }

  #emit(at: number, what: Projected["what"], { name, record }: Waiting, answer: FutureAnswer, rest: Rest): void {
    this.#out.push({ at, what, name, trigger: record, run: null, answer, dependsOn: [], findings: [], ...rest });
  }
}

type Rest = Pick<Projected, "reason"> & Partial<Pick<Projected, "dependsOn" | "findings">>;

const ELSE = {
  queue: ", else it waits",
  queue_one: ", else it waits",
  skip: ', else it is skipped (overlap policy "skip")',
  cancel_running: ', else the running one is cancelled for it (overlap policy "cancel_running")',
} as const;

/** The longest that its conditions may take, ms: its trigger has a slot meanwhile. */
function gateMs({ gate }: Pipeline): number {
  return gate.conditions.reduce((sum, { needs, timeoutMs = 10_000 }) => (needs === "time" ? sum : sum + timeoutMs), 0);
}

function hasWatches({ gate }: Pipeline): boolean {
  return gate.conditions.some(({ watches }) => (watches?.pipelines ?? []).length + (watches?.probes ?? []).length > 0);
}

/** A trigger that a newer fire time replaces under `queue_one`, and that overlap policies apply to. */
function isReplaceable({ judged, isForced }: Waiting): boolean {
  return judged.kind === "scheduled" && !isForced;
}

function slotMatter(reason: string): OpenMatter {
  return { kind: "slot", name: null, reason };
}

function namesOf(holders: readonly Holder[]): string {
  const names = holders.slice(0, NAMED).map(({ name }) => name);
  return `${names.join("; ")}${holders.length > NAMED ? ` and ${holders.length - NAMED} more` : ""}`;
}

function whetherText(open: readonly OpenMatter[]): string {
  return `that depends on ${open.length === 1 ? "one thing" : `${open.length} things`}: ${open.map(({ reason }) => reason).join("; ")}`;
}

function mayRun(open: readonly OpenMatter[], otherwise: string): string {
  return `whether it runs then depends on ${open.length === 1 ? "one thing" : `${open.length} things`}: ${open.map(({ reason }) => reason).join("; ")}${otherwise}`;
}
