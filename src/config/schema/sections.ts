import { z } from "zod";
import { condition, dependency, stale, systemLoad } from "./conditions.js";
import { duration, name, names, onBlock, privateNetworks, secret, text, timeWindow, whole } from "./primitives.js";
import { patternSensors } from "./sensors.js";

const queueLimit = z.strictObject({
  count: z.int().min(0).optional().describe("Triggers"),
  bytes: z.int().min(0).optional().describe("Of their parameters as JSON"),
});

const rateLimit = z.union([z.literal(false), z.strictObject({ requests: whole, per: duration })]);

const connections = z
  .strictObject({
    max: whole.optional().describe("Open at once; more are closed. Default 2,000"),
    max_per_address: z
      .union([z.literal(false), whole])
      .optional()
      .describe("Of one address (a /64 in IPv6). Default 500; with `trust_proxy`, `false`: all come from the proxy"),
    headers_timeout: duration.optional().describe("For the head of a request. Default 10s"),
    request_timeout: duration.optional().describe("For a whole request. Default 30s, or as long as head and body together may take"),
    keep_alive_timeout: duration.optional().describe("Open without a request. Default 10s; behind a proxy, longer than the proxy's own"),
    max_requests: whole.optional().describe("Requests of one connection. Default 1,000"),
  })
  .meta({ id: "Connections" });

const api = z
  .strictObject({
    enabled: z.boolean().default(true),
    host: text.default("127.0.0.1").describe("`0.0.0.0` to be reached from elsewhere, behind TLS"),
    port: z.int().min(0).max(65_535).default(5_000),
    prefix: z
      .string()
      .regex(/^(\/[\w.~-]+)*$/, "must be a path such as /etl")
      .default(""),
    default_pipeline: name.optional().describe("Meant when a request names none and there are several"),
    body_limit: whole.optional().describe("Bytes. Default 1 MiB"),
    body_timeout: duration.optional().describe("Default 10s"),
    queue_limits: z
      .strictObject({
        pipeline: queueLimit.optional().describe("Of one pipeline. Default 10,000 and 64 MiB"),
        token: queueLimit.optional().describe("Of what one token or webhook source requested. Default 10,000 and 64 MiB"),
        total: queueLimit.optional().describe("In all. Default 20,000 and 256 MiB"),
        reserved: queueLimit
          .optional()
          .describe("What a pipeline and a token may have waiting although the total is reached. Default 100 and 1 MiB"),
      })
      .optional()
      .describe("How much may wait before new triggers are refused"),
    cors: z.array(text).optional().describe("Origins whose pages may call"),
    trust_proxy: z.int().min(0).optional().describe("Proxies before this service whose `X-Forwarded-For` is believed. Default 0"),
    hsts: z.boolean().optional(),
    connections: connections.optional().describe("Limits of the server's connections"),
  })
  .meta({ id: "Api" });

const webhookSource = z
  .strictObject({
    source: text,
    pipelines: names.optional().describe("Which it may trigger. Default all"),
    secret: z
      .union([secret, z.array(secret).min(1).max(5)])
      .optional()
      .describe("A signature by it replaces a token. A list, the newest first, while one is replaced by another: all of them are accepted"),
    scheme: z.enum(["standard", "github"]).optional().describe("Default standard"),
    parameters: text
      .optional()
      .describe("Where the parameters stand in what is sent, such as `data`. Default: what is sent, if it is a map"),
    events: z
      .array(text)
      .min(1)
      .optional()
      .describe("Which of its events trigger, as far as they are signed: of `github` by the payload. Default all"),
  })
  .meta({ id: "WebhookSource" });

const files = z
  .strictObject({
    directory: text,
    work_directory: text
      .optional()
      .describe("Where claimed, rejected and processed files are kept: outside of what others may write. Default: `directory`"),
    pipeline: name.optional().describe("Meant by files that name none"),
    keep_processed: z.boolean().optional(),
    polling: z.union([z.literal(false), duration]).optional(),
    rescan: duration.optional(),
    settle: duration.optional(),
    size_limit: whole.optional(),
  })
  .meta({ id: "TriggerFiles" });

/** What may start pipelines from outside. */
export const triggers = z
  .strictObject({
    api: api.optional(),
    webhooks: z.array(webhookSource).optional().describe("With it, only these sources may send"),
    files: files.optional().describe("A directory where trigger files are dropped; needs the package chokidar, or `polling`"),
    sensors: patternSensors.optional().describe("What the sensors of event-driven patterns need to know"),
  })
  .meta({ id: "Triggers" });

