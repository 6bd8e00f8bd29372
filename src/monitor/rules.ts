import { comparedDurations, type Duration, durationMs, formatDuration } from "../base/duration.js";
import { HeadgateError, quote } from "../base/errors.js";
import { isoUtc } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { percent } from "../base/share.js";
import type { AlertReason, AlertRule, PipelineRule, PipelineSnapshot, RuleViolation, SchedulerRule, Severity, Snapshot } from "./alert.js";
import { SEVERITIES } from "./alert.js";

/** Options that every rule takes. */
export interface RuleOptions {
  /** Default: the rule's own. Give another to have a rule twice. */
  name?: string;
  /** `"info"`, `"warning"` or `"critical"`. Default: the rule's own. */
  severity?: Severity;
  /** Time the rule must be violated before the alert fires. Default 0. */
  for?: Duration;
  /** Interval at which the notification is repeated while the alert persists. Default `null`: never. */
  repeatEvery?: Duration | null;
  /** Passed on with the alert to its receivers. Default none. */
  labels?: Readonly<Record<string, string>>;
}

/** Options of rules that look at pipelines. */
export interface PipelineRuleOptions extends RuleOptions {
  /** Only these pipelines, or those with one of these tags. Default: all. */
  pipelines?: readonly string[];
  /** See `pipelines`. Default: all pipelines. */
  tags?: readonly string[];
}

const RULE_OPTIONS: OptionNames<RuleOptions> = { name: true, severity: true, for: true, repeatEvery: true, labels: true };
const PIPELINE_RULE_OPTIONS: OptionNames<PipelineRuleOptions> = { ...RULE_OPTIONS, pipelines: true, tags: true };

/** Looks at one pipeline. */
export type PipelineCheck = (pipeline: PipelineSnapshot, snapshot: Snapshot) => RuleViolation | null;

/**
 * Creates a custom rule about each pipeline: `null` while all is well.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * pipelineRule("slow start", ({ statistics: { lag } }) => (lag !== null && lag.p95 > 60_000 ? { message: `p95 ${lag.p95} ms`, value: lag.p95 } : null));
 */
export function pipelineRule(name: string, check: PipelineCheck, options: PipelineRuleOptions = {}): PipelineRule {
  checkOptions(options, PIPELINE_RULE_OPTIONS, "pipelineRule");
  return ofPipelines(name, "warning", null, options, check);
}

/**
 * Creates a custom rule about the scheduler as a whole: a list of violations, each with its own `key` if there may be several.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function schedulerRule(
  name: string,
  check: (snapshot: Snapshot) => readonly RuleViolation[],
  options: RuleOptions = {},
): SchedulerRule {
  checkOptions(options, RULE_OPTIONS, "schedulerRule");
  return { scope: "scheduler", ...baseOf(name, "warning", options), check };
}

/**
 * A fire time that nobody has acted on for longer than `tolerance` (default `"5m"`), though its pipeline is not paused and nothing holds it; or one that was dropped by catchup within the last
 * `remember` (default `"1h"`).
 */
export function missedSchedule(options: PipelineRuleOptions & { tolerance?: Duration; remember?: Duration } = {}): PipelineRule {
  checkOptions(options, { ...PIPELINE_RULE_OPTIONS, tolerance: true, remember: true }, "missedSchedule");
  const toleranceMs = durationMs(options.tolerance ?? "5m", "missedSchedule: tolerance");
  const rememberMs = durationMs(options.remember ?? "1h", "missedSchedule: remember");
  return ofPipelines("missed_schedule", "critical", null, options, (pipeline, { now }) => {
    const { nextFireAt, oldestPendingFireTimeAt, isPaused, statistics } = pipeline;
    if (isPaused) return null;
    const due = Math.min(nextFireAt ?? Number.POSITIVE_INFINITY, oldestPendingFireTimeAt ?? Number.POSITIVE_INFINITY);
    const lateMs = now - due;
    if (lateMs > toleranceMs)
      return { message: `the fire time ${isoUtc(due)} is ${formatDuration(lateMs)} late`, value: lateMs, limit: toleranceMs };
    const { lastMissedAt, missed, windowMs } = statistics;
    if (lastMissedAt === null || now - lastMissedAt.getTime() > rememberMs) return null;
    return {
      message: `${missed} fire times were dropped in ${formatDuration(windowMs)}, the last at ${lastMissedAt.toISOString()}`,
      value: missed,
      limit: 0,
    };
  });
}

