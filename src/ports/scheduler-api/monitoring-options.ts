import type { Duration } from "../../base/duration.js";
import type { AlertRule } from "../../monitor/alert.js";
import type { AlertRoute } from "../../monitor/notification.js";
import { defaultRules } from "../../monitor/rules.js";
import type { AlertChannel } from "../alert-channel.js";

/** Options of alerting: rules, channels and routes. */
export interface MonitoringOptions {
  /** Default {@link defaultRules}. */
  rules?: readonly AlertRule[];
  /** From `headgate/alerts`, or your own. Default none: alerts are only listed. */
  channels?: readonly AlertChannel[];
  /** Default: every alert to every channel. */
  routes?: readonly AlertRoute[];
  /** Interval at which rules are evaluated. Default `"15s"`. */
  every?: Duration;
  /** The address of the service, with the prefix of its API if it has one, such as `"https://headgate.example"`: alerts then have links to what they are about. Default none. */
  baseUrl?: string;
}
