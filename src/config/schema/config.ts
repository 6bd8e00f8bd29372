import { z } from "zod";
import { connection } from "./connections.js";
import { executor, executorUse } from "./executors.js";
import { monitoring } from "./monitoring.js";
import { calendar, pattern, pipeline } from "./pipelines.js";
import { name, timeZone } from "./primitives.js";
import { adaptiveScheduling, conditionalExecution, logging, resources, security, store, triggers } from "./sections.js";

const patternName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores");

const sections = {
  time_zone: timeZone.optional().describe("Time zone of cron schedules and windows that name none. Default UTC"),
  pipelines: z.record(name, pipeline).describe("The pipelines by id"),
  patterns: z.record(patternName, pattern).optional().describe("Custom patterns by name"),
  business_patterns: z
    .record(patternName, pattern)
    .optional()
    .describe("Custom patterns by name, kept in a section of their own for readers"),
  calendars: z.record(name, calendar).optional().describe("Windows and business days, by the name that schedules refer to"),
  connections: z
    .record(name, connection)
    .optional()
    .describe("Databases, files and servers that dependencies refer to by name, including those set at run time"),
  executors: z.record(name, executor).optional().describe("Executors by name"),
  default_executor: executorUse.optional().describe("Executor of pipelines that name none"),
  triggers: triggers.optional().describe("External triggers"),
  conditional_execution: conditionalExecution.optional().describe("Conditions of all pipelines, or of some"),
  adaptive_scheduling: adaptiveScheduling.optional().describe("Adaptive interval of pipelines with `adaptive: true`"),
  monitoring: monitoring.optional().describe("Statistics, alert rules, channels and routes; with this section alerts are raised"),
  resources: resources.optional().describe("Pools, limits, retention"),
  security: security.optional().describe("Tokens, roles, rate limits, secrets; the audit log is always kept"),
  store: store.optional().describe("Where state is stored"),
  logging: logging.optional().describe("Logging of `headgate serve`"),
};

/** The whole file: the one source of types, checks, the JSON Schema and the reference. */
export const configFile = z.strictObject({
  include: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("Files to merge, by paths relative to this file and below its directory; later files override earlier ones"),
  environments: z
    .record(z.string(), z.strictObject(sections).partial())
    .optional()
    .describe("Overrides by environment (`production`, `development`, `testing` or your own), selected by HEADGATE_ENV, else NODE_ENV"),
  ...sections,
});

/** The configuration after includes and the environment are applied. */
export const settledConfig = z.strictObject(sections);

/** Schema of `schedule_config.yaml`. */
export type ConfigFile = z.input<typeof configFile>;
export type SettledConfig = z.output<typeof settledConfig>;
