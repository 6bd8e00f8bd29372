import { z } from "zod";
import { DECISION_OUTCOMES, FINDING_RESULTS } from "../../gate/finding.js";
import { ROLES } from "../../ports/scheduler-api/tokens.js";
import { RUN_STATUSES } from "../../run/run.js";
import { CATCHUP_CAUSES, PRIORITIES, TRIGGER_STATUSES } from "../../trigger/trigger.js";

/** Schemas of what is answered, for the OpenAPI document. Names are those of its components. */
const instant = z.iso.datetime({ offset: true });
const priority = z.enum(PRIORITIES);
const maybeInstant = instant.nullable();
const maybeText = z.string().nullable();
const omitted = z
  .array(z.string())
  .optional()
  .describe("Fields too large for this response: they are null or truncated. GET the item itself for the full values.");
const pauseFacts = { reason: maybeText, user: maybeText, is_global: z.boolean() };
/** Reason why a fire time was made, or dropped, late. */
const lateCause = z.object({
  cause: z.enum(CATCHUP_CAUSES),
  from: maybeInstant,
  until: instant,
  pause: z.object({ ...pauseFacts }).nullable(),
});
export const trigger = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    kind: z.string(),
    status: z.enum(TRIGGER_STATUSES),
    priority,
    scheduled_for: maybeInstant,
    interval: z
      .object({ start: instant, end: instant })
      .nullable()
      .describe("The span of time that its run is for, `end` exclusive; null when nothing was scheduled"),
    idempotency_key: maybeText,
    reason: maybeText,
    user: maybeText,
    requested_by: maybeText,
    parameters: z.unknown(),
    created_at: instant,
    available_at: instant,
    expires_at: maybeInstant,
    is_forced: z.boolean(),
    run_id: maybeText,
    ended_at: maybeInstant,
    end_reason: maybeText,
    ended_by: maybeText,
    supersedes: maybeText,
    superseded_by: maybeText,
    rerun_of: maybeText.describe("The run that it repeats; null for none"),
    catchup: lateCause.nullable(),
    omitted,
  })
  .meta({ id: "Trigger" });
const runError = z
  .object({
    message: z.string(),
    code: maybeText,
    stack: z.string().optional().meta({ description: "Where it was thrown. Absent if no code failed, such as for a timeout." }),
    cause: z.unknown().optional().meta({ description: "The error that caused it, in the same form." }),
  })
  .nullable();
export const run = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    trigger_id: z.string(),
    status: z.enum(RUN_STATUSES),
    scheduled_for: maybeInstant,
    attempt: z.int(),
    node: z.string(),
    started_at: instant,
    attempt_started_at: instant,
    ended_at: maybeInstant,
    retry_at: maybeInstant,
    output: z.unknown(),
    error: runError,
    progress: z.unknown(),
    attempts: z.array(z.unknown()),
    omitted,
  })
  .meta({ id: "Run" });
const finding = z.object({
  condition: z.string(),
  result: z.enum(FINDING_RESULTS),
  reason: z.string(),
  evidence: z.unknown(),
  recheck_at: maybeInstant,
  omitted,
});
const by = { at: instant, reason: maybeText, user: maybeText };
export const decision = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    trigger_id: maybeText,
    kind: z.string(),
    scheduled_for: maybeInstant,
    at: instant,
    outcome: z.enum(DECISION_OUTCOMES),
    reason: z.string(),
    findings: z.array(finding),
    repeated: z
      .object({ count: z.int(), last_at: instant })
      .nullable()
      .describe(
        "Consecutive holds with the same findings, stored as one: how many checks, and the time of the last one. Null: a single check",
      ),
    missed: z
      .object({
        count: z.int(),
        last_at: instant,
        cause: lateCause.nullable(),
        pause: z
          .object({
            at: instant,
            until: instant,
            reason: maybeText,
            user: maybeText,
            is_global: z.boolean().describe("Everything was paused, not only this pipeline"),
          })
          .nullable()
          .describe("The pause that covered the dropped fire times; null when none did"),
        skip: z.object(by).nullable().describe("When, why and by whom the fire time was skipped; null when nobody did"),
      })
      .nullable(),
    omitted,
  })
  .meta({ id: "Decision" });
export const triggerStatus = z
  .object({ trigger, run: run.nullable(), decisions: z.array(decision), omitted })
  .meta({ id: "TriggerStatus" });
export const cancelledMany = z
  .object({
    count: z.int(),
    items: z.array(trigger),
    is_complete: z.boolean().describe("False: there may be more; send the request again"),
    omitted,
  })
  .meta({ id: "CancelledMany" });
const pause = z.object({ at: instant, until: maybeInstant, reason: maybeText, user: maybeText }).nullable();
const skippedFire = z.object({ fire_at: instant, ...by }).meta({ id: "SkippedFireTime" });
export const skipped = z.object({ pipeline: z.string(), skips: z.array(skippedFire) }).meta({ id: "SkippedFireTimes" });
export const pipeline = z
  .object({
    id: z.string(),
    description: maybeText,
    tags: z.array(z.string()),
    owner: maybeText,
    schedule: z.string(),
    next_fire_at: maybeInstant,
    last_fire_at: maybeInstant,
    last_success_at: maybeInstant,
    active_runs: z.int(),
    max_concurrent_runs: z.int(),
    conditions: z.array(z.string()),
    paused: z.boolean(),
    pause,
    skips: z.array(skippedFire).describe("Fire times that will be left out, in order"),
  })
  .meta({ id: "Pipeline" });
