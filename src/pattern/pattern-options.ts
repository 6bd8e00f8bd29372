import type { Duration } from "../base/duration.js";
import type { Condition } from "../gate/condition.js";
import type { AlertReason } from "../monitor/alert.js";
import type { ExecutionOptions } from "../run/policy.js";
import type { BusinessDayOptions } from "../schedule/business-days.js";
import type { Schedule } from "../schedule/schedule.js";
import type { SensorOptions } from "./sensor-options.js";
import type { TunerOptions } from "./tuner-options.js";

/** Options of a pattern. When: one of `cron`, `interval`, `schedule`, `sensor`, `tuner` (which starts at its base interval). */
export interface PatternOptions {
  /** Its purpose, in a sentence. */
  description: string;
  /** A cron expression. Default: see `interval` and `schedule`. */
  cron?: string;
  /** IANA zone of `cron`. Default `"UTC"`. */
  timeZone?: string;
  /** Elapsed time between two fire times. Default: see `cron` and `schedule`. */
  interval?: Duration;
  /** Any schedule, such as `manual()`. Default: see `cron` and `interval`. */
  schedule?: Schedule;
  /** Runs only on business days of the pattern's time zone: adds the condition `businessDay`. Default false. */
  businessDaysOnly?: boolean | BusinessDayOptions;
  /** Conditions of its pipelines, before their own. Default none. */
  conditions?: readonly Condition[];
  /** Execution policy of its pipelines. Default: `maxActiveRuns: 1`, `catchup: "latest"`, `retries: 3`, `retryDelay: "5m"`, `timeout: "2h"`. */
  execution?: ExecutionOptions;
  /** Time after its fire time within which a run should succeed. Default none. */
  sla?: Duration | null;
  /** Tags of its pipelines. Default `["custom"]`. */
  tags?: readonly string[];
  /** The reasons for which its pipelines are alerted on. Default `["failure", "sla_miss"]`. */
  alertOn?: readonly AlertReason[];
  /** Sensor of its pipelines, for `patternSensors`. Default none. */
  sensor?: SensorOptions | null;
  /** Makes its schedule adaptive. Default: it is not. */
  tuner?: TunerOptions | null;
  /** Facts about the business, available to runs. Default none. */
  context?: Readonly<Record<string, unknown>>;
}
