import { z } from "zod";
import { businessDays, duration, name, onBlock, onError, oneOf, privateNetworks, text, texts, timeWindow, whole } from "./primitives.js";

const probeCommon = {
  name: text.max(100).optional().describe("Name in findings. Default: what it measures"),
  timeout: duration.optional().describe("Default 5s"),
  retries: z.int().min(0).optional().describe("Immediate retries after a failure. Default 1"),
  ttl: duration.optional().describe("How long a value is shared between evaluations. Default 5s"),
};
const url = z.string().min(1);
const httpQuestion = {
  url,
  method: z.enum(["GET", "HEAD", "POST"]).optional(),
  headers: texts.optional(),
  body: z.string().optional(),
  allow_private_networks: privateNetworks.optional(),
};
const sqlQuestion = { url: url.describe("`postgres://…` or `sqlite:path`"), allow_private_networks: privateNetworks.optional() };

/** Something outside that is healthy or not. */
const probe = z
  .strictObject({
    http: z
      .strictObject({
        ...httpQuestion,
        status: z
          .union([z.int(), z.array(z.int()).min(1)])
          .optional()
          .describe("Default: any 2xx"),
        json: z.strictObject({ path: z.string(), equals: z.unknown().optional() }).optional(),
        max_latency: duration.optional(),
      })
      .optional(),
    tcp: z.strictObject({ host: text, port: z.int().min(1).max(65_535), allow_private_networks: privateNetworks.optional() }).optional(),
    sql: z.strictObject({ ...sqlQuestion, query: text.optional() }).optional(),
    command: z
      .strictObject({ command: text, args: z.array(z.string()).optional(), env: texts.optional(), cwd: text.optional() })
      .optional(),
    airflow: z.strictObject({ base_url: url.optional(), api_version: z.union([z.literal(1), z.literal(2)]).optional() }).optional(),
    ...probeCommon,
  })
  .superRefine(oneOf("http", "tcp", "sql", "command", "airflow"))
  .meta({ id: "Probe" });

/** When data was made. */
const timestampSource = z
  .strictObject({
    file: text.optional().describe("Path of a file: its last modification time"),
    http: z.strictObject({ ...httpQuestion, path: z.string().describe("JSON path of the timestamp") }).optional(),
    sql: z.strictObject({ ...sqlQuestion, query: text }).optional(),
    ...probeCommon,
  })
  .superRefine(oneOf("file", "http", "sql"));

const common = { on_block: onBlock.optional().describe("Default: the pipeline's") };
const asking = { ...common, on_error: onError.optional() };

export const stale = z.strictObject({
  older_than: duration,
  source: timestampSource.optional().describe("Default: the pipeline's last success"),
  ...asking,
});
const percent = z.number().gt(0).max(100);
export const systemLoad = z.strictObject({
  cpu: percent.optional().describe("CPU usage (%)"),
  memory: percent.optional().describe("Memory usage (%)"),
  queue_length: z.int().min(0).optional().describe("Number of waiting triggers"),
  disk: z.strictObject({ path: text, percent }).optional().describe("Disk usage (%) of the file system of this path"),
  ...asking,
});

/** An external system, as `PUT /api/v1/schedule/config` takes it too. */
export const dependency = z
  .strictObject({
    type: z.enum(["http", "tcp", "file", "sql"]),
    name: text.max(100).optional(),
    timeout_ms: z.int().min(1).max(600_000).optional(),
    url: url.optional().describe("http and sql only"),
    status: z.int().optional().describe("http only. Default: any 2xx"),
    host: text.optional().describe("tcp only"),
    port: z.int().min(1).max(65_535).optional().describe("tcp only"),
    path: text.optional().describe("file only"),
    query: text.optional().describe("sql only. Default `SELECT 1`"),
    connection: name.optional().describe("http, file and sql only: the name of a connection, in place of an address"),
    query_name: name.optional().describe("sql with a connection only: the name of one of its queries"),
  })
  .superRefine((one, context) => {
    if (one.connection !== undefined) {
      const allowed = ["connection", "type", "name", "timeout_ms", ...(one.type === "sql" ? ["query_name"] : [])];
      if (one.type === "tcp") context.addIssue("type tcp takes no connection; set host and port");
      for (const key of Object.keys(one)) if (!allowed.includes(key)) context.addIssue(`${key} cannot be combined with connection`);
      return;
    }
    const wanted = { http: ["url"], sql: ["url"], tcp: ["host", "port"], file: ["path"] }[one.type];
    const allowed = [
      ...wanted,
      ...({ http: ["status"], sql: ["query"], tcp: [], file: [] }[one.type] as string[]),
      "type",
      "name",
      "timeout_ms",
    ];
    for (const key of wanted) if ((one as Record<string, unknown>)[key] === undefined) context.addIssue(`type ${one.type} requires ${key}`);
    for (const key of Object.keys(one)) if (!allowed.includes(key)) context.addIssue(`type ${one.type} has no ${key}`);
  })
  .meta({ id: "ExternalDependency" });

const KINDS = [
  "stale",
  "maintenance_window",
  "business_day",
  "healthy",
  "depends_on",
  "system_load",
  "data_volume",
  "succeeded",
  "max_per_period",
  "all_of",
  "any_of",
  "not",
];

const forms = {
  stale: stale.optional().describe("The data is old"),
  maintenance_window: z
    .union([z.strictObject({ windows: z.array(timeWindow).min(1), ...common }), timeWindow, z.array(timeWindow).min(1)])
    .optional()
    .describe("The time is outside these windows"),
  business_day: z
    .strictObject({ ...businessDays.shape, ...common })
    .optional()
    .describe("The day is neither a weekend nor a holiday"),
  healthy: z
    .strictObject({ probes: z.array(probe).min(1), ...asking })
    .optional()
    .describe("All of these are healthy"),
  depends_on: z
    .union([z.array(dependency).min(1), dependency])
    .optional()
    .describe("External systems respond"),
  system_load: systemLoad.optional().describe("The load of this machine is below these limits"),
  data_volume: z
    .strictObject({
      source: z.strictObject({ sql: z.strictObject({ ...sqlQuestion, query: text }), ...probeCommon }),
      min: z.number().optional(),
      max: z.number().optional(),
      ...asking,
    })
    .optional()
    .describe("The amount of data is within these bounds"),
  succeeded: z
    .strictObject({ pipeline: name, within: duration.optional(), ...common })
    .optional()
    .describe("Another pipeline has succeeded"),
  max_per_period: z
    .strictObject({ count: whole, period: duration, ...common })
    .optional()
    .describe("Fewer than `count` runs have started within the period"),
};

export interface ConditionConfig extends z.output<z.ZodObject<typeof forms>> {
  all_of?: ConditionConfig[] | undefined;
  any_of?: ConditionConfig[] | undefined;
  not?: ConditionConfig | undefined;
}

/** A condition of a run: one key names its kind. */
export const condition: z.ZodType<ConditionConfig, ConditionConfig> = z
  .strictObject({
    ...forms,
    all_of: z
      .lazy(() => z.array(condition).min(1))
      .optional()
      .describe("All of these conditions pass"),
    any_of: z
      .lazy(() => z.array(condition).min(1))
      .optional()
      .describe("Any of these conditions passes"),
    not: z
      .lazy(() => condition)
      .optional()
      .describe("This condition blocks"),
  })
  .superRefine(oneOf(...KINDS))
  .meta({ id: "Condition" });

export type StaleConfig = z.output<typeof stale>;
export type ProbeConfig = z.output<typeof probe>;
export type DependencyConfig = z.output<typeof dependency>;