/** What must hold for every pipeline, or for some. */
export const conditionalExecution = z
  .strictObject({
    pipelines: names.optional().describe("For which. Default all"),
    maintenance_windows: z.array(timeWindow).optional(),
    data_freshness: z
      .strictObject({
        staleness_threshold_hours: z.number().positive().optional().describe("Hours. Needed unless `older_than` is given"),
        ...stale.shape,
        older_than: duration.optional().describe("Needed unless `staleness_threshold_hours` is given"),
      })
      .superRefine(({ staleness_threshold_hours, older_than }, context) => {
        if ((staleness_threshold_hours === undefined) === (older_than === undefined))
          context.addIssue("give staleness_threshold_hours or older_than");
      })
      .optional()
      .describe("Runs only when the data is stale"),
    system_health: systemLoad.optional(),
    external_dependencies: z.array(dependency).optional(),
    conditions: z.array(condition).optional(),
    on_block: onBlock.optional().describe("Of pipelines that do not say. Default skip"),
    hold_for: duration.optional(),
    recheck_interval: duration.optional(),
  })
  .meta({ id: "ConditionalExecution" });

/** How pipelines that say `adaptive: true` adapt their interval. */
export const adaptiveScheduling = z
  .strictObject({
    enabled: z.boolean().default(true).describe("`false`: they run at the base interval"),
    base_interval_minutes: z.number().positive().default(60),
    min_interval_minutes: z.number().positive().default(30),
    max_interval_minutes: z.number().positive().default(240),
    performance_thresholds: z
      .strictObject({
        success_rate_min: z.number().min(0).max(1).default(0.95).describe("Runs more often when more runs than this succeed …"),
        avg_duration_max_minutes: z
          .number()
          .positive()
          .default(30)
          .describe("… and take less than this; less often when fewer than 0.8 succeed"),
      })
      .prefault({}),
  })
  .meta({ id: "AdaptiveScheduling" });

/** What there is to share. */
export const resources = z
  .strictObject({
    pools: z
      .record(name, whole)
      .optional()
      .describe("Slots by pool: how many runs of the pipelines in it are active at once, over all nodes"),
    max_active_runs: whole.optional().describe("Over all pipelines and nodes"),
    node: text
      .optional()
      .describe(
        "The name of this node, unique among those on one store; a node that died is no longer lost when it restarts under its name. Default: host, process id and a random part",
      ),
    lease_duration: duration.optional().describe("How long a node may be silent before its work is taken from it. Default 30s"),
    misfire_threshold: duration.optional().describe("Default 30s"),
    cancel_grace_period: duration.optional().describe("How long a run may go on after its signal. Default 10s"),
    drain: duration.default("30s").describe("How long running work may go on when the service stops"),
    retention: z
      .strictObject({
        count: z
          .int()
          .min(0)
          .optional()
          .describe(
            "Ended triggers and dropped fire times of all pipelines; beyond it the pipeline that has most loses its oldest. Default 1,000,000 (in memory 10,000)",
          ),
        count_per_pipeline: z.int().min(0).nullable().optional().describe("The same of each pipeline. Default null: no limit but count"),
        max_age: duration.optional().describe("Default 90d (in memory 30d)"),
        audit: duration.nullable().optional().describe("Of the audit log. Default 400d; null keeps it all"),
      })
      .optional(),
  })
  .meta({ id: "Resources" });

const token = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "must be 1 to 40 small letters, digits or dashes"),
    role: z.enum(["viewer", "operator", "admin"]),
    token: secret,
    pipelines: names.optional().describe("Limits it to these. Default all"),
    user: text.max(200).optional().describe("The name that its holder acts as. Default: its id"),
    acts_for_others: z.boolean().optional().describe("Lets its holder act as anybody, by the field `user` of requests. Default false"),
  })
  .meta({ id: "Token" });

const audit = z
  .strictObject({
    key: secret
      .optional()
      .describe("Seals every record with HMAC-SHA256. At least 32 characters, the same on all nodes. Default: SHA-256 without a key"),
    previous_keys: z.array(secret).optional().describe("Keys of records that were sealed before, or that other nodes have already"),
    head_interval: duration.optional().describe("How long after a record its hash is in the log of the service, at most. Default 10m"),
  })
  .meta({ id: "Audit" });

/** Who may do what. */
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
        "Secrets that must not be kept in what runs print. Hidden anyway: those of this file, what variables, `env` and `headers` hold, and passwords, tokens and keys in addresses",
      ),
    redact_except: z
      .array(text)
      .optional()
      .describe("Values of variables, `env` and `headers` that are no secrets, such as the name of a table. Default none"),
    allow_private_networks: privateNetworks.optional().describe("Which addresses external dependencies that are set at run time may have"),
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
