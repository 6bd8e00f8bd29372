import { z } from "zod";
import { RUN_ENDS } from "../../run/run.js";
import { duration, name, names, oneOf, privateNetworks, text, texts } from "./primitives.js";

const timing = {
  name: text.max(100).optional(),
  every: duration.optional().describe("Default 1m"),
  timeout: duration.optional().describe("Time limit of a poll. Default 30s"),
  jitter: z.number().min(0).max(1).optional().describe("Default 0.1"),
  max_backoff: duration.optional().describe("Default 15m"),
  expect_within: duration.nullable().optional().describe("An alert is raised if no event arrives for longer than this"),
};
const sql = { url: z.string().min(1).describe("`postgres://…` or `sqlite:path`"), allow_private_networks: privateNetworks.optional() };

/** A sensor that triggers a pipeline: one key names its kind. */
export const sensor = z
  .strictObject({
    file: z
      .strictObject({
        path: text.describe("The directory"),
        pattern: z
          .union([text, z.array(text).min(1)])
          .optional()
          .describe("Glob patterns relative to it. Default `*`"),
        settle: duration.optional().describe("How long a file must remain unchanged. Default 2s"),
        existing: z.enum(["take", "ignore"]).optional().describe("Default take"),
      })
      .optional(),
    http: z
      .strictObject({
        url: z.string().min(1),
        method: z.enum(["GET", "HEAD", "POST"]).optional(),
        headers: texts.optional(),
        body: z.string().optional(),
        watch: z
          .union([z.enum(["changed", "status"]), z.strictObject({ path: z.string() })])
          .optional()
          .describe("Default changed"),
        mode: z.enum(["change", "edge", "level"]).optional(),
        equals: z.unknown().optional(),
        first: z.enum(["ignore", "take"]).optional(),
        allow_private_networks: privateNetworks.optional(),
      })
      .optional(),
    sql: z
      .strictObject({
        ...sql,
        query: text,
        cursor_column: text.optional(),
        start: z.union([z.string(), z.number()]).nullable().optional(),
        batch: z.boolean().optional(),
        mode: z.enum(["change", "edge", "level"]).optional(),
      })
      .optional(),
    changed_rows: z.strictObject({ ...sql, table: text, column: text.optional().describe("Default updated_at") }).optional(),
    pipeline: z
      .strictObject({
        pipeline: name,
        status: z.union([z.enum(RUN_ENDS), z.array(z.enum(RUN_ENDS)).min(1)]).optional(),
      })
      .optional(),
    webhook: z.strictObject({ sources: names }).optional(),
    ...timing,
  })
  .superRefine(oneOf("file", "http", "sql", "changed_rows", "pipeline", "webhook"))
  .meta({ id: "Sensor" });

/** Options of the sensors that patterns describe. */
export const patternSensors = z
  .strictObject({
    directory: text.optional().describe("Directory that contains `incoming/` for `data_arrival`. Default: the working directory"),
    base_url: z.string().optional().describe("Base URL of `/api/data/status` for `external_api_update`"),
    headers: texts.optional(),
    database: z
      .strictObject({ url: z.string().min(1), table: text.optional(), column: text.optional() })
      .optional()
      .describe("Database and table of `database_change`"),
    allow_private_networks: privateNetworks.optional(),
  })
  .meta({ id: "PatternSensors" });

export type SensorConfig = z.output<typeof sensor>;
