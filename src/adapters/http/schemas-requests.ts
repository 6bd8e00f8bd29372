import { z } from "zod";
import { ROLES } from "../../ports/scheduler-api/tokens.js";
import { PRIORITIES, TRIGGER_KINDS } from "../../trigger/trigger.js";

/** Schemas of what is sent: the OpenAPI document and the checks of requests come from them. Names are those of its components. */
const id = z.string().min(1).max(128);
const text = (longest: number) => z.string().min(1).max(longest);
const instant = z.iso.datetime({ offset: true });

const priority = z.enum(PRIORITIES);
const named = { pipeline: id.optional(), dag_id: id.optional() };
const act = { reason: text(1_000).optional(), user: text(200).optional() };
const parameters = z.record(z.string(), z.unknown());

export const triggerBody = z
  .strictObject({ ...named, ...act, parameters: parameters.optional(), priority: priority.optional(), not_before: instant.optional() })
  .meta({ id: "TriggerRequest" });
export const immediateBody = z
  .strictObject({ ...named, ...act, parameters: parameters.optional(), force: z.boolean().optional() })
  .meta({ id: "ImmediateRequest" });
export const webhookBody = z
  .strictObject({ ...named, source: text(128), event: text(200).optional(), data: z.unknown().optional(), priority: priority.optional() })
  .meta({ id: "WebhookRequest" });
export const actBody = z.strictObject({ ...named, ...act }).meta({ id: "ActRequest" });
export const rerunBody = z.strictObject({ ...named, ...act, priority: priority.optional() }).meta({ id: "RerunRequest" });
const selection = {
  all: z.boolean().optional().describe("Everything"),
  pipelines: z.array(id).min(1).max(1_000).optional().describe("Each of these pipelines"),
  tag: text(100).optional().describe("The pipelines with this tag"),
  owner: text(200).optional().describe("The pipelines with this owner"),
};
export const pauseBody = z
  .strictObject({
    ...named,
    ...selection,
    ...act,
    duration_minutes: z.number().positive().max(525_600).optional().describe("Resumes by itself after this"),
    until: instant.optional().describe("Resumes by itself at this instant; not together with `duration_minutes`"),
  })
  .meta({ id: "PauseRequest" });
export const resumeBody = z.strictObject({ ...named, ...selection, ...act }).meta({ id: "ResumeRequest" });
const fireTimes = z.array(instant).min(1).max(100);
export const skipBody = z
  .strictObject({
    ...act,
    fire_times: fireTimes.optional().describe("The fire times to leave out, each exactly one of the schedule's"),
    next: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe("The number of the next fire times to leave out; default 1. Not together with `fire_times`"),
  })
  .meta({ id: "SkipRequest" });
export const unskipBody = z
  .strictObject({ ...act, fire_times: fireTimes.optional().describe("Default: all of the pipeline") })
  .meta({ id: "UnskipRequest" });
export const backfillBody = z
  .strictObject({ ...act, from: instant, to: instant.optional(), priority: priority.optional(), parameters: parameters.optional() })
  .meta({ id: "BackfillRequest" });

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "must be a time of day such as 02:00");
const day = z.enum(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], {
  error: "must be a day's English name in lower case: monday, tuesday, wednesday, thursday, friday, saturday or sunday",
});
const recurring = {
  start: clockTime,
  end: clockTime,
  days: z.array(day).min(1).max(7).nullish(),
  time_zone: text(64).optional(),
  description: text(200).nullish(),
};
const single = { from: instant, until: instant, description: text(200).nullish() };
export const windowIn = z.union([z.strictObject(recurring), z.strictObject(single)]).meta({ id: "TimeWindow" });
export const maintenanceBody = z
  .union([z.strictObject({ ...recurring, ...named, ...act }), z.strictObject({ ...single, ...named, ...act })])
  .meta({ id: "MaintenanceRequest" });
