import { formatDuration } from "../../base/duration.js";
import { HeadgateError, messageOf } from "../../base/errors.js";
import { withTimeout } from "../../base/with-timeout.js";
import type { MeasurableProbe, Measured } from "../../gate/probe.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { Core } from "../context/core.js";

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_BREAKER = { failures: 5, resetMs: 30_000 };
const RETRY_MS = 100;
const PROBES_KEPT = 10_000;

/** State of a probe. Instants are epoch ms. */
interface Known {
  at: number;
  value: Promise<Measured<unknown>>;
  /** Measurements in a row that threw: they open the circuit breaker. */
  failures: number;
  /** Measurements in a row that threw or were unhealthy, and what was wrong with the last one. */
  unhealthy: number;
  /** The same before this measurement. */
  unhealthyBefore: number;
  error: string | null;
  /** True if this measurement was judged: several conditions share it, and it counts once. */
  isJudged: boolean;
  /** The pipelines whose conditions asked for it, as they were then. */
  readonly askedFor: Map<string, Pipeline>;
  /** While it is left alone: until when. */
  openUntil: number;
}

type ProbeCacheCore = Pick<Core, "clock" | "fireQueue" | "redact" | "settings">;

/**
 * Measures probes: one measurement serves everyone who asks while it is young, and a failed one is shared too, so that an outage is not hammered. One that failed often is
 * left alone for a while, then asked once (a circuit breaker).
 */
export class ProbeCache {
  readonly #core: ProbeCacheCore;
  readonly #known = new Map<string, Known>();

  constructor(core: ProbeCacheCore) {
    this.#core = core;
  }

  /**
   * Measures a probe, or shares a measurement that is young enough.
   *
   * @param problemOf - what is wrong with a value that was measured; `null` when nothing is. Such measurements count as failing, though they open no circuit breaker
   */
  measure<T>(
    probe: MeasurableProbe<T>,
    { now, pipeline, problemOf }: { now: number; pipeline: Pipeline; problemOf?: (value: T) => string | null },
  ): Promise<Measured<T>> {
    const value = this.#shared(probe, now);
    const known = this.#known.get(probe.name);
    known?.askedFor.set(pipeline.id, pipeline);
    if (known === undefined || known.value !== value || problemOf === undefined) return value;
    return value.then((measured) => {
      if (known.isJudged) return measured;
      known.isJudged = true;
      const problem = problemOf(measured.value);
      if (problem !== null) this.#unhealthy(known, problem);
      return measured;
    });
  }

  #shared<T>(probe: MeasurableProbe<T>, now: number): Promise<Measured<T>> {
    const known = this.#known.get(probe.name);
    const ttlMs = probe.ttlMs ?? this.#core.settings.probeTtlMs;
    if (known !== undefined && Math.abs(now - known.at) < ttlMs) return known.value as Promise<Measured<T>>;
    if (known !== undefined && known.openUntil > now && known.openUntil - now <= (probe.breaker ?? DEFAULT_BREAKER).resetMs) {
      const until = new Date(known.openUntil).toISOString();
      const problem = `not called again until ${until}: it failed ${known.failures} times in a row`;
      return Promise.reject(new HeadgateError("PROBE_FAILED", problem, { details: { probe: probe.name } }));
    }
    const value = this.#tried(probe, now);
    if (this.#known.size >= PROBES_KEPT) this.#known.clear();
    const { failures = 0, unhealthy = 0, error = null, askedFor = new Map<string, Pipeline>() } = known ?? {};
    const next: Known = { at: now, value, failures, unhealthy, unhealthyBefore: unhealthy, error, isJudged: false, askedFor, openUntil: 0 };
    this.#known.set(probe.name, next);
    value.then(
      () => {
        next.failures = 0;
        next.unhealthy = 0; // until a condition that asked says otherwise
      },
      (error: unknown) => this.#failed(probe, next, error),
    );
    return value;
  }

  /** Probes whose last measurements failed or were unhealthy, as far as pipelines still ask for them. */
  failing(): readonly { readonly probe: string; readonly failures: number; readonly error: string | null }[] {
    return [...this.#known].flatMap(([probe, known]) => {
      const failures = Math.max(known.failures, known.unhealthy);
      return failures === 0 || !this.#isAskedFor(probe, known) ? [] : [{ probe, failures, error: known.error }];
    });
  }

  /** A pipeline that was removed, or whose conditions were replaced by others, no longer asks. */
  #isAskedFor(probe: string, { askedFor }: Known): boolean {
    for (const [id, asked] of askedFor) {
      const pipeline = this.#core.fireQueue.get(id)?.pipeline;
      if (pipeline === undefined) continue;
      if (pipeline === asked || pipeline.gate.conditions.some(({ watches }) => watches?.probes?.includes(probe))) return true;
    }
    return false;
  }

  #unhealthy(known: Known, problem: string): void {
    known.unhealthy = known.unhealthyBefore + 1;
    known.error = this.#core.redact(problem).slice(0, 300);
  }

  #failed(probe: MeasurableProbe<unknown>, known: Known, error: unknown): void {
    this.#unhealthy(known, messageOf(error));
    const { failures, resetMs } = probe.breaker ?? DEFAULT_BREAKER;
    known.failures++;
    if (probe.breaker !== null && known.failures >= failures) known.openUntil = this.#core.clock.now() + resetMs;
  }

  async #tried<T>(probe: MeasurableProbe<T>, now: number): Promise<Measured<T>> {
    const { clock } = this.#core;
    const began = clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      try {
        const value = await this.#once(probe, now);
        return { value, at: now, latencyMs: Math.round(clock.monotonic() - began) };
      } catch (error) {
        if (attempt >= (probe.retries ?? 0)) throw error;
        await clock.sleep(RETRY_MS * 2 ** Math.min(attempt, 10));
      }
    }
  }

  #once<T>(probe: MeasurableProbe<T>, now: number): Promise<T> {
    const timeoutMs = probe.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const error = () =>
      new HeadgateError("PROBE_TIMED_OUT", `no response within ${formatDuration(timeoutMs)}`, { details: { probe: probe.name } });
    return withTimeout({ clock: this.#core.clock, timeoutMs, error }, (signal) => probe.measure({ signal, now }));
  }
}
