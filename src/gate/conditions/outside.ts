import { HeadgateError, messageOf } from "../../base/errors.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import {
  CONDITION_OPTIONS,
  type Condition,
  type ConditionContext,
  type ConditionOptions,
  checkedOnError,
  onBlockOf,
  type Verdict,
} from "../condition.js";
import { checkProbe, longestMs, type MeasurableProbe } from "../probe.js";

/** Options of conditions that ask the outside. */
export interface OutsideConditionOptions extends ConditionOptions {
  /** Result of a failing probe. Default `"block"`. */
  onError?: "pass" | "block";
}

export const OUTSIDE_OPTIONS: OptionNames<OutsideConditionOptions> = { ...CONDITION_OPTIONS, onError: true };

/** Health of an external system. */
export interface Health {
  readonly isHealthy: boolean;
  /** Its problem, or its response. */
  readonly reason?: string;
  /** Its response, for people and programs; no secrets. */
  readonly evidence?: Readonly<Record<string, unknown>>;
}

/**
 * Passes when everything that it asks is healthy. A probe that fails or times out is not, unless `onError` is `"pass"`.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when no probe is given
 * @example
 * healthy({ probes: [httpProbe({ url: "https://warehouse.example/health" }), tcpProbe({ host: "db.example", port: 5432 })] });
 */
export function healthy(options: { probes: readonly MeasurableProbe<boolean | Health>[] } & OutsideConditionOptions): Condition {
  checkOptions(options, { ...OUTSIDE_OPTIONS, probes: true }, "healthy");
  const { probes } = options;
  if (!Array.isArray(probes) || probes.length === 0) throw new HeadgateError("INVALID_ARGUMENT", "healthy: must have at least one probe");
  for (const [index, one] of probes.entries()) checkProbe(one, `healthy: probes[${index}]`);
  return conditionOn("healthy", probes, options, (context) =>
    Promise.all(probes.map((probe) => healthOf(probe, options.onError, context))),
  );
}

/**
 * Passes when there is enough to do, and not too much: by a probe that counts, such as rows that wait.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` unless `min` or `max` is a number
 * @example
 * dataVolume({ source: sqlNumber({ url, query: "SELECT count(*) FROM inbox" }), min: 1_000 });
 */
export function dataVolume(options: { source: MeasurableProbe<number>; min?: number; max?: number } & OutsideConditionOptions): Condition {
  checkOptions(options, { ...OUTSIDE_OPTIONS, source: true, min: true, max: true }, "dataVolume");
  checkProbe(options.source, "dataVolume: source");
  const { source, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = options;
  const onError = checkedOnError(options.onError, "dataVolume") ?? "block";
  if (!(min <= max) || (options.min === undefined && options.max === undefined))
    throw new HeadgateError("INVALID_ARGUMENT", "dataVolume: provide min and/or max, with min ≤ max");
  return {
    name: "data volume",
    needs: "outside",
    onError,
    timeoutMs: longestMs([source]),
    watches: { probes: [source.name] },
    ...onBlockOf(options, "dataVolume"),
    evaluate: async ({ observe }) => {
      const { value, latencyMs } = await observe(source);
      if (!Number.isFinite(value)) throw new Error(`${source.name} gave ${JSON.stringify(value)} instead of a number`);
      const evidence = { source: source.name, value, min: options.min ?? null, max: options.max ?? null, latency_ms: latencyMs };
      if (value < min) return { result: "block", reason: `${source.name}: ${value}, at least ${min} are worth a run`, evidence };
      if (value > max) return { result: "block", reason: `${source.name}: ${value}, over ${max}`, evidence };
      return { result: "pass", reason: `${source.name}: ${value}`, evidence };
    },
  };
}

/** Result of one probe, as part of a finding. */
export interface Measured {
  readonly name: string;
  readonly isGood: boolean;
  readonly reason: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** A condition of several probes, each of which must be good. */
export function conditionOn(
  name: string,
  probes: readonly MeasurableProbe<unknown>[],
  options: OutsideConditionOptions,
  ask: (context: ConditionContext) => Promise<readonly Measured[]>,
): Condition {
  return {
    name,
    needs: "outside",
    onError: checkedOnError(options.onError, name) ?? "block",
    timeoutMs: longestMs(probes),
    watches: { probes: probes.map((one) => one.name) },
    ...onBlockOf(options, name),
    evaluate: async (context) => verdictOf(await ask(context)),
  };
}

function verdictOf(measured: readonly Measured[]): Verdict {
  const bad = measured.filter(({ isGood }) => !isGood);
  const reasonsOf = (some: readonly Measured[]) => some.map(({ name, reason }) => `${name} ${reason}`).join("; ");
  return {
    result: bad.length === 0 ? "pass" : "block",
    reason: reasonsOf(bad.length === 0 ? measured : bad),
    evidence: { probes: measured.map(({ name, isGood, reason, evidence }) => ({ name, is_good: isGood, reason, ...evidence })) },
  };
}

/** Returns what is wrong with what a probe answered; `null` when it is healthy. */
function problemOf(value: boolean | Health): string | null {
  if (value === true) return null;
  if (typeof value !== "object" || value === null) return "is not healthy";
  return value.isHealthy === true ? null : (value.reason ?? "is not healthy");
}

/** Returns the health that a probe reports; a failing probe counts as `onError` says. */
export async function healthOf(
  probe: MeasurableProbe<boolean | Health>,
  onError: "pass" | "block" = "block",
  { observe }: Pick<ConditionContext, "observe">,
): Promise<Measured> {
  const { name } = probe;
  try {
    const { value, latencyMs } = await observe(probe, problemOf);
    const { isHealthy, reason, evidence } = typeof value === "boolean" ? { isHealthy: value, reason: undefined, evidence: {} } : value;
    if (typeof isHealthy !== "boolean") throw new Error(`returned ${JSON.stringify(value)} instead of a boolean or a health`);
    return {
      name,
      isGood: isHealthy,
      reason: reason ?? (isHealthy ? "is healthy" : "is not healthy"),
      evidence: { ...evidence, latency_ms: latencyMs },
    };
  } catch (error) {
    const problem = messageOf(error).slice(0, 300);
    const isGood = onError === "pass";
    return { name, isGood, reason: isGood ? `${problem}, which counts as pass` : problem, evidence: { error: problem } };
  }
}
