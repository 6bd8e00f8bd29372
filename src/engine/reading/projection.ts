import { isAdaptive } from "../../adaptive/adaptive.js";
import type { OpenMatter } from "../../ports/scheduler-api/explanation.js";
import { planMisfires } from "../../schedule/misfire.js";
import { skipReason } from "../../schedule/skips.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import type { GateEvaluator } from "../gating/gate-evaluator.js";
import type { Contention } from "./contention.js";
import { nameOf, paused } from "./explain-words.js";
import { type ProjectedGate, projectGate } from "./projected-gate.js";
import { ProjectedSlots } from "./projected-slots.js";
import { dependingOn, isOverlapped, type Projected, type Retry, type Said, triggerFor, type Waiting } from "./projection-items.js";
import type { ProjectionState } from "./projection-state.js";
import { startAnswer, takenAnswer } from "./start-answer.js";

/** Fire times that a projection goes through before the instant of interest. */
const MOST_FIRES = 5_000;
const NEVER = Number.POSITIVE_INFINITY;
const NOTHING: ReadonlySet<never> = new Set();
const INTERVAL: OpenMatter = { kind: "interval", name: null, reason: "its interval is adaptive and may change before then" };

type ProjectionCore = Pick<Core, "executors" | "settings" | "store">;

/**
 * Plays what happens to one pipeline from its state on, by time alone, and marks everything that is not certain: when runs end, what conditions on the outside say, which slots others take. Assumes
 * that the scheduler runs and nobody intervenes.
 *
 * A certain trigger is in `#waiting` until it starts or ends for certain. Whatever becomes uncertain is in {@link ProjectedSlots}: it may take a slot up to the latest end that policies allow.
 */
export class Projection {
  readonly #core: ProjectionCore;
  readonly #gates: GateEvaluator;
  readonly #state: ProjectionState;
  readonly #contention: Contention;
  readonly #isAdapting: boolean;
  readonly #interestFrom: number;
  readonly #pausedUntil: number;
  readonly #slots: ProjectedSlots;
  #waiting: readonly Waiting[] = [];
  #retries: readonly Retry[] = [];
  /** Fire times within the pause that are made when it ends; `null` while that is not planned. */
  #made: readonly number[] | null = null;
  #nextFireAt: number | null;
  #fires = 0;
  #out: Projected[] = [];

  /**
   * @param isAdapting - its adaptive interval is neither frozen nor overridden
   * @param interestFrom - if very many fire times come before this instant (epoch ms), some are passed over, and whatever they leave behind counts as open
   */
  constructor(
    core: ProjectionCore,
    gates: GateEvaluator,
    state: ProjectionState,
    contention: Contention,
    isAdapting: boolean,
    interestFrom: number,
  ) {
    const { pipeline, pause, now } = state;
    this.#core = core;
    this.#gates = gates;
    this.#state = state;
    this.#contention = contention;
    this.#isAdapting = isAdapting && isAdaptive(pipeline.schedule);
    this.#interestFrom = interestFrom;
    this.#nextFireAt = state.nextFireAt;
    this.#pausedUntil = pause === null ? Number.NEGATIVE_INFINITY : (pause.until ?? NEVER);
    this.#slots = new ProjectedSlots(core, pipeline, contention, now, this.#pausedUntil);
    this.#begin();
  }

