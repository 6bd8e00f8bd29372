import { bool, int, json, oneOf, type RecordOf, text } from "../../../base/fields.js";
import { DECISION_FIELDS, type DecisionRecord } from "../../../gate/finding.js";
import type { AuditRecord } from "../../../monitor/audit.js";
import { CURSOR_FIELDS, type CursorRecord } from "../../../ports/store/cursors.js";
import { DOCUMENT_FIELDS, type DocumentRecord } from "../../../ports/store/documents.js";
import { EVENT_FIELDS, type EventRecord } from "../../../ports/store/events.js";
import { IDEMPOTENCY_FIELDS, type IdempotencyRecord } from "../../../ports/store/idempotency.js";
import { LEASE_FIELDS, type LeaseRecord } from "../../../ports/store/leases.js";
import type { Pause } from "../../../ports/store/pipelines.js";
import { ROLL_UP_FIELDS, type StatisticsRollUp } from "../../../ports/store/statistics.js";
import { RUN_FIELDS, type RunRecord } from "../../../run/run.js";
import type { EndedPause } from "../../../schedule/ended-pauses.js";
import type { PausedSpan } from "../../../schedule/misfire.js";
import type { SkippedFire } from "../../../schedule/skips.js";
import { OVERLAPS, type Overlap } from "../../../trigger/overlap.js";
import { HISTORY_FIELDS, type PipelineHistory } from "../../../trigger/retention.js";
import { TRIGGER_FIELDS, type TriggerRecord } from "../../../trigger/trigger.js";
import { changingOf, type Table, table } from "./table.js";

/** Pauses that have ended, oldest first; 0.1.0 kept the span of the last one alone. */
export type KeptPauses = readonly EndedPause[] | PausedSpan;

export function endedPausesOf(kept: KeptPauses | null | undefined): readonly EndedPause[] {
  if (kept === null || kept === undefined) return [];
  return "from" in kept ? [{ from: kept.from, until: kept.until, reason: null, user: null }] : kept;
}

const PIPELINE_FIELDS = {
  id: text(),
  scheduleKey: text(),
  nextFireAt: int().nullable(),
  lastFireAt: int().nullable(),
  lastSuccessAt: int().nullable(),
  pause: json<Pause>().nullable(),
  /** Pauses that have ended, see {@link endedPausesOf}. */
  lastPause: json<KeptPauses>().nullable(),
  maxActiveRuns: int(),
  overlap: oneOf<Overlap>(OVERLAPS),
  pool: text().nullable(),
  /** Fire times that are to be left out; `null` for none. */
  skips: json<readonly SkippedFire[]>().nullable().since(5),
};

/** A pipeline as it is kept. */
export interface PipelineRow extends RecordOf<typeof PIPELINE_FIELDS> {}

/** Called `pipelines` by 0.1.0, whose nodes are kept out by what has that name now: see `schema.ts`. */
export const PIPELINES: Table<PipelineRow> = table("pipeline_states", PIPELINE_FIELDS);

const TRIGGER_ROW = {
  /** Its key, or its fire time if it is a scheduled one; unique within its pipeline. */
  uniqueKey: text().nullable(),
  /** Where its parameters are, when they are kept apart; then `parameters` is `null` and named in `omitted` until they are read too. */
  payloadId: text().nullable().since(5),
  /** Where it stands while it waits, see lines.ts; `null`: in the open line. */
  line: text().nullable().changing().since(5),
};

/** A trigger as it is kept. */
export interface TriggerRow extends TriggerRecord, RecordOf<typeof TRIGGER_ROW> {}

export const TRIGGERS: Table<TriggerRow> = table("triggers", { ...TRIGGER_FIELDS, ...TRIGGER_ROW }, { isBusy: true });

const LINE_FIELDS = {
  key: text(),
  /** `null` for the line of a pool. */
  pipelineId: text().nullable(),
  /** The pipeline is paused: nothing is looked for in the line until it is resumed. */
  isPaused: bool(),
};

/** A line with waiting triggers in it, see lines.ts. */
export interface LineRow extends RecordOf<typeof LINE_FIELDS> {}

