import type {
  AuditRecord,
  Decision,
  EffectiveSetting,
  MaintenanceWindow,
  PipelineStatus,
  Run,
  RuntimeDependency,
  SettingsView,
  SkippedFireTime,
  TokenInfo,
  Trigger,
} from "../../index.js";
import type { TimeWindow } from "../../schedule/window.js";

/** JSON form of values: snake_case, instants in ISO 8601. */
type Json = Record<string, unknown>;

/** The newest instant that was written, since many that are written in a row are the same. */
const written = { at: Number.NaN, text: "" };

export function iso(date: Date | null | undefined): string | null {
  if (date === null || date === undefined) return null;
  const at = date.getTime();
  if (at !== written.at) Object.assign(written, { at, text: date.toISOString() });
  return written.text;
}

export function triggerOut(one: Trigger): Json {
  return {
    id: one.id,
    pipeline: one.pipelineId,
    kind: one.kind,
    status: one.status,
    priority: one.priority,
    scheduled_for: iso(one.scheduledFor),
    interval: one.interval === null ? null : { start: iso(one.interval.start), end: iso(one.interval.end) },
    idempotency_key: one.idempotencyKey,
    reason: one.reason,
    user: one.user,
    requested_by: one.requestedBy,
    parameters: one.parameters,
    created_at: iso(one.createdAt),
    available_at: iso(one.availableAt),
    expires_at: iso(one.expiresAt),
    is_forced: one.isForced,
    run_id: one.runId,
    ended_at: iso(one.endedAt),
    end_reason: one.endReason,
    ended_by: one.endedBy,
    supersedes: one.supersedes,
    superseded_by: one.supersededBy,
    rerun_of: one.rerunOf,
    catchup: lateOut(one.catchup),
  };
}

function lateOut(late: Trigger["catchup"]): Json | null {
  if (late === null) return null;
  const { cause, from, until, pause = null } = late;
  return {
    cause,
    from: iso(from),
    until: iso(until),
    pause: pause === null ? null : { reason: pause.reason, user: pause.user, is_global: pause.isGlobal },
  };
}

function missedOut({ count, lastAt, cause, pause, skip }: NonNullable<Decision["missed"]>): Json {
  return {
    count,
    last_at: iso(lastAt),
    cause: lateOut(cause ?? null),
    pause: pause === undefined ? null : { ...pauseOut(pause), is_global: pause.isGlobal },
    skip: skip === undefined ? null : { at: iso(skip.at), reason: skip.reason, user: skip.user },
  };
}

export function runOut(one: Run): Json {
  return {
    id: one.id,
    pipeline: one.pipelineId,
    trigger_id: one.triggerId,
    status: one.status,
    scheduled_for: iso(one.scheduledFor),
    attempt: one.attempt,
    node: one.node,
    started_at: iso(one.startedAt),
    attempt_started_at: iso(one.attemptStartedAt),
    ended_at: iso(one.endedAt),
    retry_at: iso(one.retryAt),
    output: one.output,
    error: one.error,
    progress: one.progress,
    attempts: one.attempts.map(({ attempt, outcome, node, startedAt, endedAt, error }) => ({
      attempt,
      outcome,
      node,
      started_at: iso(startedAt),
      ended_at: iso(endedAt),
      error,
    })),
  };
}

export function decisionOut(one: Decision): Json {
  return {
    id: one.id,
    pipeline: one.pipelineId,
    trigger_id: one.triggerId,
    kind: one.kind,
    scheduled_for: iso(one.scheduledFor),
    at: iso(one.at),
    outcome: one.outcome,
    reason: one.reason,
    findings: one.findings.map(findingOut),
    repeated: one.repeated === null ? null : { count: one.repeated.count, last_at: iso(one.repeated.lastAt) },
    missed: one.missed === null ? null : missedOut(one.missed),
  };
}

export function findingOut({ condition, result, reason, evidence, recheckAt }: Decision["findings"][number]): Json {
  return { condition, result, reason, evidence: evidence ?? null, recheck_at: iso(recheckAt) };
}

export function pauseOut(pause: PipelineStatus["pause"]): Json | null {
  return pause === null ? null : { at: iso(pause.at), until: iso(pause.until), reason: pause.reason, user: pause.user };
}

export function skipOut({ fireAt, at, reason, user }: SkippedFireTime): Json {
  return { fire_at: iso(fireAt), at: iso(at), reason, user };
}

