import { z } from "zod";
import { SEVERITIES } from "../../monitor/alert.js";
import { duration, name, names, oneOf, privateNetworks, secret, share, text, texts, whole } from "./primitives.js";

const severity = z.enum(SEVERITIES);

const every = {
  severity: severity.optional(),
  for: duration.optional().describe("How long the rule must be violated before the alert fires"),
  repeat_every: duration.nullable().optional().describe("How often the notification is repeated. Default: never"),
  labels: texts.optional(),
};
const ofPipelines = {
  ...every,
  pipelines: names.optional().describe("Only these pipelines"),
  tags: z.array(text).min(1).optional().describe("Only pipelines with one of these tags"),
};
const rule = <T extends z.ZodRawShape>(shape: T) => z.union([z.literal(false), z.strictObject(shape)]).optional();

/** Rules with other numbers than their own; `false` switches one off. */
const rules = z
  .strictObject({
    missed_schedule: rule({
      ...ofPipelines,
      tolerance: duration.optional().describe("Default 5m"),
      remember: duration.optional().describe("Default 1h"),
    }),
    long_running: rule({
      ...ofPipelines,
      limit: duration.optional().describe("Default: by `factor`"),
      factor: z.number().positive().optional().describe("Multiple of the p95 duration. Default 3"),
      min_runs: whole.optional().describe("Default 10"),
    }),
    sla_missed: rule(ofPipelines),
    sla_at_risk: rule({ ...ofPipelines, within: duration.optional().describe("Default 15m") }),
    run_failed: rule(ofPipelines),
    run_retried: rule(ofPipelines),
    failure_rate: rule({
      ...ofPipelines,
      above: share.optional().describe("Default 0.2"),
      min_runs: whole.optional().describe("Default 5"),
    }),
    consecutive_failures: rule({ ...ofPipelines, count: whole.optional().describe("Default 3") }),
    stale_data: rule({ ...ofPipelines, older_than: duration }),
    queue_backlog: rule({ ...every, length: whole.optional().describe("Default 1,000"), age: duration.optional().describe("Default 1h") }),
    probe_unhealthy: rule({ ...every, failures: whole.optional().describe("Default 3") }),
    sensor_failing: rule({ ...every, failures: whole.optional().describe("Default 3") }),
    clock_skew: rule({ ...every, above: duration.optional().describe("Default 5s") }),
    node_lost: rule(every),
    node_failing: rule(every),
  })
  .meta({ id: "AlertRules" });

const channel = z
  .strictObject({
    console: z.strictObject({}).optional(),
    email: z
      .strictObject({ server: secret.describe("`smtp://user:password@host:587`"), from: text, to: z.union([text, z.array(text).min(1)]) })
      .optional(),
    slack: z.strictObject({ url: secret, allow_private_networks: privateNetworks.optional() }).optional(),
    webhook: z
      .strictObject({
        url: secret,
        secret: secret.optional(),
        headers: texts.optional(),
        allow_private_networks: privateNetworks.optional(),
      })
      .optional(),
    timeout: duration.optional().describe("Default 10s"),
    rate_limit: z.strictObject({ count: whole, per: duration }).optional().describe("Default 20 a minute"),
  })
  .superRefine(oneOf("console", "email", "slack", "webhook"))
  .meta({ id: "AlertChannel" });

const route = z
  .strictObject({
    channels: names,
    severities: z.array(severity).min(1).optional(),
    pipelines: names.optional(),
    tags: z.array(text).min(1).optional(),
    rules: z.array(rules.keyof()).min(1).optional(),
    group_by: z.enum(["rule", "pipeline", "all", "none"]).optional(),
    fallback: name.optional().describe("Channels that are notified when one of `channels` fails three times in a row"),
    continue: z.boolean().optional().describe("Continue with the routes after this one"),
  })
  .meta({ id: "AlertRoute" });

export const monitoring = z
  .strictObject({
    every: duration.optional().describe("How often rules are evaluated. Default 15s"),
    statistics_window: duration.optional().describe("Window of the statistics. Default 24h"),
    base_url: text
      .optional()
      .describe(
        "The address of this service, with the prefix of its API if it has one, such as `https://headgate.example`; alerts link to it. Default none",
      ),
    metrics: z.boolean().default(false).describe("Serves `/metrics` for Prometheus to viewers; needs the package prom-client"),
    rules: rules
      .optional()
      .describe("Changes to the default rules, by name; `false` disables one. `failure_rate` and `stale_data` are enabled only when named"),
    channels: z.record(name, channel).optional(),
    routes: z.array(route).min(1).optional().describe("Routes from alerts to channels. Default: all alerts to every channel"),
  })
  .meta({ id: "Monitoring" });

export type MonitoringConfig = z.output<typeof monitoring>;
export type ChannelConfig = z.output<typeof channel>;