/** A run active for longer than `limit`, or than `factor` times the p95 of its own pipeline (default 3, once there are `minRuns`, 10). */
export function longRunning(options: PipelineRuleOptions & { limit?: Duration; factor?: number; minRuns?: number } = {}): PipelineRule {
  checkOptions(options, { ...PIPELINE_RULE_OPTIONS, limit: true, factor: true, minRuns: true }, "longRunning");
  const { factor = 3, minRuns = 10 } = options;
  const fixedMs = options.limit === undefined ? null : durationMs(options.limit, "longRunning: limit");
  return ofPipelines("long_running", "warning", null, options, ({ activeRuns, statistics: { duration } }, { now }) => {
    const run = oldestOf(activeRuns, ({ startedAt }) => startedAt);
    if (run === null) return null;
    const usualMs = duration !== null && duration.count >= minRuns ? duration.p95 * factor : null;
    const limit = fixedMs ?? usualMs;
    const value = now - run.startedAt;
    if (limit === null || value <= limit) return null;
    const [active, most] = comparedDurations(value, limit);
    const what = fixedMs === null ? `${factor} times its p95, ${most}` : most;
    return { message: `a run has been active for ${active}, over ${what}`, value, limit, concerns: { runId: run.id } };
  });
}

/** A fire time whose run had not succeeded when its pipeline's `sla` was over. Switched by `alertOn: ["sla_miss"]`. */
export function slaMissed(options: PipelineRuleOptions = {}): PipelineRule {
  checkOptions(options, PIPELINE_RULE_OPTIONS, "slaMissed");
  return ofPipelines("sla_missed", "critical", "sla_miss", options, (pipeline, { now }) => slaOf(pipeline, now, 0, "was missed"));
}

/** A fire time whose `sla` will be over within `within` (default `"15m"`, at most half of the sla), its run not having succeeded yet. Switched by `alertOn: ["sla_miss"]`. */
export function slaAtRisk(options: PipelineRuleOptions & { within?: Duration } = {}): PipelineRule {
  checkOptions(options, { ...PIPELINE_RULE_OPTIONS, within: true }, "slaAtRisk");
  const withinMs = durationMs(options.within ?? "15m", "slaAtRisk: within");
  return ofPipelines("sla_at_risk", "warning", "sla_miss", options, (pipeline, { now }) => {
    const earlyMs = Math.min(withinMs, (pipeline.slaMs ?? 0) / 2);
    return slaOf(pipeline, now, 0, "") === null ? slaOf(pipeline, now, earlyMs, "is at risk") : null;
  });
}

function slaOf(
  { slaMs, activeRuns, oldestFireTimeAt }: PipelineSnapshot,
  now: number,
  earlyMs: number,
  what: string,
): RuleViolation | null {
  if (slaMs === null) return null;
  const run = oldestOf(activeRuns, ({ scheduledFor }) => scheduledFor);
  const oldest = Math.min(run?.scheduledFor ?? Number.POSITIVE_INFINITY, oldestFireTimeAt ?? Number.POSITIVE_INFINITY);
  if (now <= oldest + slaMs - earlyMs) return null;
  const value = now - oldest;
  const [age, sla] = comparedDurations(value, slaMs);
  return {
    message: `the SLA of ${sla} ${what}: the fire time ${isoUtc(oldest)} is ${age} old`,
    value,
    limit: slaMs,
    ...(run?.scheduledFor === oldest ? { concerns: { runId: run.id } } : {}),
  };
}

/** The last run failed; over with the next success. Switched by `alertOn: ["failure"]`. */
export function runFailed(options: PipelineRuleOptions = {}): PipelineRule {
  checkOptions(options, PIPELINE_RULE_OPTIONS, "runFailed");
  return ofPipelines("run_failed", "critical", "failure", options, ({ statistics: { consecutiveFailures: failures, lastFailureAt } }) =>
    failures === 0
      ? null
      : {
          message: `${failures === 1 ? "the last run" : `the last ${failures} runs`} failed, at ${lastFailureAt?.toISOString()}`,
          value: failures,
          limit: 0,
          concerns: "last_failure",
        },
  );
}

/** Runs in the window needed more than one attempt. Switched by `alertOn: ["retry"]`. */
export function runRetried(options: PipelineRuleOptions = {}): PipelineRule {
  checkOptions(options, PIPELINE_RULE_OPTIONS, "runRetried");
  return ofPipelines("run_retried", "info", "retry", options, ({ statistics: { retries, windowMs } }) =>
    retries === 0 ? null : { message: `${retries} attempts were repeated in ${formatDuration(windowMs)}`, value: retries, limit: 0 },
  );
}

/** More of the runs in the window failed than a share (default 0.2), once there are `minRuns` (5). */
export function failureRate(options: PipelineRuleOptions & { above?: number; minRuns?: number } = {}): PipelineRule {
  checkOptions(options, { ...PIPELINE_RULE_OPTIONS, above: true, minRuns: true }, "failureRate");
  const { above = 0.2, minRuns = 5 } = options;
  return ofPipelines("failure_rate", "warning", null, options, ({ statistics: { failureRate: rate, runs, windowMs } }) => {
    const count = runs.succeeded + runs.failed + runs.timedOut;
    if (rate === null || count < minRuns || rate <= above) return null;
    const failed = `${percent(rate, above)} of ${count} runs failed in ${formatDuration(windowMs)}`;
    return { message: `${failed}, over ${percent(above)}`, value: rate, limit: above, concerns: "last_failure" };
  });
}

