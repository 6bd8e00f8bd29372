import { HeadgateError } from "../../base/errors.js";
import { isoUtc } from "../../base/instant.js";
import type { PartFinding } from "../../gate/condition.js";
import { decide } from "../../gate/decide.js";
import type { DecisionRecord, Finding } from "../../gate/finding.js";
import { recordable } from "../../gate/start-limit.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { Executor } from "../../ports/executor.js";
import type { Claim, DecideRequest, DecideResult, StartRefusal } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { Batcher } from "../context/batcher.js";
import type { Core } from "../context/core.js";
import { emitRunEnd, ofDecision, ofRun, ofTrigger } from "../context/event-payloads.js";
import { FailureReports } from "../context/failure-reports.js";
import { isUnavailable } from "../context/store-health.js";
import type { Runner } from "../running/runner.js";
import type { GateEvaluator } from "./gate-evaluator.js";

const TRIGGERS_AT_ONCE = 500;
/** The first claim takes so many at most, and each that takes all it may lets the next take twice as many: code that has not run yet is slow, and would hold up the event loop for long. */
const FIRST_CLAIM = 64;
/** The token of no claim: such a request finds out whether its decision is recorded, and records nothing. */
const NO_CLAIM = -1;
/** Number of times a trigger whose start is refused by a limit is evaluated again before it is blocked by that alone: its conditions do not see the limit. */
const EVALUATIONS = 3;
/** Pauses before a gate whose conditions could not read the store is asked again, ms. */
const UNREAD_WAITS_MS = [250, 500, 1_000];

type ClaimerCore = Pick<
  Core,
  "clock" | "events" | "executors" | "fireQueue" | "logger" | "newId" | "node" | "settings" | "signals" | "store"
>;

/** Claims triggers in order, asks their gates, records the decisions and starts the runs. */
export class Claimer {
  readonly #core: ClaimerCore;
  readonly #gates: GateEvaluator;
  readonly #runner: Runner;
  readonly #decisions: Batcher<DecideRequest, DecideResult>;
  readonly #failures: FailureReports;
  #deciding = 0;
  /** There may be more than what the last claim had room for: it is worth a claim as soon as a place is free. */
  #hasMore = false;
  /** The most that the next claim takes. */
  #most = FIRST_CLAIM;
  /** Decisions made within claims that were not answered. */
  #unanswered: DecideRequest[] = [];

