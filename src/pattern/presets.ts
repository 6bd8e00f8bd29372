import { manual } from "../schedule/simple.js";
import { type Pattern, type PatternGroup, patternOf } from "./pattern.js";
import type { PatternOptions } from "./pattern-options.js";

/** So that no fire time is dropped before the next one comes, although there are days between them. */
const A_WEEK = "7d";
/** Nothing is too old: the longest duration there is has 100 years. */
const A_CENTURY = "36500d";

const STANDARD = {
  production_daily: {
    description: "Daily at 02:00 with robust error handling",
    cron: "0 2 * * *",
    execution: { maxActiveRuns: 1, catchup: "latest", retries: 5, retryDelay: "10m", timeout: "3h" },
    sla: "4h",
    tags: ["production", "daily"],
    alertOn: ["failure", "sla_miss"],
  },
  production_hourly: {
    description: "Every hour with SLA monitoring",
    cron: "0 * * * *",
    execution: { maxActiveRuns: 1, catchup: "latest", retries: 3, retryDelay: "5m", timeout: "45m" },
    sla: "50m",
    tags: ["production", "hourly"],
    alertOn: ["failure", "sla_miss"],
  },
  development_frequent: {
    description: "Every 15 minutes, for development",
    interval: "15m",
    execution: { maxActiveRuns: 1, catchup: "latest", retries: 1, retryDelay: "2m", timeout: "10m" },
    tags: ["development", "frequent"],
    alertOn: [],
  },
  business_hours_only: {
    description: "Hourly from 09:00 to 17:00, Monday to Friday",
    cron: "0 9-17 * * 1-5",
    execution: { maxActiveRuns: 1, catchup: "latest", retries: 3, retryDelay: "5m", timeout: "30m" },
    sla: "45m",
    tags: ["business-hours", "weekdays"],
    alertOn: ["failure", "sla_miss"],
  },
  weekend_batch: {
    description: "Saturdays and Sundays at 06:00, for heavy batches; a missed weekend is made up once",
    cron: "0 6 * * 6,0",
    execution: { maxActiveRuns: 1, catchup: "latest", catchupWindow: A_WEEK, retries: 5, retryDelay: "15m", timeout: "6h" },
    sla: "8h",
    tags: ["weekend", "batch"],
    alertOn: ["failure", "retry", "sla_miss"],
  },
  manual_only: {
    description: "Only on request",
    schedule: manual(),
    execution: { maxActiveRuns: 3, catchup: "latest", retries: 3, retryDelay: "5m", timeout: "2h" },
    tags: ["manual", "on-demand"],
    alertOn: ["failure"],
  },
  high_frequency: {
    description: "Every 5 minutes, for near real time",
    interval: "5m",
    execution: { maxActiveRuns: 2, catchup: "latest", retries: 2, retryDelay: "1m", timeout: "4m" },
    sla: "6m",
    tags: ["high-frequency", "real-time"],
    alertOn: [],
  },
  low_frequency: {
    description: "Monthly on the first at 02:00; every missed month is made up",
    cron: "0 2 1 * *",
    execution: { maxActiveRuns: 1, catchup: "all", catchupWindow: A_CENTURY, retries: 10, retryDelay: "1h", timeout: "12h" },
    sla: "24h",
    tags: ["monthly", "batch"],
    alertOn: ["failure", "retry", "sla_miss"],
  },
} as const satisfies Record<string, PatternOptions>;

const EVENT_DRIVEN = {
  data_arrival: {
    description: "When a data file arrives",
    sensor: { kind: "file", path: "incoming/", pattern: "*.csv", every: "1m", timeout: "1h" },
    execution: { retries: 3, retryDelay: "5m", timeout: "2h" },
  },
  external_api_update: {
    description: "When an external API reports new data",
    sensor: { kind: "http", endpoint: "/api/data/status", query: { check: "update_available" }, every: "5m", timeout: "30m" },
    execution: { retries: 5, retryDelay: "10m", timeout: "3h" },
  },
  database_change: {
    description: "When rows of a table have changed",
    sensor: { kind: "sql", query: "count of rows of a table updated since the last look", every: "10m", timeout: "2h" },
    execution: { retries: 3, retryDelay: "15m", timeout: "4h" },
  },
  webhook_trigger: {
    description: "When an allowed system sends a webhook",
    sensor: { kind: "webhook", allowedSources: ["data_provider", "monitoring_system", "admin_panel"] },
    execution: { retries: 2, retryDelay: "3m", timeout: "1h" },
  },
} as const satisfies Record<string, PatternOptions>;

