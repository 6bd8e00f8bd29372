import { HeadgateError, messageOf } from "../base/errors.js";
import type { MeasurableProbe, Measured } from "../gate/probe.js";
import type { Core } from "./core.js";

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_BREAKER = { failures: 5, resetMs: 30_000 };
const RETRY_MS = 100;
const PROBES_KEPT = 10_000;

/** What is known of a probe. Instants are epoch ms. */
interface Known {
  at: number;
  value: Promise<Measured<unknown>>;
  failures: number;
  error: string | null;
  /** While it is left alone: until when. */
  openUntil: number;
}

/**
 * Measures probes: one measurement serves everyone who asks while it is young, and a failed one is shared too, so that an outage is not hammered. One that failed often is
 * left alone for a while, then asked once (a circuit breaker).
 */
export class Prober {
  readonly #core: Pick<Core, "clock" | "settings" | "redact">;
  readonly #known = new Map<string, Known>();

  constructor(core: Pick<Core, "clock" | "settings" | "redact">) {
    this.#core = core;
  }

  measure<T>(probe: MeasurableProbe<T>, now: number): Promise<Measured<T>> {
    const known = this.#known.get(probe.name);
    const ttlMs = probe.ttlMs ?? this.#core.settings.probeTtlMs;
    if (known !== undefined && Math.abs(now - known.at) < ttlMs) return known.value as Promise<Measured<T>>;
    if (known !== undefined && known.openUntil > now && known.openUntil - now <= (probe.breaker ?? DEFAULT_BREAKER).resetMs) {
      const until = new Date(known.openUntil).toISOString();
      const problem = `not asked until ${until}: it failed ${known.failures} times in a row`;
      return Promise.reject(new HeadgateError("PROBE_FAILED", problem, { details: { probe: probe.name } }));
    }
    const value = this.#tried(probe, now);
    if (this.#known.size >= PROBES_KEPT) this.#known.clear();
    const next: Known = { at: now, value, failures: known?.failures ?? 0, error: known?.error ?? null, openUntil: 0 };
    this.#known.set(probe.name, next);
    value.then(
      () => {
        next.failures = 0;
        next.error = null;
      },
      (error: unknown) => this.#failed(probe, next, error),
    );
    return value;
  }

  /** Probes whose last measurements failed. */
  failing(): readonly { readonly probe: string; readonly failures: number; readonly error: string | null }[] {
    return [...this.#known].flatMap(([probe, { failures, error }]) => (failures === 0 ? [] : [{ probe, failures, error }]));
  }

  #failed(probe: MeasurableProbe<unknown>, known: Known, error: unknown): void {
    known.error = this.#core.redact(messageOf(error)).slice(0, 300);
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
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      const stopTimer = this.#core.clock.setTimer(timeoutMs, () => {
        const error = new HeadgateError("PROBE_TIMED_OUT", `no answer within ${timeoutMs} ms`, { details: { probe: probe.name } });
        controller.abort(error);
        reject(error);
      });
      (async () => probe.measure({ signal: controller.signal, now }))().then(resolve, reject).finally(stopTimer);
    });
  }
}
