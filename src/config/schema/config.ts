import { z } from "zod";
import { executor, executorUse } from "./executors.js";
import { monitoring } from "./monitoring.js";
import { calendar, pattern, pipeline } from "./pipelines.js";
import { adaptiveScheduling, conditionalExecution, logging, resources, security, store, triggers } from "./sections.js";
import { name, timeZone } from "./words.js";

const patternName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores");

const sections = {
  time_zone: timeZone.optional().describe("Of cron schedules and windows that name none. Default UTC"),
  pipelines: z.record(name, pipeline).describe("By id"),
  patterns: z.record(patternName, pattern).optional().describe("Patterns of one's own, by name"),
  business_patterns: z.record(patternName, pattern).optional().describe("The same, told apart for people"),
  calendars: z.record(name, calendar).optional().describe("Windows and business days that schedules name"),
  executors: z.record(name, executor).optional().describe("Who carries runs out, by name"),
  default_executor: executorUse.optional().describe("Of pipelines that name none"),
  triggers: triggers.optional(),
  conditional_execution: conditionalExecution.optional(),
  adaptive_scheduling: adaptiveScheduling.optional(),
  monitoring: monitoring.optional(),
  resources: resources.optional(),
  security: security.optional(),
  store: store.optional(),
  logging: logging.optional(),
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
