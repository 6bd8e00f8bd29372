import { z } from "zod";
import { businessDays, duration, name, onBlock, onError, oneOf, privateNetworks, text, texts, timeWindow, whole } from "./primitives.js";

const probeCommon = {
  name: text.max(100).optional().describe("What findings call it. Default: what it asks"),
  timeout: duration.optional().describe("Default 5s"),
  retries: z.int().min(0).optional().describe("How often one that failed is tried again at once. Default 1"),
  ttl: duration.optional().describe("How long a value is shared. Default 5s"),
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
    file: text.optional().describe("A file: when it was changed last"),
    http: z.strictObject({ ...httpQuestion, path: z.string().describe("Where the instant stands in the JSON") }).optional(),
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
  cpu: percent.optional().describe("Percent of the processors' time"),
  memory: percent.optional().describe("Percent of the memory"),
  queue_length: z.int().min(0).optional().describe("Triggers that wait"),
  disk: z.strictObject({ path: text, percent }).optional().describe("Space taken where a path is"),
  ...asking,
});

/** An external system, as `PUT /api/v1/schedule/config` takes it too. */
export const dependency = z
  .strictObject({
    type: z.enum(["http", "tcp", "file", "sql"]),
    name: text.max(100).optional(),
    timeout_ms: z.int().min(1).max(600_000).optional(),
    url: url.optional().describe("Of http and sql"),
    status: z.int().optional().describe("Of http. Default: any 2xx"),
    host: text.optional().describe("Of tcp"),
    port: z.int().min(1).max(65_535).optional().describe("Of tcp"),
    path: text.optional().describe("Of file"),
    query: text.optional().describe("Of sql. Default `SELECT 1`"),
    connection: name.optional().describe("Of http, file and sql: instead of an address, the name of a connection"),
    query_name: name.optional().describe("Of sql with a connection: one of its queries"),
  })
  .superRefine((one, context) => {
    if (one.connection !== undefined) {
      const allowed = ["connection", "type", "name", "timeout_ms", ...(one.type === "sql" ? ["query_name"] : [])];
      if (one.type === "tcp") context.addIssue("type tcp has no connection; give host and port");
      for (const key of Object.keys(one)) if (!allowed.includes(key)) context.addIssue(`${key} does not go with a connection`);
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
    for (const key of wanted) if ((one as Record<string, unknown>)[key] === undefined) context.addIssue(`type ${one.type} needs ${key}`);
    for (const key of Object.keys(one)) if (!allowed.includes(key)) context.addIssue(`${key} does not go with type ${one.type}`);
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
    .describe("It is outside these windows"),
  business_day: z
    .strictObject({ ...businessDays.shape, ...common })
    .optional()
    .describe("It is neither a weekend nor a holiday"),
  healthy: z
    .strictObject({ probes: z.array(probe).min(1), ...asking })
    .optional()
    .describe("All of these are healthy"),
  depends_on: z
    .union([z.array(dependency).min(1), dependency])
    .optional()
    .describe("External systems answer"),
  system_load: systemLoad.optional().describe("This machine is not busier than this"),
  data_volume: z
    .strictObject({
      source: z.strictObject({ sql: z.strictObject({ ...sqlQuestion, query: text }), ...probeCommon }),
      min: z.number().optional(),
      max: z.number().optional(),
      ...asking,
    })
    .optional()
    .describe("There is enough to do, and not too much"),
  succeeded: z
    .strictObject({ pipeline: name, within: duration.optional(), ...common })
    .optional()
    .describe("Another pipeline has succeeded"),
  max_per_period: z
    .strictObject({ count: whole, period: duration, ...common })
    .optional()
    .describe("Fewer runs than this have started"),
};

export interface ConditionConfig extends z.output<z.ZodObject<typeof forms>> {
  all_of?: ConditionConfig[] | undefined;
  any_of?: ConditionConfig[] | undefined;
  not?: ConditionConfig | undefined;
}

/** What must hold for a run: one key says which condition it is. */
export const condition: z.ZodType<ConditionConfig, ConditionConfig> = z
  .strictObject({
    ...forms,
    all_of: z
      .lazy(() => z.array(condition).min(1))
      .optional()
      .describe("All of these pass"),
    any_of: z
      .lazy(() => z.array(condition).min(1))
      .optional()
      .describe("Any of these passes"),
    not: z
      .lazy(() => condition)
      .optional()
      .describe("This one blocks"),
  })
  .superRefine(oneOf(...KINDS))
  .meta({ id: "Condition" });

export type StaleConfig = z.output<typeof stale>;
export type ProbeConfig = z.output<typeof probe>;
export type DependencyConfig = z.output<typeof dependency>;