const BUSINESS = {
  ecommerce_peak_hours: {
    description: "At the peak hours of e-commerce",
    cron: "0 8,12,16,20 * * *",
    timeZone: "UTC",
    context: { peakHours: ["08:00", "12:00", "16:00", "20:00"] },
  },
  financial_end_of_day: {
    description: "After the market closes, on business days",
    cron: "0 18 * * 1-5",
    timeZone: "America/New_York",
    businessDaysOnly: true,
    execution: { catchupWindow: A_WEEK },
    context: { marketClose: "16:00", processingWindow: "18:00-22:00" },
  },
  retail_inventory_update: {
    description: "Before the shops open and after lunch",
    cron: "0 1,13 * * *",
    timeZone: "UTC",
    context: { morningUpdate: "01:00", afternoonUpdate: "13:00" },
  },
  marketing_campaign_sync: {
    description: "Campaign data every four hours",
    cron: "0 */4 * * *",
    timeZone: "UTC",
    context: { campaignRefreshHours: 4 },
  },
} as const satisfies Record<string, PatternOptions>;

const ADAPTIVE = {
  performance_based: {
    description: "More often while runs succeed quickly, less often while they fail",
    tuner: {
      kind: "performance_based",
      base: "1h",
      min: "30m",
      max: "4h",
      speedUp: 0.8,
      slowDown: 1.5,
      fasterWhen: { successRateAbove: 0.95, meanDurationBelow: "30m" },
      slowerWhen: { successRateBelow: 0.8 },
    },
  },
  load_based: {
    description: "Less often while the system is loaded",
    tuner: {
      kind: "load_based",
      base: "2h",
      min: "1h",
      max: "8h",
      speedUp: 0.7,
      slowDown: 2,
      slowerWhen: { cpuAbove: 0.8, memoryAbove: 0.85, queueLengthAbove: 5 },
    },
  },
  data_volume_based: {
    description: "More often while much data arrives",
    tuner: {
      kind: "data_volume_based",
      base: "1h",
      min: "15m",
      max: "6h",
      speedUp: 0.6,
      slowDown: 1.8,
      fasterWhen: { recordsAbove: 1_000_000 },
      slowerWhen: { processingTimeAbove: "45m" },
    },
  },
} as const satisfies Record<string, PatternOptions>;

const GROUPS = { standard: STANDARD, event_driven: EVENT_DRIVEN, business: BUSINESS, adaptive: ADAPTIVE } as const satisfies Partial<
  Record<PatternGroup, Record<string, PatternOptions>>
>;

/** A property whose pattern is made when it is first asked for: the expressions and time zones of all of them take as long as the rest of the import. */
function preset(group: PatternGroup, name: string, options: PatternOptions): PropertyDescriptor {
  let made: Pattern | null = null;
  const get = () => {
    made ??= patternOf(group, name, options);
    return made;
  };
  return { enumerable: true, get };
}

/** Every built-in pattern by name. */
export const patterns = Object.freeze(
  Object.defineProperties(
    {},
    Object.fromEntries(
      Object.entries(GROUPS).flatMap(([group, all]) =>
        Object.entries(all).map(([name, options]) => [name, preset(group as PatternGroup, name, options)]),
      ),
    ),
  ),
) as Readonly<Record<keyof (typeof STANDARD & typeof EVENT_DRIVEN & typeof BUSINESS & typeof ADAPTIVE), Pattern>>;

export type PatternName = keyof typeof patterns;
