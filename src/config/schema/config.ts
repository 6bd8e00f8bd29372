import { z } from "zod";
import { connection } from "./connections.js";
import { executor, executorUse } from "./executors.js";
import { monitoring } from "./monitoring.js";
import { calendar, pattern, pipeline } from "./pipelines.js";
import { name, timeZone } from "./primitives.js";
import { adaptiveScheduling, conditionalExecution, logging, resources, security, store, triggers } from "./sections.js";

const patternName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores");

const sections = {
  time_zone: timeZone.optional().describe("Of cron schedules and windows that name none. Default UTC"),
  pipelines: z.record(name, pipeline).describe("By id"),
  patterns: z.record(patternName, pattern).optional().describe("Patterns of one's own, by name"),
  business_patterns: z.record(patternName, pattern).optional().describe("The same, told apart for people"),
  calendars: z.record(name, calendar).optional().describe("Windows and business days that schedules name"),
  connections: z
    .record(name, connection)
    .optional()
    .describe("Databases, files and servers that dependencies name, those that are set at run time too"),
  executors: z.record(name, executor).optional().describe("Who carries runs out, by name"),
  default_executor: executorUse.optional().describe("Of pipelines that name none"),
  triggers: triggers.optional().describe("What may start pipelines from outside"),
  conditional_execution: conditionalExecution.optional().describe("What must hold for every pipeline, or for some"),
  adaptive_scheduling: adaptiveScheduling.optional().describe("How pipelines that say `adaptive: true` adapt their interval"),
  monitoring: monitoring.optional().describe("Statistics, alert rules, channels and routes; with this section alerts are raised"),
  resources: resources.optional().describe("Pools, limits, retention"),
  security: security.optional().describe("Tokens, roles, rate limits, secrets; the audit log is always kept"),
  store: store.optional().describe("Where state is kept"),
  logging: logging.optional().describe("What `headgate serve` logs"),
};

/** The whole file: the one source of types, checks, the JSON Schema and the reference. */
export const configFile = z.strictObject({
  include: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe("Files that lie below this one, by paths from here; later ones over earlier ones"),
  environments: z
    .record(z.string(), z.strictObject(sections).partial())
    .optional()
    .describe(
      "What is different in an environment (`production`, `development`, `testing`, or of one's own), chosen by HEADGATE_ENV, else NODE_ENV",
    ),
  ...sections,
});

/** What is left of it when includes and the environment are in. */
export const settledConfig = z.strictObject(sections);

/** What `schedule_config.yaml` may say. */
export type ConfigFile = z.input<typeof configFile>;
export type SettledConfig = z.output<typeof settledConfig>;