const dependencyCommon = { name: text(100).optional(), timeout_ms: z.int().min(1).max(60_000).optional() };
const connection = z.string({ error: "must be the name of a declared connection" }).min(1).max(128);
/** Says what to do instead, when a database or a file is named by its address. */
const byName = {
  error: (issue: { readonly code?: string }) =>
    issue.code === "unrecognized_keys"
      ? 'a database or a file cannot be set by url, query or path at run time: declare it under connections (of createScheduler, or of the configuration file) and name it, such as { "type": "sql", "connection": "warehouse" }'
      : undefined,
};
const dependency = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("http"),
      url: z
        .url({ protocol: /^https?$/ })
        .max(2_000)
        .optional()
        .describe("Must not contain secrets, since it is visible to everyone with access to the settings. Either this or connection"),
      connection: connection.optional().describe("Name of a declared connection"),
      status: z.int().min(100).max(599).optional().describe("Only with url"),
      ...dependencyCommon,
    }),
    z.strictObject({ type: z.literal("tcp"), host: text(255), port: z.int().min(1).max(65_535), ...dependencyCommon }),
    z.strictObject(
      { type: z.literal("file"), connection: connection.describe("Name of a declared connection"), ...dependencyCommon },
      byName,
    ),
    z.strictObject(
      {
        type: z.literal("sql"),
        connection: connection.describe("Name of a declared connection"),
        query_name: connection.optional().describe("Name of one of its queries. Default: its main query"),
        ...dependencyCommon,
      },
      byName,
    ),
  ])
  .meta({ id: "ExternalDependency" });
export const settingsBody = z
  .strictObject({
    ...named,
    schedule_interval_minutes: z
      .number()
      .min(1 / 60, "Too small: expected at least one second (1/60)")
      .max(525_600)
      .nullish(),
    staleness_threshold_hours: z.number().min(0).max(87_600).nullish(),
    maintenance_windows: z.array(windowIn).max(100).nullish(),
    external_dependencies: z.array(dependency).max(100).nullish(),
    auto_scaling_enabled: z.boolean().nullish(),
    max_concurrent_runs: z.int().min(1).max(100_000).nullish(),
    overrides: z.array(z.unknown()).optional().describe("Accepted as it was read; read-only."),
    effective: z.unknown().optional().describe("Accepted as it was read; read-only."),
    ...act,
  })
  .meta({ id: "SettingsRequest" });
export const tokenBody = z
  .strictObject({
    role: z.enum(ROLES),
    pipelines: z.array(id).min(1).max(1_000).optional(),
    description: text(200).optional(),
    user: act.user,
    acts_for_others: z.boolean().optional(),
    expires_in_minutes: z.number().positive().max(5_256_000).optional(),
  })
  .meta({ id: "TokenRequest" });
export const rotateBody = z.strictObject({ overlap_minutes: z.number().min(0).max(525_600).optional() }).meta({ id: "RotateRequest" });

const many = z.string().max(500);
const page = { limit: z.coerce.number().int().min(1).max(1_000).optional(), cursor: text(200).optional() };
export const listQuery = z.strictObject(page);
const span = { from: instant.optional(), until: instant.optional() };
export const dismissQuery = z.strictObject(act);
export const namedQuery = z.strictObject(named);
export const pendingQuery = z.strictObject({ ...named, ...page });
export const cancelManyBody = z
  .strictObject({
    pipelines: z.array(id).min(1).max(1_000).optional().describe("Of these pipelines"),
    tag: text(100).optional().describe("Of pipelines with this tag"),
    owner: text(200).optional().describe("Of pipelines with this owner"),
    status: z.enum(["waiting", "active", "all"]).optional().describe("What waits (default), what runs, or both"),
    kind: z.array(z.enum(TRIGGER_KINDS)).min(1).optional(),
    ...span,
    everything: z.boolean().optional().describe("Over all pipelines, where nothing else says what is meant"),
    preview: z.boolean().optional().describe("Cancels nothing, and answers what would be"),
    ...act,
  })
  .meta({ id: "CancelManyRequest" });
/** Pipelines of a list over all of them. */
export const selectingQuery = {
  pipeline: text(13_000).optional().describe("Only of these pipelines, with commas between them"),
  tag: text(100).optional().describe("Only of pipelines with this tag"),
  owner: text(200).optional().describe("Only of pipelines with this owner"),
};
export const triggersQuery = z.strictObject({ status: many.optional(), kind: many.optional(), ...span, ...page });
export const runsQuery = z.strictObject({ status: many.optional(), ...span, ...page });
export const decisionsQuery = z.strictObject({ outcome: many.optional(), ...span, ...page });
export const upcomingQuery = z.strictObject({
  limit: page.limit,
  count: page.limit.describe("Alias of limit."),
  cursor: instant.optional(),
  ...span,
});
export const explainQuery = z.strictObject({ at: instant.optional() });
export const auditQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
});

const auditHash = z.string().regex(/^[0-9a-f]{12,64}$/, "must be 12 to 64 hexadecimal digits");
export const auditVerifyQuery = z.strictObject({
  seq: z.coerce.number().int().min(1).optional(),
  hash: auditHash.optional(),
  limit: z.coerce.number().int().min(1).max(1_000_000).optional(),
  cursor: z
    .string()
    .regex(/^\d{1,15}\.[0-9a-f]{12,64}$/)
    .optional(),
});