const origin = { source: z.enum(["code", "file", "override"]), at: maybeInstant, user: maybeText };
export const maintenance = z
  .object({ id: z.string(), pipeline: maybeText, created_at: instant, user: maybeText, description: maybeText })
  .loose()
  .meta({ id: "Maintenance" });
const setting = <T extends z.ZodType>(value: T) => z.object({ value, ...origin });
const effective = z
  .object({
    schedule: setting(z.string()),
    schedule_interval_minutes: setting(z.number().nullable()),
    staleness_threshold_hours: setting(z.number().nullable()),
    auto_scaling_enabled: setting(z.boolean().nullable()),
    max_concurrent_runs: setting(z.int()),
    maintenance_windows: z.array(z.object({ id: maybeText, is_for_all: z.boolean(), description: maybeText, ...origin }).loose()),
    conditions: z.array(z.object({ name: z.string(), dependency: z.unknown(), ...origin })),
  })
  .describe("All effective settings with their sources. Read-only.");
export const settings = z
  .object({
    pipeline: z.string(),
    schedule_interval_minutes: z.number().nullable(),
    staleness_threshold_hours: z.number().nullable(),
    maintenance_windows: z.array(z.unknown()),
    external_dependencies: z.array(z.unknown()),
    auto_scaling_enabled: z.boolean().nullable(),
    max_concurrent_runs: z.int().nullable(),
    overrides: z.array(z.object({ field: z.string(), at: maybeInstant, user: maybeText })),
    effective,
  })
  .meta({ id: "Settings" });
export const token = z
  .object({
    id: z.string(),
    role: z.enum(ROLES),
    pipelines: z.array(z.string()).nullable(),
    description: maybeText,
    user: maybeText,
    acts_for_others: z.boolean(),
    created_at: instant,
    created_by: maybeText,
    expires_at: maybeInstant,
    revoked_at: maybeInstant,
    previous_until: maybeInstant,
    omitted,
  })
  .meta({ id: "Token" });
export const issuedToken = token.extend({ token: z.string() }).meta({ id: "IssuedToken" });
export const audit = z
  .object({
    seq: z.int(),
    at: instant,
    kind: z.enum(["call", "change"]),
    action: z.string(),
    outcome: z.string(),
    pipeline: maybeText,
    ids: z.array(z.string()),
    user: maybeText,
    token: maybeText,
    role: maybeText,
    address: maybeText,
    request_id: maybeText,
    reason: maybeText,
    before: z.unknown(),
    after: z.unknown(),
    sum: z.object({ count: z.int(), first_at: instant, last_at: instant }).nullable(),
    previous: z.string(),
    hash: z.string(),
    key_id: maybeText,
    omitted,
  })
  .meta({ id: "AuditRecord" });
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    request_id: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
    pipelines: z.array(z.string()).optional(),
  })
  .meta({ id: "Problem" });

export function pageOf(item: z.ZodType) {
  return z.object({ items: z.array(item), next_cursor: maybeText });
}

const openMatter = z
  .object({
    kind: z.enum(["condition", "slot", "pool", "limit", "executor", "interval", "retry", "pause"]),
    name: maybeText,
    reason: z.string(),
  })
  .meta({ id: "OpenMatter" });
export const upcomingFire = z
  .object({
    pipeline: z.string(),
    at: instant,
    answer: z.enum(["will_run", "may_run", "will_wait", "will_skip", "may_skip", "will_miss", "will_expire"]),
    reason: z.string(),
    depends_on: z.array(openMatter),
  })
  .meta({ id: "UpcomingFire" });
export const explanation = z
  .object({
    pipeline: z.string(),
    at: instant,
    answer: z.string(),
    text: z.string(),
    trigger: trigger.nullable(),
    decisions: z.array(decision),
    run: run.nullable(),
    findings: z.array(finding),
    depends_on: z.array(openMatter),
    next_fire_at: maybeInstant,
    omitted,
  })
  .meta({ id: "Explanation" });
export const backfilled = z.object({ count: z.int(), items: z.array(trigger), omitted }).meta({ id: "Backfill" });
export const paused = z
  .object({
    pipeline: maybeText.describe("Null: everything, or several"),
    pipelines: z.array(z.string()).nullable().describe("The pipelines that were meant; null: everything"),
    paused: z.boolean(),
    pause,
  })
  .meta({ id: "Paused" });
export const maintenanceList = pageOf(maintenance);
export const tokenList = pageOf(token);
export const auditHead = z.object({ seq: z.int(), hash: z.string() }).meta({ id: "AuditHead" });
export const auditCheck = z
  .object({
    is_intact: z.boolean(),
    records: z.int(),
    problem: z.object({ seq: z.int(), problem: z.string() }).nullable(),
    head: auditHead,
    anchor: z.enum(["kept", "pruned", "changed", "missing"]).nullable(),
    next_cursor: maybeText,
  })
  .meta({ id: "AuditCheck" });
export const health = z
  .object({ status: z.enum(["ok", "unavailable"]), reason: z.string().optional().describe("Reason why it is unavailable") })
  .meta({ id: "Health" });
export const info = z
  .object({
    name: z.string(),
    node: z.string(),
    phase: z.string(),
    is_ready: z.boolean(),
    not_ready_reason: maybeText,
    now: instant,
    pipelines: z.int(),
    active_runs: z.int(),
    unrecorded_ends: z.int().meta({ description: "Runs that ended on this node and are not yet recorded in the store" }),
    next_fire_at: maybeInstant,
    last_round_at: maybeInstant,
    clock_ahead_ms: z.number().nullable(),
    clock_correction_ms: z.number(),
    pause,
    store: z.object({ name: z.string(), is_available: z.boolean(), unavailable_since: maybeInstant }),
  })
  .meta({ id: "Info" });
