import type { DecisionRecord } from "../../../gate/finding.js";
import type { AuditRecord } from "../../../monitor/audit.js";
import type { EventRecord } from "../../../ports/store/events.js";
import type { StatisticsRollUp } from "../../../ports/store/statistics.js";
import type { CursorRecord, DocumentRecord, IdempotencyRecord, LeaseRecord, Pause } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import type { EndedPause } from "../../../schedule/ended-pauses.js";
import type { PausedSpan } from "../../../schedule/misfire.js";
import type { SkippedFire } from "../../../schedule/skips.js";
import { OVERLAPS, type Overlap } from "../../../trigger/overlap.js";
import type { PipelineHistory } from "../../../trigger/retention.js";
import { PRIORITIES, type TriggerRecord } from "../../../trigger/trigger.js";
import { type Table, table } from "./table.js";

/** Pauses that have ended, oldest first; 0.1.0 kept the span of the last one alone. */
export type KeptPauses = readonly EndedPause[] | PausedSpan | null;

export function endedPausesOf(kept: KeptPauses | undefined): readonly EndedPause[] {
  if (kept === null || kept === undefined) return [];
  return "from" in kept ? [{ from: kept.from, until: kept.until, reason: null, user: null }] : kept;
}

/** A pipeline as it is kept. */
export interface PipelineRow {
  readonly id: string;
  readonly scheduleKey: string;
  readonly nextFireAt: number | null;
  readonly lastFireAt: number | null;
  readonly lastSuccessAt: number | null;
  readonly pause: Pause | null;
  /** Pauses that have ended, see {@link endedPausesOf}. */
  readonly lastPause: KeptPauses;
  /** Fire times that are to be left out; `null` for none. */
  readonly skips: readonly SkippedFire[] | null;
  readonly maxActiveRuns: number;
  readonly overlap: Overlap;
  readonly pool: string | null;
}

/** Row of a trigger with its unique key within its pipeline: its key, or its fire time if it is a scheduled one. */
export interface TriggerRow extends TriggerRecord {
  readonly uniqueKey: string | null;
  /** Where its parameters are, when they are kept apart; then `parameters` is `null` and named in `omitted` until they are read too. */
  readonly payloadId: string | null;
  /** Where it stands while it waits, see lines.ts; `null`: in the open line. */
  readonly line: string | null;
}

/** A line with waiting triggers in it, see lines.ts. */
export interface LineRow {
  readonly key: string;
  /** `null` for the line of a pool. */
  readonly pipelineId: string | null;
  /** The pipeline is paused: nothing is looked for in the line until it is resumed. */
  readonly isPaused: boolean;
}

/** Parameters of one trigger or of many. */
export interface PayloadRow {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly parameters: unknown;
}

/** A setting of the store itself. */
export interface MetaRow {
  readonly key: string;
  readonly value: unknown;
}

/** Called `pipelines` by 0.1.0, whose nodes are kept out by what has that name now: see `schema.ts`. */
export const PIPELINES = table<PipelineRow>(
  "pipeline_states",
  {
    id: "text",
    scheduleKey: "text",
    nextFireAt: "int",
    lastFireAt: "int",
    lastSuccessAt: "int",
    pause: "json",
    lastPause: "json",
    skips: "json",
    maxActiveRuns: "int",
    overlap: "text",
    pool: "text",
  },
  { overlap: OVERLAPS },
);

export const TRIGGERS = table<TriggerRow>(
  "triggers",
  {
    id: "text",
    pipelineId: "text",
    kind: "text",
    status: "text",
    priority: "text",
    order: "real",
    scheduledFor: "int",
    key: "text",
    reason: "text",
    user: "text",
    parameters: "json",
    createdAt: "int",
    availableAt: "int",
    expiresAt: "int",
    isForced: "bool",
    token: "int",
    node: "text",
    leaseUntil: "int",
    runId: "text",
    endedAt: "int",
    endReason: "text",
    supersedes: "text",
    supersededBy: "text",
    uniqueKey: "text",
    requestedBy: "text",
    size: "int",
    payloadId: "text",
    line: "text",
    endedBy: "text",
    catchup: "json",
    intervalStart: "int",
    rerunOf: "text",
  },
  {
    kind: ["scheduled", "manual", "immediate", "webhook", "file", "sensor", "dependency", "backfill"],
    status: ["pending", "held", "running", "succeeded", "failed", "skipped", "expired", "cancelled", "superseded"],
    priority: PRIORITIES,
  },
  { parameters: null },
);

export const LINES = table<LineRow>("lines", { key: "text", pipelineId: "text", isPaused: "bool" });

export const PAYLOADS = table<PayloadRow>("payloads", { id: "text", size: "int", parameters: "json" });

