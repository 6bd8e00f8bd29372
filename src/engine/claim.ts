import { decide } from "../gate/decide.js";
import type { DecisionRecord, Finding } from "../gate/finding.js";
import type { Executor } from "../ports/executor.js";
import type { DecideRequest, DecideResult } from "../ports/store.js";
import type { RunRecord } from "../run/run.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import { Batcher } from "./batcher.js";
import { type Core, executorOf } from "./core.js";
import type { GateKeeper } from "./gate-keeper.js";
import type { Pipeline } from "./pipeline.js";
import type { Runner } from "./runner.js";
import { ofDecision, ofRun, ofTrigger } from "./tell.js";

const TRIGGERS_AT_ONCE = 1_000;

/** Claims triggers in order, asks their gates, records the decisions and starts the runs. */
export class Claimer {
  readonly #core: Core;
  readonly #gates: GateKeeper;
  readonly #runner: Runner;
  readonly #decisions: Batcher<DecideRequest, DecideResult>;
  readonly #onDecided: () => void;
  #deciding = 0;

  constructor(core: Core, gates: GateKeeper, runner: Runner, onDecided: () => void) {
    this.#core = core;
    this.#gates = gates;
    this.#runner = runner;
    this.#onDecided = onDecided;
    this.#decisions = new Batcher(core, (requests) => {
      const now = core.clock.now();
      return core.store.decide(requests.map(leasedFrom(now + core.settings.leaseMs)), now);
    });
  }

  /** Claims what there is room for. Gives true when there may be more. */
  async claim(now: number): Promise<boolean> {
    const { store, node, settings, registry } = this.#core;
    const room = this.#room();
    if (room <= 0) return false;
    const claim = await store.claim(
      {
        node,
        limit: room,
        leaseUntil: now + settings.leaseMs + registry.longestGateMs,
        globalLimit: settings.maxActiveRuns,
        pools: settings.pools,
        canRun: (id) => {
          const entry = registry.get(id);
          return entry !== undefined && (this.#isSingle || this.#roomOf(executorOf(this.#core, entry.pipeline)) > 0);
        },
        judge: (trigger, isOverlapping) => (isOverlapping ? this.#skipOverlapping(trigger, now) : this.#judgedAtOnce(trigger, now)),
      },
      now,
    );
    for (const run of claim.cancelled) this.#runner.cancel(run);
    for (const { run, trigger } of claim.attempts) {
      this.#core.events.tell("run.attempt", ofRun, run);
      this.#start(run, trigger);
    }
    for (const { request, result } of claim.decided) this.#decided(result, request);
    for (const trigger of claim.triggers) this.#decideLater(trigger, now);
    const isSlotFree = claim.decided.some(({ request }) => request.run === null);
    return isSlotFree || claim.isPartial === true || claim.decided.length + claim.triggers.length + claim.attempts.length >= room;
  }

  /** Whether all pipelines have the scheduler's own executor. */
  get #isSingle(): boolean {
    return !this.#core.registry.hasOwnExecutors;
  }

  /** How many may be claimed: as many as the scheduler's executor has room for; when that is full, those of other executors. */
  #room(): number {
    const own = Math.min(TRIGGERS_AT_ONCE, this.#roomOf(this.#core.executor));
    return own > 0 || this.#isSingle ? own : TRIGGERS_AT_ONCE;
  }

  #roomOf(executor: Executor): number {
    if (executor.kind === "remote") return TRIGGERS_AT_ONCE;
    return executor.concurrency - this.#runner.sizeOf(executor) - this.#deciding;
  }

  /** `null` when it needs more than the time. */
  #judgedAtOnce(trigger: TriggerRecord, now: number): DecideRequest | null {
    const pipeline = this.#pipelineOf(trigger);
    if (pipeline === undefined) return null;
    const bypass = bypassOf(trigger);
    if (bypass !== null) return this.#bypassed(trigger, pipeline, bypass, now);
    if (pipeline.gate.conditions.some(({ needs }) => needs !== "time")) return null;
    const findings = this.#gates.ask(pipeline, trigger, now);
    return findings instanceof Promise ? null : this.#judged(trigger, pipeline, findings, now);
  }

  /** Conditions that ask the outside take their time; the line moves on meanwhile. */
  #decideLater(trigger: TriggerRecord, now: number): void {
    const pipeline = this.#pipelineOf(trigger);
    if (pipeline === undefined) return;
    const found = async () => this.#judged(trigger, pipeline, await this.#gates.ask(pipeline, trigger, now), now);
    this.#keep(found(), `the conditions of pipeline ${pipeline.id} for trigger ${trigger.id}`);
  }

  /** Records a decision as soon as it is made and the store can be reached. */
  #keep(decided: Promise<DecideRequest>, name: string): void {
    this.#deciding++;
    const work = decided
      .then(async (request) => this.#decided(await this.#decisions.add(request), request))
      .catch((error: unknown) => this.#core.events.report(error, "deciding on a trigger"))
      .finally(() => {
        this.#deciding--;
        this.#onDecided();
      });
    this.#core.clock.track?.(work, "condition", name);
  }

  #judged(trigger: TriggerRecord, pipeline: Pipeline, findings: readonly Finding[], now: number): DecideRequest {
    const { outcome, reason, recheckAt, expiresAt } = decide(pipeline.gate, findings, now);
    return this.#request(trigger, outcome, reason, findings, now, outcome === "hold" ? { recheckAt, expiresAt } : null);
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
    const reason = `overlap is skip and all ${taken} of its runs are taken`;
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
    const run = outcome === "run" ? { id: newId(now), node, leaseUntil: now + settings.leaseMs } : null;
    return { triggerId: trigger.id, token: trigger.token, trigger, decision, run, hold };
  }

  #decided({ isAccepted, trigger, run }: DecideResult, request: DecideRequest): void {
    if (!isAccepted || trigger === null) return; // cancelled or superseded meanwhile: that is its recorded outcome
    const { events } = this.#core;
    const { decision } = request;
    events.tell("decision", ofDecision, decision);
    if (run !== null) {
      events.tell("trigger.running", ofTrigger, trigger);
      events.tell("run.started", ofRun, run);
      this.#start(run, trigger);
    } else events.tell(trigger.status === "held" ? "trigger.held" : "trigger.skipped", ofBoth, { trigger, decision });
  }

  #start(run: RunRecord, trigger: TriggerRecord): void {
    const pipeline = this.#pipelineOf(trigger);
    if (pipeline !== undefined) this.#runner.start(run, trigger, pipeline);
  }

  /** `undefined` when it was removed from this node after the claim: the claim's lease runs out, and another node may take it. */
  #pipelineOf(trigger: TriggerRecord): Pipeline | undefined {
    return this.#core.registry.get(trigger.pipelineId)?.pipeline;
  }
}

/** A decision that took its time, or waited for the store, starts its run with a whole lease. */
function leasedFrom(leaseUntil: number): (request: DecideRequest) => DecideRequest {
  return (request) => (request.run === null ? request : { ...request, run: { ...request.run, leaseUntil } });
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