  constructor(core: ClaimerCore, gates: GateEvaluator, runner: Runner) {
    this.#core = core;
    this.#gates = gates;
    this.#runner = runner;
    this.#failures = new FailureReports(core);
    core.signals.placeFreed.on(() => {
      if (this.#hasMore) core.signals.wake.emit();
    });
    this.#decisions = new Batcher(core, (requests) => core.store.decide(requests, () => core.clock.now()));
  }

  /** Claims what there is room for. Gives true when there may be more. */
  async claim(): Promise<boolean> {
    await this.#startUnanswered();
    const room = Math.min(this.#room(), this.#most);
    if (room <= 0) return false;
    this.#hasMore = false;
    const claim = await this.#claim(room);
    await this.#runner.handOut(() => this.#handOut(claim));
    const isSlotFree = claim.decided.some(({ request }) => request.run === null);
    const isFull = claim.decided.length + claim.triggers.length + claim.attempts.length >= room;
    if (isFull && room === this.#most) this.#most = Math.min(2 * this.#most, TRIGGERS_AT_ONCE);
    this.#hasMore = isSlotFree || claim.isPartial === true || isFull;
    return this.#hasMore;
  }

  /** Begins what was claimed; much of it takes several turns of the event loop. */
  async #handOut({ superseded, ended, attempts, decided, cancelled, triggers }: Claim): Promise<void> {
    const { events, clock } = this.#core;
    for (const trigger of superseded) events.emit("trigger.superseded", ofTrigger, trigger);
    for (const { run, trigger } of ended) emitRunEnd(this.#core, run, trigger);
    for (const { run, trigger } of attempts) {
      events.emit("run.attempt", ofRun, run);
      this.#start(run, trigger);
      if (clock.turns.isSpent) await clock.turns.next();
    }
    for (const { request, result } of decided) {
      this.#decided(result, request);
      if (clock.turns.isSpent) await clock.turns.next();
    }
    for (const run of cancelled) this.#runner.cancel(run); // after the attempts, of which it may be one
    for (const trigger of triggers) {
      this.#decideLater(trigger);
      if (clock.turns.isSpent) await clock.turns.next();
    }
  }

  async #claim(room: number): Promise<Claim> {
    const { store, node, settings, fireQueue, clock } = this.#core;
    const made: DecideRequest[] = [];
    const judge = (trigger: TriggerRecord, isOverlapping: boolean, now: number) => {
      const request = isOverlapping ? this.#skipOverlapping(trigger, now) : this.#judgedAtOnce(trigger, now);
      if (request !== null) made.push(request);
      return request;
    };
    const canRun = (id: string) => {
      const entry = fireQueue.get(id);
      return entry !== undefined && (this.#isSingle || this.#roomOf(this.#core.executors.of(entry.pipeline)) > 0);
    };
    const leases = { claimLeaseMs: settings.leaseMs + fireQueue.longestGateMs, attemptLeaseMs: settings.leaseMs };
    try {
      return await store.claim(
        { node, limit: room, ...leases, globalLimit: settings.maxActiveRuns, pools: settings.pools, canRun, judge },
        () => clock.now(),
      );
    } catch (error) {
      this.#unanswered.push(...made); // it may have been committed
      throw error;
    }
  }

  /** Starts what a claim has recorded whose answer was lost; without this its runs would wait for nobody until their leases run out, and lose an attempt. */
  async #startUnanswered(): Promise<void> {
    if (this.#unanswered.length === 0) return;
    const requests = this.#unanswered.map((request) => ({ ...request, token: NO_CLAIM }));
    let results: readonly DecideResult[] = [];
    try {
      results = await this.#core.store.decide(requests, () => this.#core.clock.now());
    } catch (error) {
      if (isUnavailable(error)) throw error;
      this.#core.events.report(error, "starting runs of a claim whose response was lost; their leases will expire");
    }
    this.#unanswered = [];
    for (const [index, result] of results.entries()) this.#decided(result, requests[index] as DecideRequest);
  }

  /** True if all pipelines have the scheduler's own executor. */
  get #isSingle(): boolean {
    return !this.#core.fireQueue.hasOwnExecutors;
  }

  /** Returns how many may be claimed: as many as the scheduler's executor has room for; when that is full, those of other executors. */
  #room(): number {
    const own = Math.min(TRIGGERS_AT_ONCE, this.#roomOf(this.#core.executors.standard));
    return own > 0 || this.#isSingle ? own : TRIGGERS_AT_ONCE;
  }

  #roomOf(executor: Executor): number {
    if (executor.kind === "remote") return TRIGGERS_AT_ONCE;
    return executor.concurrency - this.#runner.placesOf(executor) - this.#deciding;
  }

  /** `null` when it needs more than the time. */
  #judgedAtOnce(trigger: TriggerRecord, now: number): DecideRequest | null {
    const pipeline = this.#pipelineOf(trigger);
    if (pipeline === undefined) return null;
    const bypass = bypassOf(trigger);
    if (bypass !== null) return this.#bypassed(trigger, pipeline, bypass, now);
    if (pipeline.gate.conditions.some(({ needs }) => needs !== "time")) return null;
    const findings = this.#gates.ask(pipeline, trigger, now);
    const request = findings instanceof Promise ? null : this.#judged(trigger, pipeline, findings, now);
    return request?.limits === undefined ? request : null; // limits are looked at with the lock of a decision
  }