export function pipelineOut(one: PipelineStatus): Json {
  return {
    id: one.pipelineId,
    description: one.description,
    tags: one.tags,
    owner: one.owner,
    schedule: one.schedule,
    next_fire_at: iso(one.nextFireAt),
    last_fire_at: iso(one.lastFireAt),
    last_success_at: iso(one.lastSuccessAt),
    active_runs: one.activeRuns,
    max_concurrent_runs: one.maxActiveRuns,
    conditions: one.conditions,
    paused: one.pause !== null,
    pause: pauseOut(one.pause),
    skips: one.skips.map(skipOut),
  };
}

function windowOut(window: TimeWindow): Json {
  const description = window.description ?? null;
  if ("from" in window) return { from: new Date(window.from).toISOString(), until: new Date(window.until).toISOString(), description };
  return { start: window.start, end: window.end, days: window.days ?? null, time_zone: window.timeZone ?? "UTC", description };
}

export function maintenanceOut({ id, pipelineId, window, at, user }: MaintenanceWindow): Json {
  return { id, pipeline: pipelineId, ...windowOut(window), created_at: iso(at), user };
}

const NAMES = {
  scheduleIntervalMs: "schedule_interval_minutes",
  stalenessThresholdMs: "staleness_threshold_hours",
  maintenanceWindows: "maintenance_windows",
  externalDependencies: "external_dependencies",
  isAdaptive: "auto_scaling_enabled",
  maxActiveRuns: "max_concurrent_runs",
} as const;

/** Where a setting comes from. */
function sourceOut({ source, at, user }: Omit<EffectiveSetting<unknown>, "value">): Json {
  return { source, at: iso(at), user };
}

function effectiveOut(effective: SettingsView["effective"]): Json {
  const { schedule, scheduleIntervalMs: interval, stalenessThresholdMs: staleness, isAdaptive, maxActiveRuns } = effective;
  return {
    schedule: { value: schedule.value, ...sourceOut(schedule) },
    schedule_interval_minutes: { value: interval.value === null ? null : interval.value / 60_000, ...sourceOut(interval) },
    staleness_threshold_hours: { value: staleness.value === null ? null : staleness.value / 3_600_000, ...sourceOut(staleness) },
    auto_scaling_enabled: { value: isAdaptive.value, ...sourceOut(isAdaptive) },
    max_concurrent_runs: { value: maxActiveRuns.value, ...sourceOut(maxActiveRuns) },
    maintenance_windows: effective.maintenanceWindows.map(({ value, id, isForAll, ...rest }) => ({
      ...windowOut(value),
      id,
      is_for_all: isForAll,
      ...sourceOut(rest),
    })),
    conditions: effective.conditions.map(({ value, dependency, ...rest }) => ({
      name: value,
      dependency: dependency === null ? null : dependencyOut(dependency),
      ...sourceOut(rest),
    })),
  };
}

export function settingsOut({ pipelineId, values, overrides, effective }: SettingsView): Json {
  return {
    pipeline: pipelineId,
    schedule_interval_minutes: values.scheduleIntervalMs === null ? null : values.scheduleIntervalMs / 60_000,
    staleness_threshold_hours: values.stalenessThresholdMs === null ? null : values.stalenessThresholdMs / 3_600_000,
    maintenance_windows: (values.maintenanceWindows ?? []).map(windowOut),
    external_dependencies: (values.externalDependencies ?? []).map(dependencyOut),
    auto_scaling_enabled: values.isAdaptive,
    max_concurrent_runs: values.maxActiveRuns,
    overrides: Object.entries(overrides).map(([name, one]) => ({
      field: NAMES[name as keyof typeof NAMES],
      at: iso(one?.at),
      user: one?.user ?? null,
    })),
    effective: effectiveOut(effective),
  };
}

function dependencyOut({ timeoutMs, ...one }: RuntimeDependency): Json {
  const { queryName, ...rest } = { queryName: undefined, ...one };
  return {
    ...rest,
    ...(queryName === undefined ? {} : { query_name: queryName }),
    ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }),
  };
}

export function tokenOut(one: TokenInfo): Json {
  return {
    id: one.id,
    role: one.role,
    pipelines: one.pipelines,
    description: one.description,
    user: one.user,
    acts_for_others: one.actsForOthers,
    created_at: iso(one.createdAt),
    created_by: one.createdBy,
    expires_at: iso(one.expiresAt),
    revoked_at: iso(one.revokedAt),
    previous_until: iso(one.previousUntil),
  };
}

export function auditOut(one: AuditRecord): Json {
  const { pipelineId, requestId, at, keyId = null, ids = [], sum = null, version: _, ...rest } = one;
  const summed = sum === null ? null : { count: sum.count, first_at: iso(new Date(sum.firstAt)), last_at: iso(new Date(sum.lastAt)) };
  return { ...rest, at: new Date(at).toISOString(), pipeline: pipelineId, request_id: requestId, ids, sum: summed, key_id: keyId };
}
