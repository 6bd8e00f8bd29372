import { type Duration, durationMs, formatDuration } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { epochMs, type Instant, isoUtc } from "../../base/instant.js";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import { CONDITION_OPTIONS, type Condition, type ConditionOptions, checkedOnError, onBlockOf } from "../condition.js";
import { checkProbe, longestMs, type MeasurableProbe } from "../probe.js";
import { opensAt, type StartLimit, spanOf } from "../start-limit.js";

/** Options of {@link stale}. */
export interface StaleOptions extends ConditionOptions {
  /** Maximum age of the data. */
  olderThan: Duration;
  /** A probe for when the data was made: an instant, or `null` when there is none yet. Default: the pipeline's last success. */
  source?: MeasurableProbe<Instant | null>;
  /** Result of a source that cannot be read. Default `"pass"`: data of unknown age counts as stale. */
  onError?: "pass" | "block";
}

/**
 * Passes only when the data is stale: made longer ago than `olderThan`, or never. A backfill always passes.
 *
 * @throws HeadgateError `INVALID_DURATION`
 * @example
 * stale({ olderThan: "24h" });
 * stale({ olderThan: "6h", source: httpTimestamp({ url: "https://data.example/status", path: "updated_at" }) });
 */
export function stale(options: StaleOptions): Condition {
  checkOptions(options, { ...CONDITION_OPTIONS, olderThan: true, source: true, onError: true }, "stale");
  const onError = checkedOnError(options.onError, "stale") ?? "pass";
  const limitMs = durationMs(options.olderThan, "olderThan");
  const { source } = options;
  if (source !== undefined) checkProbe(source, "stale: source");
  return {
    name: "stale",
    needs: source === undefined ? "history" : "outside",
    readsOwnRuns: source === undefined,
    declares: { olderThanMs: limitMs },
    ...onBlockOf(options, "stale"),
    ...(source === undefined ? {} : { source, onError, timeoutMs: longestMs([source]), watches: { probes: [source.name] } }),
    evaluate: async ({ now, pipelineId, trigger, history, measure }) => {
      if (trigger.kind === "backfill") return { result: "pass", reason: "a backfill is for past data, so freshness does not matter" };
      const madeAt = source === undefined ? await history.lastSuccessAt(pipelineId) : await measure(source);
      if (madeAt === null)
        return { result: "pass", reason: source === undefined ? "there has been no success yet" : "there is no data yet" };
      const lastAt = epochMs(madeAt, source?.name ?? "last success");
      const ageMs = now - lastAt;
      const evidence = {
        ...(source === undefined ? { last_success_at: isoUtc(lastAt) } : { source: source.name, made_at: isoUtc(lastAt) }),
        age_ms: ageMs,
        limit_ms: limitMs,
      };
      if (ageMs > limitMs) {
        return { result: "pass", reason: olderThan(ageMs, limitMs), evidence };
      }
      return {
        result: "block",
        reason: `data is fresh: ${formatDuration(Math.max(0, ageMs))} old, limit ${formatDuration(limitMs)}`,
        evidence,
        recheckAt: lastAt + limitMs + 1,
      };
    },
  };
}

/** An age just beyond the limit may look like it. */
function olderThan(ageMs: number, limitMs: number): string {
  const [age, limit] = [formatDuration(ageMs), formatDuration(limitMs)];
  return age === limit ? `data is more than ${limit} old` : `data is ${age} old, over ${limit}`;
}

/**
 * Passes when another pipeline has succeeded, lately if `within` is given.
 *
 * @throws HeadgateError `INVALID_DURATION`
 * @example
 * succeeded("extract", { within: "6h" });
 */
export function succeeded(pipelineId: string, options: { within?: Duration } & ConditionOptions = {}): Condition {
  checkOptions(options, { ...CONDITION_OPTIONS, within: true }, "succeeded");
  if (typeof pipelineId !== "string" || pipelineId === "")
    throw new HeadgateError("INVALID_ARGUMENT", `succeeded: must be the id of a pipeline (got ${shown(pipelineId)})`);
  const withinMs = options.within === undefined ? null : durationMs(options.within, "within");
  return {
    name: `succeeded ${pipelineId}`,
    needs: "history",
    watches: { pipelines: [pipelineId] },
    ...onBlockOf(options, "succeeded"),
    evaluate: async ({ now, history }) => {
      const lastAt = await history.lastSuccessAt(pipelineId);
      if (lastAt === null) return { result: "block", reason: `${pipelineId} has never succeeded` };
      const ageMs = now - lastAt;
      const evidence = { pipeline: pipelineId, last_success_at: isoUtc(lastAt), age_ms: ageMs };
      const since = `${pipelineId} succeeded ${formatDuration(Math.max(0, ageMs))} ago`;
      if (withinMs === null) return { result: "pass", reason: since, evidence };
      if (ageMs <= withinMs) return { result: "pass", reason: since, evidence, recheckAt: lastAt + withinMs + 1 };
      return { result: "block", reason: `${since}, longer than ${formatDuration(withinMs)}`, evidence };
    },
  };
}

/** A slot that opens so soon is waited for: at most this, and at most so small a part of the period. */
const SOON_MS = 60_000;
const SOON_PART = 1_000;

/**
 * Blocks when the pipeline has started `count` runs within the last `period`, a sliding window that is half open: a run that started exactly a period ago counts no more.
 * A limit: the store counts again, with its lock held, when it starts the run, so that no window has more than `count` starts, whatever other nodes decide at the same time. Runs of immediate and
 * forced triggers start all the same, and count.
 *
 * A hold is looked at when the next slot opens. A slot that opens within a thousandth of the period, at most a minute, is waited for even where the policy is to skip, so that a daily run that started a little
 * late yesterday does not keep out today's. Counts what the store still keeps: a retention shorter than the period counts less.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` unless count is an integer ≥ 1, `INVALID_DURATION`
 * @example
 * maxPerPeriod({ count: 3, period: "24h" });
 */
export function maxPerPeriod(options: { count: number; period: Duration } & ConditionOptions): Condition {
  checkOptions(options, { ...CONDITION_OPTIONS, count: true, period: true }, "maxPerPeriod");
  const periodMs = durationMs(options.period, "period");
  const { count } = options;
  checkInteger(count, { least: 1 }, "count", invalidArgument("maxPerPeriod"));
  const limit: StartLimit = { count, periodMs };
  const soonMs = Math.min(SOON_MS, periodMs / SOON_PART);
  return {
    name: "max per period",
    needs: "history",
    readsOwnRuns: true,
    ...onBlockOf(options, "maxPerPeriod"),
    evaluate: async ({ now, pipelineId, history }) => {
      const { from, until } = spanOf(limit, now);
      const starts = await history.recentStarts(pipelineId, from, until, count);
      const nextAt = opensAt(limit, starts);
      const evidence = { started: starts.count, limit: count, period_ms: periodMs };
      const reason = `${starts.count} of ${count} runs in ${formatDuration(periodMs)}`;
      if (nextAt === null) return { result: "pass", reason, evidence, limits: [limit] };
      const soon = nextAt - now <= soonMs ? ({ onBlock: "hold" } as const) : {};
      return { result: "block", reason: `${reason}; the next may start ${isoUtc(nextAt)}`, evidence, recheckAt: nextAt, ...soon };
    },
  };
}