  /** Conditions that ask the outside take their time; the line moves on meanwhile. */
  #decideLater(trigger: TriggerRecord): void {
    const pipeline = this.#pipelineOf(trigger);
    if (pipeline === undefined) return;
    this.#keep(trigger, (what) => this.#decide(trigger, pipeline, what));
  }

  /** Evaluates the conditions of a trigger and records the decision; again when other runs have taken what a limit allowed meanwhile. */
  async #decide(trigger: TriggerRecord, pipeline: Pipeline, what: string): Promise<void> {
    const { clock } = this.#core;
    let refused: Extract<StartRefusal, { kind: "limit" }> | null = null;
    for (let evaluation = 1; ; evaluation++) {
      const findings = await this.#findings(trigger, pipeline);
      const blocked = evaluation > EVALUATIONS && refused !== null ? [...findings, takenByOthers(refused.opensAt)] : findings;
      const request = this.#judged(trigger, pipeline, blocked, clock.now());
      const result = await this.#record(request, what);
      if (result.refusal?.kind !== "limit") return this.#decided(result, request);
      refused = result.refusal;
    }
  }

  /** The findings of a gate; asked again when its conditions could not read the store. While that stays away, the evaluation fails, and is made again when the claim's lease has run out. */
  async #findings(trigger: TriggerRecord, pipeline: Pipeline): Promise<readonly PartFinding[]> {
    const { clock } = this.#core;
    for (const waitMs of UNREAD_WAITS_MS) {
      try {
        return await this.#gates.ask(pipeline, trigger, clock.now());
      } catch (error) {
        if (!isUnavailable(error)) throw error;
      }
      await clock.sleep(waitMs);
    }
    return this.#gates.ask(pipeline, trigger, clock.now());
  }

  /** Records a decision as soon as it is made and the store can be reached. One that cannot be recorded is made again: the claim's lease runs out. */
  #keep({ id, pipelineId }: TriggerRecord, decide: (what: string) => Promise<void>): void {
    this.#deciding++;
    const what = `deciding on trigger ${id} of pipeline ${pipelineId}`;
    const work = decide(what)
      .then(
        () => this.#failures.succeeded(what),
        (error: unknown) => this.#failures.failed(what, error, `${what}, which will be evaluated again after its claim expires`),
      )
      .finally(() => {
        this.#deciding--;
        this.#core.signals.wake.emit();
      });
    this.#core.clock.track?.(work, "condition", `the conditions of pipeline ${pipelineId} for trigger ${id}`);
  }

  /** Records decisions; those whose data the store rejects are recorded without the evidence of their findings. */
  async #record(request: DecideRequest, what: string): Promise<DecideResult> {
    try {
      return await this.#decisions.add(request);
    } catch (error) {
      if (!(error instanceof HeadgateError) || error.code !== "STORE_REJECTED") throw error;
      this.#failures.failed(`${what} with its evidence`, error);
      return await this.#decisions.add(withoutEvidence(request));
    }
  }

  #judged(trigger: TriggerRecord, pipeline: Pipeline, findings: readonly PartFinding[], now: number): DecideRequest {
    const { outcome, reason, recheckAt, expiresAt, limits } = decide(pipeline.gate, findings, now, trigger.expiresAt);
    const hold = outcome === "hold" ? { recheckAt, expiresAt } : null;
    const request = this.#request(trigger, outcome, reason, recordable(findings), now, hold);
    return limits.length === 0 ? request : { ...request, limits };
  }

  #bypassed(trigger: TriggerRecord, pipeline: Pipeline, reason: string, now: number): DecideRequest {
    const findings = pipeline.gate.conditions.map(
      ({ name }): Finding => ({
        condition: name,
        result: "not_evaluated",
        reason: `bypassed: ${trigger.isForced ? "forced" : "immediate"}`,
      }),
    );
    return this.#request(trigger, "run", reason, findings, now, null);
  }

  #skipOverlapping(trigger: TriggerRecord, now: number): DecideRequest {
    const taken = this.#pipelineOf(trigger)?.execution.maxActiveRuns ?? 1;
    const reason = `overlap policy is "skip" and ${taken} of ${taken} run ${taken === 1 ? "slots is" : "slots are"} in use`;
    return this.#request(trigger, "skip", reason, [], now, null);
  }

  #request(
    trigger: TriggerRecord,
    outcome: DecisionRecord["outcome"],
    reason: string,
    findings: readonly Finding[],
    now: number,
    hold: DecideRequest["hold"],
  ): DecideRequest {
    const { newId, node, settings } = this.#core;
    const decision: DecisionRecord = {
      id: newId(now),
      pipelineId: trigger.pipelineId,
      triggerId: trigger.id,
      kind: trigger.kind,
      scheduledFor: trigger.scheduledFor,
      at: now,
      outcome,
      reason,
      findings,
      missed: null,
    };
    const run = outcome === "run" ? { id: newId(now), node, leaseMs: settings.leaseMs } : null;
    return { triggerId: trigger.id, token: trigger.token, trigger, decision, run, hold };
  }

  #decided({ isAccepted, trigger, run, decision: folded }: DecideResult, request: DecideRequest): void {
    if (!isAccepted || trigger === null) return; // cancelled or superseded meanwhile: that is its recorded outcome
    const { events, clock, node } = this.#core;
    const decision = folded === undefined ? request.decision : { ...folded, at: request.decision.at }; // each look is an event, under the id of the record that keeps it
    events.emit("decision", ofDecision, decision);
    if (run !== null) {
      if (!isFirstAttemptOf(run, node)) return; // recorded by a request whose answer was lost, and over since
      events.emit("trigger.running", ofTrigger, trigger);
      events.emit("run.started", ofRun, run);
      if (run.leaseUntil > clock.now()) this.#start(run, trigger);
      else this.#startLate(run, trigger);
    } else if (trigger.status === "held" || trigger.status === "skipped")
      events.emit(`trigger.${trigger.status}`, ofBoth, { trigger, decision });
  }

  /** Starts a run whose lease has run out before its decision was answered, if nobody has closed it. */
  #startLate(run: RunRecord, trigger: TriggerRecord): void {
    const { store, clock, settings, events } = this.#core;
    const now = clock.now();
    const work = store
      .heartbeat([{ runId: run.id, token: run.token }], now + settings.leaseMs, now)
      .then(([extended]) => {
        if (extended) this.#start(extended, trigger);
      })
      .catch((error: unknown) => events.report(error, `starting run ${run.id} late; its lease has expired`));
    clock.track?.(work, "work");
  }

  #start(run: RunRecord, trigger: TriggerRecord): void {
    const pipeline = this.#pipelineOf(trigger);
    if (pipeline !== undefined) this.#runner.start(run, trigger, pipeline);
  }

  /** `undefined` when it was removed from this node after the claim: the claim's lease runs out, and another node may take it. */
  #pipelineOf(trigger: TriggerRecord): Pipeline | undefined {
    return this.#core.fireQueue.get(trigger.pipelineId)?.pipeline;
  }
}

