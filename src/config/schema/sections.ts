import { z } from "zod";
import { ROLES } from "../../ports/scheduler-api/tokens.js";
import { condition, dependency, stale, systemLoad } from "./conditions.js";
import { duration, name, names, onBlock, privateNetworks, secret, text, timeWindow, whole } from "./primitives.js";
import { patternSensors } from "./sensors.js";

const queueLimit = z.strictObject({
  count: z.int().min(0).optional().describe("Triggers"),
  bytes: z.int().min(0).optional().describe("Total size of their parameters as JSON"),
});

const rateLimit = z.union([z.literal(false), z.strictObject({ requests: whole, per: duration })]);

const connections = z
  .strictObject({
    max: whole.optional().describe("Maximum open connections; further ones are closed. Default 2,000"),
    max_per_address: z
      .union([z.literal(false), whole])
      .optional()
      .describe(
        "Maximum connections of one address (a /64 in IPv6). Default 500; with `trust_proxy`, `false`, since all come from the proxy",
      ),
    headers_timeout: duration.optional().describe("Time allowed for the head of a request. Default 10s"),
    request_timeout: duration
      .optional()
      .describe("Time allowed for a whole request. Default 30s, or the sum of the limits for head and body"),
    keep_alive_timeout: duration
      .optional()
      .describe("Time a connection may stay open without a request. Default 10s; behind a proxy, longer than the proxy's own"),
    max_requests: whole.optional().describe("Maximum requests per connection. Default 1,000"),
  })
  .meta({ id: "Connections" });

const api = z
  .strictObject({
    enabled: z.boolean().default(true),
    host: text.default("127.0.0.1").describe("Address to listen on; `0.0.0.0` for access from other machines, behind TLS"),
    port: z.int().min(0).max(65_535).default(5_000),
    prefix: z
      .string()
      .regex(/^(\/[\w.~-]+)*$/, "must be a path such as /etl")
      .default(""),
    default_pipeline: name.optional().describe("Pipeline used when a request names none"),
    body_limit: whole.optional().describe("Bytes. Default 1 MiB"),
    body_timeout: duration.optional().describe("Default 10s"),
    queue_limits: z
      .strictObject({
        pipeline: queueLimit.optional().describe("Limit per pipeline. Default 10,000 and 64 MiB"),
        token: queueLimit.optional().describe("Limit per token or webhook source. Default 10,000 and 64 MiB"),
        total: queueLimit.optional().describe("Limit in total. Default 20,000 and 256 MiB"),
        reserved: queueLimit
          .optional()
          .describe("Number and size that a pipeline and a token may have waiting even when the total is reached. Default 100 and 1 MiB"),
      })
      .optional()
      .describe("Limits of the queue; triggers beyond them are rejected"),
    cors: z.array(text).optional().describe("Origins allowed to call the API from a browser (CORS)"),
    trust_proxy: z
      .int()
      .min(0)
      .optional()
      .describe("Number of proxies in front of this service whose `X-Forwarded-For` is trusted. Default 0"),
    hsts: z.boolean().optional(),
    connections: connections.optional().describe("Limits of the server's connections"),
  })
  .meta({ id: "Api" });

const webhookSource = z
  .strictObject({
    source: text,
    pipelines: names.optional().describe("Pipelines that it may trigger. Default all"),
    secret: z
      .union([secret, z.array(secret).min(1).max(5)])
      .optional()
      .describe("A valid signature replaces a token. While rotating secrets, a list, newest first: all of them are accepted"),
    scheme: z.enum(["standard", "github"]).optional().describe("Default standard"),
    parameters: text
      .optional()
      .describe("JSON path of the parameters in the payload, such as `data`. Default: the payload itself, if it is an object"),
    events: z.array(text).min(1).optional().describe("Events that trigger; for `github`, recognised by the signed payload. Default all"),
  })
  .meta({ id: "WebhookSource" });

const files = z
  .strictObject({
    directory: text,
    work_directory: text
      .optional()
      .describe("Directory of claimed, rejected and processed files, not writable by others. Default: `directory`"),
    pipeline: name.optional().describe("Pipeline of files that name none"),
    keep_processed: z.boolean().optional(),
    polling: z.union([z.literal(false), duration]).optional(),
    rescan: duration.optional(),
    settle: duration.optional(),
    size_limit: whole.optional(),
  })
  .meta({ id: "TriggerFiles" });

/** External triggers. */
export const triggers = z
  .strictObject({
    api: api.optional(),
    webhooks: z.array(webhookSource).optional().describe("If set, only these sources are accepted"),
    files: files.optional().describe("A directory where trigger files are dropped; needs the package chokidar, or `polling`"),
    sensors: patternSensors.optional().describe("Options of the sensors of event-driven patterns"),
  })
  .meta({ id: "Triggers" });

/** Conditions of all pipelines, or of some. */
export const conditionalExecution = z
  .strictObject({
    pipelines: names.optional().describe("Pipelines it applies to. Default all"),
    maintenance_windows: z.array(timeWindow).optional(),
    data_freshness: z
      .strictObject({
        staleness_threshold_hours: z.number().positive().optional().describe("Hours. Required unless `older_than` is set"),
        ...stale.shape,
        older_than: duration.optional().describe("Required unless `staleness_threshold_hours` is set"),
      })
      .superRefine(({ staleness_threshold_hours, older_than }, context) => {
        if ((staleness_threshold_hours === undefined) === (older_than === undefined))
          context.addIssue("set staleness_threshold_hours or older_than");
      })
      .optional()
      .describe("Runs only when the data is stale"),
    system_health: systemLoad.optional(),
    external_dependencies: z.array(dependency).optional(),
    conditions: z.array(condition).optional(),
    on_block: onBlock.optional().describe("Policy of pipelines that set none. Default skip"),
    hold_for: duration.optional(),
    recheck_interval: duration.optional(),
  })
  .meta({ id: "ConditionalExecution" });

