import { z } from "zod";
import { OVERLAPS } from "../../trigger/overlap.js";
import { PRIORITIES } from "../../trigger/trigger.js";
import { condition } from "./conditions.js";
import { executorUse } from "./executors.js";
import { businessDays, cronText, duration, name, names, onBlock, share, text, timeWindow, timeZone, whole } from "./primitives.js";
import { schedule } from "./schedules.js";
import { sensor } from "./sensors.js";

/** Execution of runs; missing settings come from the pattern. */
const execution = z
  .strictObject({
    retries: z.int().min(0).max(1_000).optional().describe("Attempts after the first. Default 3"),
    retry_delay: duration.optional().describe("Default 5m"),
    backoff: z.enum(["fixed", "exponential"]).optional().describe("Default fixed"),
    max_retry_delay: duration.optional().describe("Default 24h"),
    jitter: share.optional().describe("Random share of the wait. Default 0"),
    retry_on: z.array(text).min(1).optional().describe("Error codes that are retried. Default: all"),
    timeout: duration.optional().describe("Maximum duration of an attempt. Default 2h"),
    total_timeout: duration.nullable().optional().describe("Maximum duration of a run, including its retries"),
    max_active_runs: whole.optional().describe("Concurrent runs on all nodes. Default 1"),
    overlap: z.enum(OVERLAPS).optional().describe("Default queue_one"),
    catchup: z
      .union([z.boolean(), z.enum(["none", "latest", "all"])])
      .transform((value) => (typeof value === "boolean" ? (value ? "all" : "latest") : value))
      .optional()
      .describe("Policy for missed fire times; `false` means latest, `true` all. Default latest"),
    catchup_window: duration.optional().describe("Default 24h"),
    priority: z.enum(PRIORITIES).optional().describe("Default normal"),
    pool: name.nullable().optional().describe("Pool whose slots its runs use"),
  })
  .meta({ id: "Execution" });

const alertOn = z.array(z.enum(["failure", "retry", "sla_miss"]));
const factor = z.number().positive();

/** Adaptation of an interval to how its runs go. */
const adaptive = z
  .strictObject({
    base: duration.describe("The initial interval"),
    min: duration,
    max: duration,
    tuner: z.enum(["performance_based", "load_based", "data_volume_based", "freshness_target"]).default("performance_based"),
    speed_up: factor.optional().describe("Factor applied to the interval to run more often; below 1"),
    slow_down: factor.optional().describe("Factor applied to the interval to run less often; above 1"),
    success_rate_above: share.optional().describe("performance_based. Default 0.95"),
    mean_duration_below: duration.optional().describe("performance_based. Default 30m"),
    success_rate_below: share.optional().describe("performance_based. Default 0.8"),
    cpu_above: share.optional().describe("load_based. Default 0.8"),
    memory_above: share.optional().describe("load_based. Default 0.85"),
    queue_length_above: z.number().min(0).optional().describe("load_based. Default 5"),
    records_above: z.number().min(0).optional().describe("data_volume_based. Default 1,000,000"),
    processing_time_above: duration.optional().describe("data_volume_based. Default 45m"),
    max_age: duration.optional().describe("freshness_target: maximum age of the data"),
    share: share.optional().describe("freshness_target: share of the time in which it must hold. Default 0.99"),
    window_runs: z.int().min(1).max(1_000).optional().describe("Number of most recent runs considered. Default 200"),
    window_age: duration.optional().describe("Maximum age of the runs considered. Default: any age"),
    cooldown: duration.optional().describe("Minimum time between two changes. Default: base"),
    min_runs: whole.optional().describe("Default 3"),
    deadband: share.optional().describe("Default 0.05"),
  })
  .superRefine(({ tuner, max_age }, context) => {
    if ((tuner === "freshness_target") !== (max_age !== undefined))
      context.addIssue("max_age requires the tuner freshness_target, and the reverse");
  })
  .meta({ id: "Adaptive" });

export const pipeline = z
  .strictObject({
    description: text.optional(),
    pattern: name.optional().describe("A built-in pattern, or one of `patterns` and `business_patterns`"),
    schedule: z
      .union([z.literal("manual"), schedule])
      .optional()
      .describe("When it runs. Default: the pattern's, else only on request"),
    time_zone: timeZone
      .optional()
      .describe("Time zone of its schedule, windows and business days that name none. Default: the file's `time_zone`, else UTC"),
    after: names.optional().describe("Pipelines whose every success triggers this one"),
    conditions: z.array(condition).optional().describe("Conditions of a run, in addition to the pattern's and to `conditional_execution`"),
    on_block: onBlock.optional().describe("What happens to a trigger when a condition blocks. Default skip"),
    hold_for: duration.optional().describe("How long a held trigger waits. Default 24h"),
    recheck_interval: duration.optional().describe("Default 15m"),
    sensors: z.array(sensor).optional().describe("Sensors that trigger it"),
    parameters: z.record(z.string(), z.unknown()).optional().describe("Its parameters, as JSON Schema (draft 2020-12)"),
    execution: execution.optional(),
    adaptive: z.union([z.boolean(), adaptive]).optional().describe("`true`: the settings of `adaptive_scheduling`"),
    executor: executorUse.optional().describe("The executor of its runs: a name in `executors`, or one defined here"),
    sla: duration.nullable().optional().describe("Time after its fire time within which a run should succeed"),
    owner: text.max(200).optional().describe("The person or team that answers for it"),
    tags: z.array(text.max(100)).optional(),
    alert_on: alertOn.optional(),
  })
  .meta({ id: "Pipeline" });

/** A custom pattern. */
export const pattern = z
  .strictObject({
    description: text,
    based_on: name.optional().describe("A built-in pattern whose settings are inherited"),
    cron: cronText.optional(),
    interval: duration.optional(),
    schedule: z.union([z.literal("manual"), schedule]).optional(),
    time_zone: timeZone.optional(),
    business_days_only: z.union([z.boolean(), businessDays]).optional(),
    conditions: z.array(condition).optional(),
    execution: execution.optional(),
    sla: duration.nullable().optional(),
    tags: z.array(text.max(100)).optional(),
    alert_on: alertOn.optional(),
    context: z.record(z.string(), z.unknown()).optional().describe("Facts about the business, available to runs"),
  })
  .meta({ id: "Pattern" });

export const calendar = z
  .strictObject({
    windows: z.array(timeWindow).min(1).optional(),
    business_days: businessDays.optional(),
  })
  .superRefine(({ windows, business_days }, context) => {
    if ((windows === undefined) === (business_days === undefined)) context.addIssue("set either windows or business_days");
  })
  .meta({ id: "Calendar" });

export type PipelineConfig = z.output<typeof pipeline>;
export type PatternConfig = z.output<typeof pattern>;
export type CalendarConfig = z.output<typeof calendar>;
export type AdaptiveConfig = z.output<typeof adaptive>;