  /** True when the interval may have changed by an instant. */
  mayHaveChanged(at: number): boolean {
    const { schedule } = this.#state.pipeline;
    if (!this.#isAdapting || !isAdaptive(schedule)) return false;
    return schedule.policy.tuner.followsLoad === true || at > this.#slots.runsFrom;
  }

  /** The trigger that waits now and is there at the instant reached, for certain or possibly; not before `from` does it start. */
  waitingAt(at: number): { readonly record: TriggerRecord; readonly isCertain: boolean; readonly from: number } | null {
    for (const { record, mayStartEarlier, availableAt } of this.#waiting)
      if (record !== null && !mayStartEarlier) return { record, isCertain: true, from: availableAt };
    const possible = this.#slots.waiting.find(({ holder }) => holder.until > at);
    return possible === undefined ? null : { record: possible.record, isCertain: possible.holder.from > at, from: possible.holder.from };
  }

  /** The retry that is due after the instant reached. */
  get retrying(): Retry | null {
    return this.#retries[0] ?? null;
  }

  /** Names of runs that may not have ended at an instant. */
  runsAt(at: number): readonly string[] {
    return this.#slots.runsAt(at);
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

  #begin(): void {
    const { runs, waiting, moreWaiting, moreRuns, now, nextFireAt, pipeline } = this.#state;
    this.#retries = runs.flatMap((run) => this.#slots.begin(run) ?? []);
    for (const record of waiting) this.#beginWaiting(record);
    const more = moreRuns + moreWaiting;
    if (more > 0) this.#slots.holdUnknown(`one of ${more} more runs and triggers`, Math.min(more, pipeline.execution.maxActiveRuns), now);
    if (nextFireAt === null || nextFireAt > now || this.#pausedUntil > now) return;
    const { fires, next } = this.#planned(now);
    this.#nextFireAt = next;
    for (const fireAt of fires) this.#slots.hold(triggerFor(pipeline, fireAt, now), now);
  }

  #beginWaiting(record: TriggerRecord): void {
    const { now } = this.#state;
    const waiting: Waiting = {
      name: nameOf(record),
      record,
      judged: record,
      isForced: record.isForced,
      order: record.order,
      availableAt: record.isForced ? record.availableAt : Math.max(record.availableAt, this.#pausedUntil),
      expiresAt: record.expiresAt,
      mayStartEarlier: this.#mayStartEarlier(record),
    };
    const isClaimed = record.node !== null && record.leaseUntil !== null && record.leaseUntil > now;
    const isDue = isClaimed || waiting.availableAt <= now;
    if (isDue || waiting.mayStartEarlier) this.#slots.hold(waiting, now);
    if (!isDue) this.#wait(waiting);
  }

  /** Returns true if what holds a trigger may be over before the finding says so: another pipeline has succeeded, or a probe is healthy again. */
  #mayStartEarlier(record: TriggerRecord): boolean {
    const { pipeline, held } = this.#state;
    const isWatching = pipeline.gate.conditions.some(({ watches }) => watches !== undefined);
    if (record.status !== "held" || !isWatching) return false;
    const isKnown = held !== null && held.triggerId === record.id;
    return !(isKnown && held.findings.every(({ result, recheckAt }) => result !== "block" || recheckAt !== undefined));
  }

  #wait(waiting: Waiting): void {
    this.#waiting = [...this.#waiting, waiting];
  }

  /** There are too many fire times to go through: goes on at the instant of interest. */
  #passOver(at: number): void {
    const { schedule, execution } = this.#state.pipeline;
    this.#slots.holdUnknown(`a run of the ${MOST_FIRES} or more earlier fire times`, execution.maxActiveRuns, at);
    this.#nextFireAt = schedule.nextAfter(this.#interestFrom - 1);
  }

