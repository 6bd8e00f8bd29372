import { z } from "zod";
import { SEVERITIES } from "../../monitor/alert.js";

const instant = z.iso.datetime({ offset: true });
const maybeInstant = instant.nullable();
const maybeNumber = z.number().nullable();
const spread = z.object({ count: z.int(), mean: z.number(), p50: z.number(), p95: z.number(), max: z.number() }).nullable();
const queue = z.object({ length: z.int(), oldest_at: maybeInstant });

export const statistics = z
  .object({
    pipeline: z.string().nullable(),
    window_ms: z.number(),
    active_runs: z.int(),
    queue: queue.extend({ by_priority: z.record(z.string(), queue).optional() }),
    runs: z.object({ succeeded: z.int(), failed: z.int(), timed_out: z.int(), cancelled: z.int() }),
    retries: z.int(),
    lost_attempts: z.int(),
    skipped: z.int(),
    expired: z.int(),
    superseded: z.int(),
    missed: z.int(),
    success_rate: maybeNumber,
    failure_rate: maybeNumber,
    retry_rate: maybeNumber,
    skip_rate: maybeNumber,
    duration_ms: spread,
    lag_ms: spread,
    skip_reasons: z.record(z.string(), z.int()),
    conditions: z.record(z.string(), z.object({ pass: z.int(), block: z.int() })),
    last_success_at: maybeInstant,
    last_failure_at: maybeInstant,
    consecutive_failures: z.int(),
    load: z.object({ cpu: maybeNumber, memory: maybeNumber }).optional(),
  })
  .meta({ id: "Statistics" });

export const alert = z
  .object({
    id: z.string(),
    rule: z.string(),
    severity: z.enum(SEVERITIES),
    status: z.enum(["pending", "firing"]),
    pipeline: z.string().nullable(),
    message: z.string(),
    value: maybeNumber,
    limit: maybeNumber,
    labels: z.record(z.string(), z.string()),
    since: instant,
    fired_at: maybeInstant,
    notified_at: maybeInstant,
    silenced_by: z.string().nullable(),
    run: z
      .object({
        id: z.string(),
        status: z.string(),
        attempt: z.int(),
        started_at: instant,
        ended_at: maybeInstant,
        error: z.object({ message: z.string(), code: z.string().nullable() }).nullable(),
        trigger: z
          .object({
            id: z.string(),
            kind: z.string(),
            scheduled_for: maybeInstant,
            user: z.string().nullable(),
            reason: z.string().nullable(),
          })
          .nullable(),
      })
      .nullable(),
  })
  .meta({ id: "Alert" });

const name = z.string().min(1).max(128);
export const silenceBody = z
  .strictObject({
    pipeline: name.optional(),
    dag_id: name.optional(),
    rule: name.optional(),
    tag: name.optional(),
    duration_minutes: z.number().positive().max(525_600),
    reason: z.string().min(1).max(1_000).optional(),
    user: z.string().min(1).max(200).optional(),
  })
  .meta({ id: "SilenceRequest" });
export const silence = z
  .object({
    id: z.string(),
    pipeline: z.string().nullable(),
    rule: z.string().nullable(),
    tag: z.string().nullable(),
    from: instant,
    until: instant,
    reason: z.string().nullable(),
    user: z.string().nullable(),
  })
  .meta({ id: "Silence" });

export const adaptive = z
  .object({
    pipeline: z.string(),
    interval_ms: z.number(),
    base_ms: z.number(),
    min_ms: z.number(),
    max_ms: z.number(),
    is_frozen: z.boolean(),
    is_overridden: z.boolean(),
    changes: z.array(z.object({ at: instant, from_ms: z.number(), to_ms: z.number(), reason: z.string(), user: z.string().nullable() })),
    last_look: z.object({ at: instant, reason: z.string() }).nullable(),
  })
  .meta({ id: "Adaptive" });

export const node = z
  .object({
    node: z.string(),
    seen_at: instant,
    is_lost: z.boolean(),
    active_runs: z.int(),
    cpu: maybeNumber,
    memory: maybeNumber,
    clock_ahead_ms: maybeNumber,
    failing_since: maybeInstant,
    failure: z.string().nullable(),
    failing_sensors: z.array(z.object({ pipeline: z.string(), sensor: z.string(), failures: z.int(), error: z.string().nullable() })),
    failing_probes: z.array(z.object({ probe: z.string(), failures: z.int(), error: z.string().nullable() })),
  })
  .meta({ id: "Node" });
export const nodes = z.object({ items: z.array(node), next_cursor: z.string().nullable() }).meta({ id: "Nodes" });

export const alerts = z.object({ items: z.array(alert), next_cursor: z.string().nullable() }).meta({ id: "Alerts" });
export const silences = z.object({ items: z.array(silence), next_cursor: z.string().nullable() }).meta({ id: "Silences" });
