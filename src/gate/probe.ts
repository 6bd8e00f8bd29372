import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";

/** The part of a probe that a condition sees; see the port `Probe`. */
export interface MeasurableProbe<T> extends ProbePolicy {
  /** Probes of one name are one probe: what is measured for one pipeline is shared with the others for a short time. */
  readonly name: string;
  measure(options: { readonly signal: AbortSignal; readonly now: number }): Promise<T> | T;
}

/** Policy for a probe's measurements. Lengths in ms. */
export interface ProbePolicy {
  /** Time a measurement may take. Default 10,000. */
  readonly timeoutMs?: number;
  /** Immediate retries after a failure. Default 0. */
  readonly retries?: number;
  /** Time a value is shared. Default: the scheduler's `probeTtl`, 5 s. */
  readonly ttlMs?: number;
  /** After so many failed measurements in a row it is not asked for a while. `null`: always asked. Default 5 and 30,000. */
  readonly breaker?: CircuitBreaker | null;
}

/** When an address that does not answer is left alone for a while, so that nobody waits for it and it is not hammered. */
export interface CircuitBreaker {
  readonly failures: number;
  /** For how long it is not asked; then once. */
  readonly resetMs: number;
}

/** A measurement with its instant (epoch ms) and duration. */
export interface Measured<T> {
  readonly value: T;
  readonly at: number;
  readonly latencyMs: number;
}

/** Options that every built-in probe takes. */
export interface ProbeOptions {
  /** Name in findings. Default: what it measures. */
  name?: string;
  /** Time a measurement may take. Default `"5s"`. */
  timeout?: Duration;
  /** Immediate retries after a failure. Default 1. */
  retries?: number;
  /** Time a value is shared between conditions and pipelines. Default: the scheduler's `probeTtl`, 5 s. */
  ttl?: Duration;
  /** After `failures` in a row it is not asked for `reset`; `null`: always asked. Default `{ failures: 5, reset: "30s" }`. */
  breaker?: { failures?: number; reset?: Duration } | null;
}

export const PROBE_OPTIONS: OptionNames<ProbeOptions> = { name: true, timeout: true, retries: true, ttl: true, breaker: true };

/**
 * Refuses what is no probe.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export function checkProbe(probe: MeasurableProbe<unknown>, where: string): void {
  if (typeof probe?.measure === "function" && typeof probe.name === "string") return;
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: must be a probe such as httpProbe(…) (got ${shown(probe)})`);
}

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function policyOf(options: ProbeOptions, where: string): ProbePolicy {
  const whole = (value: number, name: string, least: number) => {
    checkInteger(value, { least, most: 1_000 }, name, invalidArgument(where));
    return value;
  };
  const { breaker = {} } = options;
  if (breaker !== null) checkOptions(breaker, { failures: true, reset: true }, `${where}: breaker`);
  if (options.name !== undefined && (typeof options.name !== "string" || options.name === ""))
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: name: must be a string (got ${shown(options.name)})`);
  return {
    timeoutMs: durationMs(options.timeout ?? "5s", `${where}: timeout`),
    retries: whole(options.retries ?? 1, "retries", 0),
    ...(options.ttl === undefined ? {} : { ttlMs: durationMs(options.ttl, `${where}: ttl`) }),
    breaker:
      breaker === null
        ? null
        : {
            failures: whole(breaker.failures ?? 5, "breaker.failures", 1),
            resetMs: durationMs(breaker.reset ?? "30s", `${where}: breaker.reset`),
          },
  };
}

/** The longest that probes of one condition may take, asked at once, ms. */
export function longestMs(probes: readonly ProbePolicy[]): number {
  const one = ({ timeoutMs = 10_000, retries = 0 }: ProbePolicy) => timeoutMs * (retries + 1) + 100 * 2 ** Math.min(retries, 10);
  return Math.max(0, ...probes.map(one)) + 1_000;
}