  /** When something happens next; Infinity for never. */
  #next(): number {
    const soon = this.#state.now + 1;
    let at = this.#nextFireAt === null ? NEVER : Math.max(this.#nextFireAt, soon);
    for (const one of this.#waiting) at = Math.min(at, one.availableAt, one.expiresAt ?? NEVER);
    for (const one of this.#retries) at = Math.min(at, one.at);
    for (const { waiting } of this.#slots.waiting) if (waiting.expiresAt !== null) at = Math.min(at, Math.max(waiting.expiresAt, soon));
    return this.#made === null || this.#made.length === 0 ? at : Math.min(at, this.#pausedUntil);
  }

  /** Plays one instant, in the order of the engine's round. */
  async #play(at: number): Promise<void> {
    this.#slots.forget(at);
    if (this.#isFireDue(at) && (this.#nextFireAt as number) < this.#pausedUntil) this.#fireInPause();
    if (at === this.#pausedUntil) this.#catchUp(at);
    const fired = this.#isFireDue(at) && (this.#nextFireAt as number) >= this.#pausedUntil ? await this.#fire(at) : null;
    this.#expire(at);
    for (const one of this.#retries) if (one.at <= at) this.#retry(one, at);
    const ready = this.#waiting.filter(({ availableAt }) => availableAt <= at).sort((a, b) => a.order - b.order);
    const overtaken = this.#overtaken(ready);
    for (const one of ready) {
      const what = one === fired ? "fire" : "start";
      if (overtaken.has(one)) this.#overtake(one, at, what);
      else await this.#start(one, at, what);
    }
  }

  /** `cancel_running`: of the fire times that are ready together, as many of the newest as there are slots end the others. */
  #overtaken(ready: readonly Waiting[]): ReadonlySet<Waiting> {
    const { overlap, maxActiveRuns } = this.#state.pipeline.execution;
    if (overlap !== "cancel_running") return NOTHING;
    const fires = ready.filter(isOverlapped).sort((a, b) => (b.judged.scheduledFor ?? 0) - (a.judged.scheduledFor ?? 0));
    return new Set(fires.slice(maxActiveRuns));
  }

  #overtake(one: Waiting, at: number, what: "fire" | "start"): void {
    this.#waiting = this.#waiting.filter((other) => other !== one);
    this.#slots.release(one);
    const reason = 'it will be superseded because newer fire times are ready by then (overlap policy "cancel_running")';
    this.#say(at, what, one, { answer: "will_skip", reason });
  }

  #isFireDue(at: number): boolean {
    return this.#nextFireAt !== null && this.#nextFireAt <= at;
  }

  /** Plans fire times that are overdue at an instant. */
  #planned(at: number): { readonly fires: readonly number[]; readonly next: number | null } {
    const { pipeline, pause, lastPauses, skips, now } = this.#state;
    const span = pause === null || at !== this.#pausedUntil ? [] : [{ from: Math.min(pause.at, now), until: at }];
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
        skips,
      });
      fires.push(...plan.fires);
      next = plan.nextFireAt;
    }
    return { fires, next };
  }

  /** A fire time within the pause that lasts now. */
  #fireInPause(): void {
    const { pipeline, now, pause, isPauseGlobal } = this.#state;
    const { catchup } = pipeline.execution;
    const isEndless = this.#pausedUntil === NEVER;
    if (!isEndless) this.#made ??= this.#planned(this.#pausedUntil).fires.filter((one) => one < this.#pausedUntil);
    const fireAt = this.#nextFireAt as number;
    this.#nextFireAt = pipeline.schedule.nextAfter(fireAt);
    this.#fires++;
    if (fireAt <= now || pause === null) return;
    const trigger = triggerFor(pipeline, fireAt, fireAt);
    if (this.#isSkipped(trigger, fireAt)) return;
    const why = paused(pause, isPauseGlobal);
    if (isEndless)
      this.#say(fireAt, "fire", trigger, {
        answer: "will_wait",
        reason: `it will wait because ${why}; catchup (${catchup}) will decide on resume`,
        dependsOn: [{ kind: "pause", name: null, reason: why }],
      });
    else if (this.#made?.includes(fireAt) === true)
      this.#say(fireAt, "fire", trigger, {
        answer: "will_wait",
        reason: `it will wait because ${why}; catchup (${catchup}) will create its trigger then`,
      });
    else
      this.#say(fireAt, "fire", trigger, {
        answer: "will_miss",
        reason: `it will be missed because ${why}; catchup (${catchup}) will drop it then`,
      });
  }

  /** Returns true, and says so, if a fire time will be left out: whatever else is so of it. */
  #isSkipped(trigger: Waiting, at: number): boolean {
    const skip = this.#state.skips.find(({ fireAt }) => fireAt === trigger.judged.scheduledFor);
    if (skip === undefined) return false;
    this.#say(at, "fire", trigger, { answer: "will_skip", reason: `it will be left out because ${skipReason(skip)}` });
    return true;
  }

  /** The pause ends: the fire times in it that catchup makes are triggers now. */
  #catchUp(at: number): void {
    for (const fireAt of this.#made ?? []) {
      this.#supersede(at);
      this.#wait(triggerFor(this.#state.pipeline, fireAt, at));
    }
    this.#made = [];
  }

  /** The trigger of the next fire time; `null` when it is not certain that there will be one. */
  async #fire(at: number): Promise<Waiting | null> {
    const { pipeline } = this.#state;
    const fireAt = this.#nextFireAt as number;
    const made = triggerFor(pipeline, fireAt, at);
    this.#nextFireAt = pipeline.schedule.nextAfter(fireAt);
    this.#fires++;
    if (this.#isSkipped(made, at)) return null;
    if (!this.mayHaveChanged(fireAt)) {
      this.#supersede(at);
      this.#wait(made);
      return made;
    }
    const gate = await this.#gateOf(made, at);
    const dependsOn = [INTERVAL, ...this.#slots.neededBy(made, at).open, ...gate.open];
    const mayRun = gate.outcome === "run" || gate.outcome === "open";
    this.#say(at, "fire", made, {
      answer: mayRun ? "may_run" : "may_skip",
      reason: mayRun
        ? `it may run, depending on: ${dependingOn(dependsOn)}`
        : `it will not run then (${gate.reason}); its outcome depends on: ${dependingOn(dependsOn)}`,
      dependsOn,
      findings: gate.findings,
    });
    for (const one of this.#waiting) if (isOverlapped(one)) this.#slots.hold(one, at);
    this.#waiting = this.#waiting.filter((one) => !isOverlapped(one));
    this.#slots.hold(made, at);
    return null;
  }

  /** `queue_one`: a new fire time replaces the scheduled trigger that waits. */
  #supersede(at: number): void {
    if (this.#state.pipeline.execution.overlap !== "queue_one") return;
    this.#waiting = this.#waiting.filter((one) => !isOverlapped(one));
    this.#slots.replace(at);
  }

  #expire(at: number): void {
    for (const one of this.#waiting) {
      if (one.expiresAt === null || one.expiresAt > at) continue;
      this.#waiting = this.#waiting.filter((other) => other !== one);
      if (!one.mayStartEarlier)
        this.#say(at, "expiry", one, {
          answer: "will_expire",
          reason: "it will expire because it has been held for as long as holdFor allows",
        });
    }
    for (const { waiting } of this.#slots.waiting) {
      if (waiting.expiresAt === null || waiting.expiresAt > at) continue;
      this.#slots.end(waiting, at);
      this.#say(at, "expiry", waiting, { answer: "may_expire", reason: "it will expire unless it has run or ended before" });
    }
  }

  #retry(retry: Retry, at: number): void {
    const { run } = retry;
    this.#retries = this.#retries.filter((one) => one !== retry);
    const dependsOn = this.#slots.retry(retry, at);
    const error = run.error === null ? "" : ` after attempt ${run.attempt} failed (${run.error.message})`;
    const attempt = `attempt ${run.attempt + 1}`;
    const said: Said =
      dependsOn.length === 0
        ? { answer: "will_retry", reason: `${attempt} will start${error}` }
        : { answer: "may_run", reason: `${attempt} may start${error}, depending on: ${dependingOn(dependsOn)}`, dependsOn };
    this.#out.push({ at, what: "retry", name: `run ${run.id}`, trigger: null, run, dependsOn: [], findings: [], ...said });
  }

  /** Determines the outcome of a trigger that may start now. */
  async #start(one: Waiting, at: number, what: "fire" | "start"): Promise<void> {
    const { pipeline } = this.#state;
    this.#waiting = this.#waiting.filter((other) => other !== one);
    this.#slots.release(one);
    const slots = this.#slots.neededBy(one, at);
    if (pipeline.execution.overlap === "cancel_running" && isOverlapped(one) && slots.open.some(({ kind }) => kind === "slot"))
      for (const retry of this.#retries) Object.assign(retry, { isCertain: false }); // their runs may be cancelled for it
    const { said, leaves } =
      (slots.isTaken ? takenAnswer(pipeline, one, slots) : null) ??
      startAnswer(pipeline, one, slots, await this.#gateOf(one, at), at, this.#nextFireAt);
    this.#say(at, what, one, said);
    if (leaves === "started" || leaves === "unknown") this.#slots.hold(one, at, leaves === "started");
    else if (leaves !== "gone") this.#wait(leaves);
  }

  async #gateOf({ judged, isForced, record }: Waiting, at: number): Promise<ProjectedGate> {
    if (isForced || judged.kind === "immediate") {
      const reason = `its conditions are bypassed: ${isForced ? "forced" : "immediate trigger"}`;
      return { outcome: "run", reason, recheckAt: null, findings: [], open: [] };
    }
    const whole = record?.omitted?.includes("parameters") === true ? await this.#core.store.trigger(record.id) : null;
    const { pipeline, now, held } = this.#state;
    const isHistoryKnown = at < this.#slots.runsFrom && at < this.#contention.triggeredFrom;
    return projectGate(this.#gates, pipeline, { at, now, trigger: whole ?? judged, isHistoryKnown, held });
  }

  #say(at: number, what: Projected["what"], { name, record }: Waiting, said: Said): void {
    this.#out.push({ at, what, name, trigger: record, run: null, dependsOn: [], findings: [], ...said });
  }
}