export const RUNS = table<RunRecord>(
  "runs",
  {
    id: "text",
    pipelineId: "text",
    triggerId: "text",
    status: "text",
    scheduledFor: "int",
    attempt: "int",
    token: "int",
    node: "text",
    leaseUntil: "int",
    startedAt: "int",
    attemptStartedAt: "int",
    endedAt: "int",
    retryAt: "int",
    output: "json",
    error: "json",
    progress: "json",
    reference: "json",
    cancelRequest: "json",
    attempts: "json",
    isForced: "bool",
  },
  { status: ["running", "retrying", "succeeded", "failed", "timed_out", "cancelled"] },
  { output: null, error: null, progress: null, reference: null, attempts: [] },
);

const DECISION_ROWS = table<Omit<DecisionRecord, "repeated">>(
  "decisions",
  {
    id: "text",
    pipelineId: "text",
    triggerId: "text",
    kind: "text",
    scheduledFor: "int",
    at: "int",
    outcome: "text",
    reason: "text",
    findings: "json",
    missed: "json",
  },
  { outcome: ["run", "hold", "skip"] },
  { findings: [] },
);

/** Of a hold, the column `missed` keeps `repeated`: nothing that was held has missed a fire time. */
export const DECISIONS: Table<DecisionRecord> = {
  ...DECISION_ROWS,
  decode: (row) => {
    const { missed, ...decision } = DECISION_ROWS.decode(row);
    if (decision.outcome !== "hold" || missed === null) return { ...decision, missed };
    return { ...decision, missed: null, repeated: missed as NonNullable<DecisionRecord["repeated"]> };
  },
};

export const CURSORS = table<CursorRecord>("cursors", {
  name: "text",
  value: "json",
  token: "int",
  node: "text",
  leaseUntil: "int",
  updatedAt: "int",
});

/** Found by kind and id, see documents.ts. */
export const DOCUMENTS = table<DocumentRecord>("documents", {
  kind: "text",
  id: "text",
  value: "json",
  version: "int",
  updatedAt: "int",
  updatedBy: "text",
});

export const LEASES = table<LeaseRecord>("leases", { name: "text", holder: "text", token: "int", acquiredAt: "int", leaseUntil: "int" });

export const ANSWERS = table<IdempotencyRecord>("answers", { key: "text", request: "text", at: "int", answer: "json" });

export const META = table<MetaRow>("meta", { key: "text", value: "json" });

/** The number of ended records of a pipeline, as far as they were counted. */
export const HISTORY = table<PipelineHistory>("history", { pipelineId: "text", kept: "int" });

export const STATISTICS = table<StatisticsRollUp>("statistics", { pipelineId: "text", until: "int", windowMs: "int", state: "json" });

/** A record of the audit log: what is looked for, and the whole as it was sealed. */
export interface AuditRow {
  readonly seq: number;
  readonly at: number;
  readonly pipelineId: string | null;
  readonly record: AuditRecord;
}

export const AUDIT = table<AuditRow>("audit", { seq: "int", at: "int", pipelineId: "text", record: "json" });

export const EVENTS = table<EventRecord>("events", { seq: "int", at: "int", name: "text", pipelineId: "text", data: "text", size: "int" });

/** Columns of a trigger that change after it was accepted. */
export const TRIGGER_STATE = [
  "status",
  "availableAt",
  "expiresAt",
  "token",
  "node",
  "leaseUntil",
  "runId",
  "endedAt",
  "endReason",
  "endedBy",
  "supersededBy",
  "line",
] as const;
/** Columns that a claim changes. */
export const TRIGGER_CLAIM = ["status", "token", "node", "leaseUntil"] as const;
/** The fields of a run that the end of an attempt changes. */
export const RUN_END = ["status", "token", "endedAt", "retryAt", "output", "error", "progress", "attempts"] as const;
/** Columns of a run that change after its start. */
export const RUN_STATE = [
  "status",
  "attempt",
  "token",
  "node",
  "leaseUntil",
  "attemptStartedAt",
  "endedAt",
  "retryAt",
  "output",
  "error",
  "progress",
  "reference",
  "cancelRequest",
  "attempts",
] as const;

export function uniqueKeyOf({ key, kind, scheduledFor }: Pick<TriggerRecord, "key" | "kind" | "scheduledFor">): string | null {
  if (key !== null) return `key:${key}`;
  return kind === "scheduled" && scheduledFor !== null ? `fire:${scheduledFor}` : null;
}

/** Key of the row of `meta` with the pause of all pipelines, as `{"pause":…,"endedPauses":…}`; by 0.1.0 with a `lastPause`. */
export const GLOBAL_PAUSE = "global_pause";