/** Adaptive interval of pipelines with `adaptive: true`. */
export const adaptiveScheduling = z
  .strictObject({
    enabled: z.boolean().default(true).describe("`false` keeps them at the base interval"),
    base_interval_minutes: z.number().positive().default(60),
    min_interval_minutes: z.number().positive().default(30),
    max_interval_minutes: z.number().positive().default(240),
    performance_thresholds: z
      .strictObject({
        success_rate_min: z.number().min(0).max(1).default(0.95).describe("Run more often when the success rate exceeds this …"),
        avg_duration_max_minutes: z
          .number()
          .positive()
          .default(30)
          .describe("… and the mean duration is below this; less often when the success rate is below 0.8"),
      })
      .prefault({}),
  })
  .meta({ id: "AdaptiveScheduling" });

/** Shared resources and their limits. */
export const resources = z
  .strictObject({
    pools: z
      .record(name, whole)
      .optional()
      .describe("Slots by pool: how many runs of its pipelines may be active at the same time on all nodes"),
    max_active_runs: whole.optional().describe("Concurrent runs of all pipelines on all nodes"),
    node: text
      .optional()
      .describe(
        "Name of this node, unique among the nodes of a store; a lost node that restarts under its name is no longer lost. Default: host, process id and a random part",
      ),
    lease_duration: duration
      .optional()
      .describe("Duration of a node's lease; without a heartbeat in that time, other nodes take over its work. Default 30s"),
    misfire_threshold: duration.optional().describe("Default 30s"),
    cancel_grace_period: duration.optional().describe("How long a run may continue after its signal is aborted. Default 10s"),
    drain: duration.default("30s").describe("How long running work may continue when the service stops"),
    retention: z
      .strictObject({
        count: z
          .int()
          .min(0)
          .optional()
          .describe(
            "Finished triggers and dropped fire times of all pipelines; beyond it, the oldest of the pipeline with the most are pruned. Default 1,000,000 (in memory 10,000)",
          ),
        count_per_pipeline: z
          .int()
          .min(0)
          .nullable()
          .optional()
          .describe("The same limit per pipeline. Default null: only `count` applies"),
        max_age: duration.optional().describe("Maximum age. Default 90d (in memory 30d)"),
        audit: duration.nullable().optional().describe("Maximum age of audit records. Default 400d; null keeps all"),
      })
      .optional(),
  })
  .meta({ id: "Resources" });

const token = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "must be 1 to 40 lower-case letters, digits or dashes"),
    role: z.enum(ROLES),
    token: secret,
    pipelines: names.optional().describe("Limits the token to these pipelines. Default all"),
    user: text.max(200).optional().describe("User name recorded for its holder. Default: its id"),
    acts_for_others: z
      .boolean()
      .optional()
      .describe("Lets its holder act as any user, named in the field `user` of requests. Default false"),
  })
  .meta({ id: "Token" });

const audit = z
  .strictObject({
    key: secret
      .optional()
      .describe("Seals every record with HMAC-SHA256. At least 32 characters, the same on all nodes. Default: SHA-256 without a key"),
    previous_keys: z.array(secret).optional().describe("Keys of records sealed earlier, or already in use on other nodes"),
    head_interval: duration.optional().describe("How soon at the latest a new record's hash is written to the service's log. Default 10m"),
  })
  .meta({ id: "Audit" });

/** Access to the API, and secrets. */
export const security = z
  .strictObject({
    admin_token: secret.optional().describe("Default: PIPELINE_API_TOKEN"),
    tokens: z.array(token).optional(),
    audit: audit.optional().describe("How the audit log is sealed"),
    rate_limits: z
      .union([z.literal(false), z.strictObject({ per_token: rateLimit.optional(), per_address: rateLimit.optional() })])
      .optional()
      .describe("Default 600 and 1,200 a minute; `false`: none"),
    redact: z
      .array(secret)
      .optional()
      .describe(
        "Additional secrets to redact from what runs print. Redacted in any case: secrets in this file, values of variables, `env` and `headers`, and passwords, tokens and keys in URLs",
      ),
    redact_except: z
      .array(text)
      .optional()
      .describe("Values of variables, `env` and `headers` that are not secrets, such as the name of a table. Default none"),
    allow_private_networks: privateNetworks.optional().describe("Addresses allowed for external dependencies that are set at run time"),
  })
  .meta({ id: "Security" });

export const store = z
  .strictObject({
    url: secret
      .optional()
      .describe("`postgres://…`, `sqlite:./headgate.db` or `memory:`. Default: DATABASE_URL, else `sqlite:./headgate.db`"),
  })
  .meta({ id: "Store" });

export const logging = z
  .strictObject({
    level: z.enum(["debug", "info", "warn", "error"]).default("info"),
    format: z.enum(["json", "text"]).optional().describe("Default: json, text on a terminal"),
  })
  .meta({ id: "Logging" });

export type ApiConfig = z.output<typeof api>;