export const LINES: Table<LineRow> = table("lines", LINE_FIELDS, { since: 5 });

/** Fields of parameters, of one trigger or of many; `size` in bytes. */
const PAYLOAD_FIELDS = { id: text(), size: int(), parameters: json<unknown>() };

export type PayloadRow = RecordOf<typeof PAYLOAD_FIELDS>;

export const PAYLOADS = table("payloads", PAYLOAD_FIELDS, { since: 5 });

export const RUNS: Table<RunRecord> = table("runs", RUN_FIELDS, { isBusy: true });

const DECISION_ROWS = table("decisions", DECISION_FIELDS);

/** Of a hold, the column `missed` keeps `repeated`: nothing that was held has missed a fire time. */
export const DECISIONS: Table<DecisionRecord> = {
  ...DECISION_ROWS,
  decode: (row) => {
    const { missed, ...decision } = DECISION_ROWS.decode(row);
    if (decision.outcome !== "hold" || missed === null) return { ...decision, missed };
    return { ...decision, missed: null, repeated: missed as unknown as NonNullable<DecisionRecord["repeated"]> };
  },
};

export const CURSORS: Table<CursorRecord> = table("cursors", CURSOR_FIELDS);

/** Found by kind and id, see documents.ts. */
export const DOCUMENTS: Table<DocumentRecord> = table("documents", DOCUMENT_FIELDS, { since: 5, keyFields: 2, isBusy: true });

export const LEASES: Table<LeaseRecord> = table("leases", LEASE_FIELDS, { since: 5 });

export const ANSWERS: Table<IdempotencyRecord> = table("answers", IDEMPOTENCY_FIELDS, { since: 3 });

const META_FIELDS = { key: text(), value: json<unknown>().nullable() };

/** A setting of the store itself. */
export type MetaRow = RecordOf<typeof META_FIELDS>;

export const META = table("meta", META_FIELDS);

/** The number of ended records of a pipeline, as far as they were counted. */
export const HISTORY: Table<PipelineHistory> = table("history", HISTORY_FIELDS, { since: 5, isBusy: true });

export const STATISTICS: Table<StatisticsRollUp> = table("statistics", ROLL_UP_FIELDS, { since: 5, isBusy: true });

const AUDIT_FIELDS = { seq: int(), at: int(), pipelineId: text().nullable(), record: json<AuditRecord>() };

/** A record of the audit log: what is looked for, and the whole as it was sealed. */
export type AuditRow = RecordOf<typeof AUDIT_FIELDS>;

export const AUDIT = table("audit", AUDIT_FIELDS);

export const EVENTS: Table<EventRecord> = table("events", EVENT_FIELDS, { since: 4 });

/** All tables. */
export const TABLES: readonly Table<object>[] = [
  PIPELINES,
  TRIGGERS,
  LINES,
  PAYLOADS,
  RUNS,
  DECISIONS,
  CURSORS,
  DOCUMENTS,
  LEASES,
  ANSWERS,
  META,
  HISTORY,
  STATISTICS,
  AUDIT,
  EVENTS,
];

/** Columns of a trigger that change after it was accepted. */
export const TRIGGER_STATE = changingOf(TRIGGERS);
/** Columns that a claim changes. */
export const TRIGGER_CLAIM = ["status", "token", "node", "leaseUntil"] as const;
/** The fields of a run that the end of an attempt changes. */
export const RUN_END = ["status", "token", "endedAt", "retryAt", "output", "error", "progress", "attempts"] as const;
/** Columns of a run that change after its start. */
export const RUN_STATE = changingOf(RUNS);

export function uniqueKeyOf({ key, kind, scheduledFor }: Pick<TriggerRecord, "key" | "kind" | "scheduledFor">): string | null {
  if (key !== null) return `key:${key}`;
  return kind === "scheduled" && scheduledFor !== null ? `fire:${scheduledFor}` : null;
}

/** Key of the row of `meta` with the pause of all pipelines, as `{"pause":…,"endedPauses":…}`; by 0.1.0 with a `lastPause`. */
export const GLOBAL_PAUSE = "global_pause";
