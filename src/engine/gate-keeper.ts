import { HeadgateError } from "../base/errors.js";
import type { Condition, ConditionContext, MeasurableProbe, RunHistory, Verdict } from "../gate/condition.js";
import { evaluate } from "../gate/evaluate.js";
import type { Finding } from "../gate/finding.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import type { Core } from "./core.js";
import type { Pipeline } from "./pipeline.js";

const DEFAULT_TIMEOUT_MS = 10_000;
const NO_FINDINGS: readonly Finding[] = Object.freeze([]);
/** Handed to conditions that read only the time: they end before anything could abort. */
const NEVER = new AbortController().signal;

/** What a gate wants to know of a trigger. */
type Asking = Pick<TriggerRecord, "id" | "kind" | "scheduledFor" | "parameters">;

interface Measured {
  readonly at: number;
  readonly value: Promise<unknown>;
}

/** Asks the conditions of gates: within their timeouts, with the history of the store, sharing what probes measure. */
export class GateKeeper {
  readonly #core: Core;
  readonly #history: RunHistory;
  readonly #measured = new Map<string, Measured>();

  constructor(core: Core) {
    this.#core = core;
    this.#history = {
      lastSuccessAt: async (id) => (await core.store.states([id]))[0]?.lastSuccessAt ?? null,
      countRuns: (id, from, until) => core.store.countRuns(id, from, until),
    };
  }

  /** The findings of a pipeline's gate; at once, without a promise, when its conditions need only the time. */
  ask(pipeline: Pipeline, trigger: Asking, now: number): readonly Finding[] | Promise<readonly Finding[]> {
    if (pipeline.gate.conditions.length === 0) return NO_FINDINGS;
    const context: Omit<ConditionContext, "signal"> = {
      now,
      pipelineId: pipeline.id,
      trigger,
      history: this.#history,
      measure: (probe) => this.#measure(probe, now),
    };
    return evaluate(pipeline.gate, context, (condition, work) => this.#guard(condition, work));
  }

  #guard(condition: Condition, work: (signal: AbortSignal) => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
    if (condition.needs === "time") return work(NEVER);
    const controller = new AbortController();
    const verdict = work(controller.signal);
    if (!(verdict instanceof Promise)) return verdict;
    const timeoutMs = condition.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const stopTimer = this.#core.clock.setTimer(timeoutMs, () => {
        const error = new HeadgateError("CONDITION_TIMED_OUT", `no answer within ${timeoutMs} ms`);
        controller.abort(error);
        reject(error);
      });
      verdict.then(resolve, reject).finally(stopTimer);
    });
  }

  /** One measurement of a probe serves everyone who asks while it is young; a failed one is shared too, so that an outage is not hammered. */
  #measure<T>(probe: MeasurableProbe<T>, now: number): Promise<T> {
    const known = this.#measured.get(probe.name);
    if (known !== undefined && Math.abs(now - known.at) < this.#core.settings.probeTtlMs) return known.value as Promise<T>;
    const value = (async () => probe.measure({ signal: NEVER, now }))();
    value.catch(() => {}); // told by whoever awaits it
    if (this.#measured.size >= 10_000) this.#measured.clear();
    this.#measured.set(probe.name, { at: now, value });
    return value;
  }
}