/** The finding of a limit that the conditions do not see. */
function takenByOthers(opensAt: number): PartFinding {
  return {
    condition: "start limit",
    result: "block",
    reason: `the limit has been reached by other runs; the next run may start at ${isoUtc(opensAt)}`,
    recheckAt: opensAt,
  };
}

/** Returns true if a run is as its decision has made it: active on the node that decided, and not taken over. */
function isFirstAttemptOf({ status, token, node }: RunRecord, own: string): boolean {
  return status === "running" && token === 1 && node === own;
}

function withoutEvidence(request: DecideRequest): DecideRequest {
  const findings = request.decision.findings.map(({ evidence: _, ...finding }) => finding);
  return { ...request, decision: { ...request.decision, findings } };
}

function ofBoth({ trigger, decision }: { trigger: TriggerRecord; decision: DecisionRecord }) {
  return { ...ofTrigger(trigger), ...ofDecision(decision) };
}

/** Says what is bypassed, by whom and why; `null` when nothing is. */
function bypassOf({ kind, isForced, user, reason }: TriggerRecord): string | null {
  if (kind !== "immediate" && !isForced) return null;
  const what = isForced ? "conditions, pause and maxActiveRuns bypassed: forced" : "conditions bypassed: immediate trigger";
  return `${what} by ${user ?? "an unnamed user"}${reason === null ? "" : `: ${reason}`}`;
}
