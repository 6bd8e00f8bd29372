import { durationMs, formatDuration } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { withTimeout } from "../../base/with-timeout.js";
import type { Condition, ConditionClock, PartFinding, RunHistory, Verdict } from "../../gate/condition.js";
import { evaluate, type GateContext } from "../../gate/evaluate.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { redactJson } from "../../run/redact.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { ConditionFailures } from "./condition-failures.js";
import { HistoryReads } from "./history-reads.js";
import { ProbeCache } from "./probe-cache.js";
import { recheckSoon } from "./recheck.js";

const DEFAULT_TIMEOUT_MS = 10_000;
const NO_FINDINGS: readonly PartFinding[] = Object.freeze([]);
/** Handed to conditions that nothing aborts: those that read only the time end before anything could, and those made of parts wait for these alone. */
const NEVER = new AbortController().signal;

/** A trigger to be evaluated by a gate. */
type Asking = Pick<TriggerRecord, "id" | "kind" | "scheduledFor" | "parameters">;

type GateEvaluatorCore = Pick<Core, "clock" | "events" | "fireQueue" | "logger" | "redact" | "settings" | "signals" | "store">;

/** Evaluates the conditions of gates: within their timeouts, with the store's history, and sharing probe results. */
export class GateEvaluator {
  readonly #core: GateEvaluatorCore;
  readonly #history: RunHistory;
  readonly #clock: ConditionClock;
  readonly #probeCache: ProbeCache;
  readonly #failures: ConditionFailures;
  /** The pipelines that each probe holds up, as far as this node has seen. */
  readonly #blocked = new Map<string, Set<string>>();

  constructor(core: GateEvaluatorCore) {
    this.#core = core;
    this.#history = {
      lastSuccessAt: async (id) => (await core.store.states([id]))[0]?.lastSuccessAt ?? null,
      countRuns: (id, from, until) => core.store.countRuns(id, from, until),
      recentStarts: (id, from, until, limit) => core.store.recentStarts(id, from, until, limit),
      countWaiting: (limit) => core.store.countWaiting(limit),
    };
    const { clock } = core;
    this.#clock = { now: () => clock.now(), sleep: (length, signal) => clock.sleep(durationMs(length, "sleep"), signal) };
    this.#probeCache = new ProbeCache(core);
    this.#failures = new ConditionFailures(core);
  }

  /** Probes whose last measurements failed. */
  failingProbes(): ReturnType<ProbeCache["failing"]> {
    return this.#probeCache.failing();
  }

  /**
   * The findings of a pipeline's gate; at once, without a promise, when its conditions need only the time. A store that cannot be read is no finding: it says nothing of what a condition is about.
   *
   * @throws HeadgateError `STORE_UNAVAILABLE`, `STORE_FULL`, `STORE_READ_ONLY` (rejects)
   */
  ask(pipeline: Pipeline, trigger: Asking, now: number): readonly PartFinding[] | Promise<readonly PartFinding[]> {
    if (pipeline.gate.conditions.length === 0) return NO_FINDINGS;
    const failed = new Set<string>();
    const reads = new HistoryReads(this.#history);
    const context: GateContext = {
      now,
      pipelineId: pipeline.id,
      trigger,
      history: reads,
      clock: this.#clock,
      measure: async (probe) => (await this.#probeCache.measure(probe, { now, pipeline })).value,
      observe: (probe, problemOf) => this.#probeCache.measure(probe, { now, pipeline, ...(problemOf === undefined ? {} : { problemOf }) }),
      onError: (condition, error) => {
        if (reads.failure !== null) return; // all of it is evaluated again
        failed.add(condition.name);
        this.#failures.failed(pipeline.id, trigger.id, condition, error);
      },
    };
    const found = evaluate(pipeline.gate, context, (condition, work) => this.#guard(condition, work));
    if (!(found instanceof Promise)) {
      this.#failures.evaluated(pipeline.id, found, failed);
      return found;
    }
    return found.then((findings) => {
      if (reads.failure !== null) throw reads.failure;
      this.#failures.evaluated(pipeline.id, findings, failed);
      return this.#noted(
        pipeline,
        findings.map((one) => this.#withoutSecrets(one)),
      );
    });
  }

  /** Records a result; a probe that blocked one pipeline and now lets another pass causes a recheck of those that it holds. */
  #noted({ id, gate }: Pipeline, findings: readonly PartFinding[]): readonly PartFinding[] {
    const well = new Set<string>();
    for (const [index, { result }] of findings.entries()) {
      if (result === "not_evaluated") continue;
      for (const probe of gate.conditions[index]?.watches?.probes ?? []) {
        const blocked = this.#blocked.get(probe);
        if (result === "block") this.#blocked.set(probe, (blocked ?? new Set()).add(id));
        else if (blocked !== undefined) {
          for (const one of blocked) if (one !== id) well.add(one);
          this.#blocked.delete(probe);
        }
      }
    }
    if (well.size > 0) recheckSoon(this.#core, [...well]);
    return findings;
  }

  /** Of conditions that ask something outside: what it answers may quote what it was asked with. */
  #withoutSecrets(finding: PartFinding): PartFinding {
    const { redact } = this.#core;
    return { ...(redactJson(finding, redact) as PartFinding), reason: redact(finding.reason, "end") };
  }

  #guard(condition: Condition, work: (signal: AbortSignal) => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
    if (condition.needs === "time") return work(NEVER);
    if (condition.parts !== undefined) return work(NEVER); // each part has a timeout of its own
    const controller = new AbortController();
    const verdict = work(controller.signal);
    if (!(verdict instanceof Promise)) return verdict;
    const timeoutMs = condition.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const error = () => new HeadgateError("CONDITION_TIMED_OUT", `no response within ${formatDuration(timeoutMs)}`);
    return withTimeout({ clock: this.#core.clock, timeoutMs, error }, (signal) => {
      signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
      return verdict;
    });
  }
}