/** So many runs in a row have failed (default 3). */
export function consecutiveFailures(options: PipelineRuleOptions & { count?: number } = {}): PipelineRule {
  checkOptions(options, { ...PIPELINE_RULE_OPTIONS, count: true }, "consecutiveFailures");
  const { count = 3 } = options;
  return ofPipelines("consecutive_failures", "critical", null, options, ({ statistics: { consecutiveFailures: failures } }) =>
    failures < count ? null : { message: `${failures} runs in a row failed`, value: failures, limit: count, concerns: "last_failure" },
  );
}

/** No run has succeeded for longer than `olderThan`, or ever. */
export function staleData(options: PipelineRuleOptions & { olderThan: Duration }): PipelineRule {
  checkOptions(options, { ...PIPELINE_RULE_OPTIONS, olderThan: true }, "staleData");
  const limit = durationMs(options.olderThan, "staleData: olderThan");
  return ofPipelines("stale_data", "warning", null, options, ({ lastSuccessAt }, { now }) => {
    if (lastSuccessAt === null) return { message: "no run has succeeded yet", value: null, limit };
    const value = now - lastSuccessAt;
    if (value <= limit) return null;
    const [age, most] = comparedDurations(value, limit);
    return { message: `the last success is ${age} old, over ${most}`, value, limit };
  });
}

/** More triggers wait than `length` (default 1,000), or one has waited for longer than `age` (default `"1h"`). */
export function queueBacklog(options: RuleOptions & { length?: number; age?: Duration } = {}): SchedulerRule {
  checkOptions(options, { ...RULE_OPTIONS, length: true, age: true }, "queueBacklog");
  const { length: limit = 1_000 } = options;
  const ageMs = durationMs(options.age ?? "1h", "queueBacklog: age");
  const base = baseOf("queue_backlog", "warning", options);
  return {
    scope: "scheduler",
    ...base,
    check: ({ queue: { length, oldestAt }, now }) => {
      if (length > limit) return [{ message: `${length} triggers wait, over ${limit}`, value: length, limit }];
      const value = oldestAt === null ? 0 : now - oldestAt;
      if (value <= ageMs) return [];
      const [waited, most] = comparedDurations(value, ageMs);
      return [{ message: `a trigger has waited for ${waited}, over ${most}`, value, limit: ageMs }];
    },
  };
}

/** A probe that conditions ask has failed so often in a row (default 3) on some node. */
export function probeUnhealthy(options: RuleOptions & { failures?: number } = {}): SchedulerRule {
  checkOptions(options, { ...RULE_OPTIONS, failures: true }, "probeUnhealthy");
  const { failures: limit = 3 } = options;
  return schedulerWide("probe_unhealthy", "warning", options, ({ nodes }) =>
    worstByKey(
      nodes.flatMap(({ failingProbes, isLost }) =>
        (isLost ? [] : failingProbes).flatMap(({ probe, failures, error }) =>
          failures < limit
            ? []
            : [{ key: probe, message: `${probe} failed ${failures} times in a row: ${error ?? "?"}`, value: failures, limit }],
        ),
      ),
    ),
  );
}

/** A sensor's looks have failed so often in a row (default 3). The alert is that of the sensor's pipeline. */
export function sensorFailing(options: RuleOptions & { failures?: number } = {}): SchedulerRule {
  checkOptions(options, { ...RULE_OPTIONS, failures: true }, "sensorFailing");
  const { failures: limit = 3 } = options;
  return schedulerWide("sensor_failing", "warning", options, ({ nodes }) =>
    worstByKey(
      nodes.flatMap(({ failingSensors, isLost }) =>
        (isLost ? [] : failingSensors).flatMap(({ pipelineId, sensor, failures, error }) => {
          const message = `sensor ${sensor} of ${pipelineId} failed ${failures} times in a row: ${error ?? "?"}`;
          return failures < limit ? [] : [{ key: `${pipelineId}/${sensor}`, pipelineId, message, value: failures, limit }];
        }),
      ),
    ),
  );
}

/** Of what several nodes say of the same thing, the one with the largest value: it is one alert. */
function worstByKey(found: readonly (RuleViolation & { readonly key: string; readonly value: number })[]): readonly RuleViolation[] {
  const byKey = new Map<string, (typeof found)[number]>();
  for (const one of found) {
    const known = byKey.get(one.key);
    if (known === undefined || one.value > known.value) byKey.set(one.key, one);
  }
  return [...byKey.values()];
}

