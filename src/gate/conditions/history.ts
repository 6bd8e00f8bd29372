import { type Duration, durationMs, formatDuration } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { isoUtc } from "../../base/instant.js";
import { type Condition, type ConditionOptions, onBlockOf } from "../condition.js";

/**
 * Passes only when the data is stale: the pipeline's last success ended longer ago than `olderThan`, or never. A backfill always passes.
 *
 * @throws HeadgateError `INVALID_DURATION`
 * @example
 * stale({ olderThan: "24h" });
 */
export function stale(options: { olderThan: Duration } & ConditionOptions): Condition {
  const limitMs = durationMs(options.olderThan, "olderThan");
  return {
    name: "stale",
    needs: "history",
    ...onBlockOf(options),
    evaluate: async ({ now, pipelineId, trigger, history }) => {
      if (trigger.kind === "backfill") return { result: "pass", reason: "a backfill asks for the past, whatever is fresh now" };
      const lastAt = await history.lastSuccessAt(pipelineId);
      if (lastAt === null) return { result: "pass", reason: "there has been no success yet" };
      const ageMs = now - lastAt;
      const evidence = { last_success_at: isoUtc(lastAt), age_ms: ageMs, limit_ms: limitMs };
      if (ageMs > limitMs) {
        return { result: "pass", reason: `data is ${formatDuration(ageMs)} old, over ${formatDuration(limitMs)}`, evidence };
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

/**
 * Passes when another pipeline has succeeded, lately if `within` is given.
 *
 * @throws HeadgateError `INVALID_DURATION`
 * @example
 * succeeded("extract", { within: "6h" });
 */
export function succeeded(pipelineId: string, options: { within?: Duration } & ConditionOptions = {}): Condition {
  const withinMs = options.within === undefined ? null : durationMs(options.within, "within");
  return {
    name: `succeeded ${pipelineId}`,
    needs: "history",
    ...onBlockOf(options),
    evaluate: async ({ now, history }) => {
      const lastAt = await history.lastSuccessAt(pipelineId);
      if (lastAt === null) return { result: "block", reason: `${pipelineId} has never succeeded` };
      const ageMs = now - lastAt;
      const evidence = { pipeline: pipelineId, last_success_at: isoUtc(lastAt), age_ms: ageMs };
      const since = `${pipelineId} succeeded ${formatDuration(Math.max(0, ageMs))} ago`;
      if (withinMs === null || ageMs <= withinMs) return { result: "pass", reason: since, evidence };
      return { result: "block", reason: `${since}, longer than ${formatDuration(withinMs)}`, evidence };
    },
  };
}

/**
 * Blocks when the pipeline has started `count` runs within the last `period` (a sliding window).
 * Counts what the store still keeps: a retention shorter than the period counts less.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` unless count is a whole number from 1, `INVALID_DURATION`
 * @example
 * maxPerPeriod({ count: 3, period: "24h" });
 */
export function maxPerPeriod(options: { count: number; period: Duration } & ConditionOptions): Condition {
  const periodMs = durationMs(options.period, "period");
  const { count } = options;
  if (!Number.isInteger(count) || count < 1) {
    throw new HeadgateError("INVALID_ARGUMENT", `maxPerPeriod: count ${count} must be a whole number from 1`);
  }
  return {
    name: "max per period",
    needs: "history",
    ...onBlockOf(options),
    evaluate: async ({ now, pipelineId, history }) => {
      const started = await history.countRuns(pipelineId, now - periodMs, now + 1);
      const evidence = { started, limit: count, period_ms: periodMs };
      const reason = `${started} of ${count} runs in ${formatDuration(periodMs)}`;
      return { result: started < count ? "pass" : "block", reason, evidence };
    },
  };
}