/** A node's clock is further from the store's than `above` (default `"5s"`). */
export function clockSkew(options: RuleOptions & { above?: Duration } = {}): SchedulerRule {
  checkOptions(options, { ...RULE_OPTIONS, above: true }, "clockSkew");
  const limit = durationMs(options.above ?? "5s", "clockSkew: above");
  return schedulerWide("clock_skew", "warning", options, ({ nodes }) =>
    nodes.flatMap(({ node, clockAheadMs, isLost }) => {
      if (isLost || clockAheadMs === null || Math.abs(clockAheadMs) <= limit) return [];
      const side = clockAheadMs > 0 ? "ahead of" : "behind";
      return [
        {
          key: node,
          message: `the clock of node ${node} is ${formatDuration(Math.abs(clockAheadMs))} ${side} the store's`,
          value: clockAheadMs,
          limit,
        },
      ];
    }),
  );
}

/** A node was silent for longer than it may be, and did not stop. */
export function nodeLost(options: RuleOptions = {}): SchedulerRule {
  checkOptions(options, RULE_OPTIONS, "nodeLost");
  return schedulerWide("node_lost", "critical", options, ({ nodes, now }) =>
    nodes.flatMap(({ node, isLost, seenAt }) =>
      isLost ? [{ key: node, message: `node ${node} has been silent for ${formatDuration(now - seenAt)}`, value: now - seenAt }] : [],
    ),
  );
}

/** The rounds of a node fail, for a minute unless `for` says otherwise: it lives, but fires and claims nothing. */
export function nodeFailing(options: RuleOptions = {}): SchedulerRule {
  checkOptions(options, RULE_OPTIONS, "nodeFailing");
  return schedulerWide("node_failing", "critical", { for: "1m", ...options }, ({ nodes, now }) =>
    nodes.flatMap(({ node, isLost, failingSince = null, failure = null }) => {
      if (isLost || failingSince === null) return [];
      const value = now - failingSince;
      return [{ key: node, message: `the rounds of node ${node} have failed for ${formatDuration(value)}: ${failure ?? "?"}`, value }];
    }),
  );
}

/** The rules that a scheduler has unless it says otherwise: what pipelines ask for by `alertOn`, and what nobody should have to ask for. */
export function defaultRules(): readonly AlertRule[] {
  return [
    runFailed(),
    runRetried(),
    slaMissed(),
    slaAtRisk(),
    missedSchedule(),
    longRunning(),
    consecutiveFailures(),
    queueBacklog(),
    probeUnhealthy({ for: "1m" }),
    sensorFailing(),
    clockSkew({ for: "1m" }),
    nodeLost(),
    nodeFailing(),
  ];
}

function ofPipelines(
  name: string,
  severity: Severity,
  alertOn: AlertReason | null,
  options: PipelineRuleOptions,
  check: PipelineCheck,
): PipelineRule {
  const { pipelines, tags } = options;
  const isMeant = ({ id, tags: own }: PipelineSnapshot) => (pipelines?.includes(id) ?? false) || own.some((tag) => tags?.includes(tag));
  const appliesTo = pipelines === undefined && tags === undefined ? null : isMeant;
  return { scope: "pipeline", ...baseOf(name, severity, options), alertOn, appliesTo, check };
}

function schedulerWide(name: string, severity: Severity, options: RuleOptions, check: SchedulerRule["check"]): SchedulerRule {
  return { scope: "scheduler", ...baseOf(name, severity, options), check };
}

function baseOf(fallback: string, usual: Severity, options: RuleOptions): Omit<SchedulerRule, "scope" | "check"> {
  const { name = fallback, severity = usual, labels = {}, repeatEvery = null } = options;
  if (typeof name !== "string" || name.length === 0 || name.length > 100)
    throw new HeadgateError("INVALID_ARGUMENT", `alert rule ${quote(name)}: the name must have 1 to 100 characters`);
  if (!SEVERITIES.includes(severity))
    throw new HeadgateError(
      "INVALID_ARGUMENT",
      `alert rule ${name}: severity ${quote(severity)} is unknown; allowed: ${SEVERITIES.join(", ")}`,
    );
  return {
    name,
    severity,
    labels,
    forMs: durationMs(options.for ?? 0, `alert rule ${name}: for`),
    repeatMs: repeatEvery === null ? null : durationMs(repeatEvery, `alert rule ${name}: repeatEvery`),
  };
}

/** The one with the smallest instant; `null` when none has one. */
function oldestOf<T>(all: readonly T[], instantOf: (one: T) => number | null): T | null {
  let oldest: T | null = null;
  for (const one of all) {
    const at = instantOf(one);
    if (at !== null && (oldest === null || at < (instantOf(oldest) as number))) oldest = one;
  }
  return oldest;
}
