import { T0 } from "../../src/testing/contract/fixtures.js";

/** The pipeline that half of the history is in: the one that the contract suite uses most. */
export const HOT = "a";
/** A pipeline that has one 600th of it. */
export const COLD = "p5";
const PIPELINES = 300;

const DAY = 86_400_000;
/** The history's first instant; it lasts for seven days, and the contract's time begins in the last of them. */
export const START = T0 - 6 * DAY;
export const END = START + 7 * DAY;

/** Numbers of audit records and events follow this one, so that what the contract suite adds is not there yet. */
export const LAST_SEQ = 1_000_000_000;

export interface HistoryShape {
  /** A table's full name, quoted. */
  readonly name: (table: string) => string;
  /** The numbers from 0 (inclusive) to a count (exclusive), as the column `n` of the table `numbers`. */
  readonly numbers: (count: number) => string;
  /** Puts zeros before a number, to so many digits. */
  readonly padded: (number: string, digits: number) => string;
}

export function idOf(n: number): string {
  return `01${String(n).padStart(24, "0")}`;
}

/**
 * Statements that fill a database with what a store has written in a week: `count` triggers that have ended, with their runs and decisions, and as many records of the audit log; and a few that wait,
 * are held, run, or are between two attempts. Rare and absent statuses, kinds and outcomes are among what lists filter by.
 */
export function fill(count: number, { name, numbers, padded }: HistoryShape): readonly string[] {
  const id = `'01' || ${padded("n", 24)}`;
  const runId = `'02' || ${padded("n", 24)}`;
  const pipeline = `CASE n % 2 WHEN 0 THEN '${HOT}' ELSE 'p' || ((n / 2) % ${PIPELINES}) END`;
  const at = `${START} + n * ${Math.floor((7 * DAY) / count)}`;
  const kind = "CASE WHEN n % 10 = 3 THEN 'manual' WHEN n % 1000 IN (7, 8) THEN 'backfill' ELSE 'scheduled' END";
  const status =
    "CASE WHEN n % 50 = 1 THEN 'failed' WHEN n % 100 = 5 THEN 'skipped' WHEN n % 1000 = 9 THEN 'expired' WHEN n % 20 = 11 THEN 'superseded' WHEN n % 5000 = 21 THEN 'cancelled' ELSE 'succeeded' END";
  const scheduledFor = `CASE WHEN n % 10 = 3 THEN NULL WHEN n % 1000 IN (7, 8) THEN ${at} - ${30 * DAY} ELSE ${at} END`;
  const hasRun = `${status} IN ('succeeded', 'failed')`;
  const long = "CASE n % 10 WHEN 0 THEN 90000 ELSE 5000 END";
  const open = 75;
  return [
    `INSERT INTO ${name("pipeline_states")} (id, schedule_key, next_fire_at, last_fire_at, max_active_runs, overlap)
     SELECT CASE n WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'p' || (n - 2) END, 'every(60000,0)', ${END} + n, ${END} - n, 1, 'queue_one' FROM ${numbers(PIPELINES + 2)}`,
    `INSERT INTO ${name("triggers")} (id, pipeline_id, kind, status, priority, "order", scheduled_for, created_at, available_at, is_forced, token, run_id, ended_at, unique_key, size, payload_id)
     SELECT ${id}, ${pipeline}, ${kind}, ${status}, 'normal', ${at}, ${scheduledFor}, ${at}, ${at}, (1 = 0), 1, CASE WHEN ${hasRun} THEN ${runId} END, ${at} + ${long},
       CASE WHEN ${kind} = 'scheduled' THEN 'fire:' || (${at}) END, 0, CASE n % 100 WHEN 50 THEN ${id} END FROM ${numbers(count)}`,
    `INSERT INTO ${name("runs")} (id, pipeline_id, trigger_id, status, scheduled_for, attempt, token, node, lease_until, started_at, attempt_started_at, ended_at, attempts, is_forced)
     SELECT ${runId}, ${pipeline}, ${id}, ${status}, ${scheduledFor}, 1, 1, 'node-1', ${at} + 30000, ${at}, ${at}, ${at} + ${long}, '[]', (1 = 0) FROM ${numbers(count)} WHERE ${hasRun}`,
    `INSERT INTO ${name("decisions")} (id, pipeline_id, trigger_id, kind, scheduled_for, at, outcome, reason, findings)
     SELECT '03' || ${padded("n", 24)}, ${pipeline}, CASE n % 50 WHEN 2 THEN NULL ELSE ${id} END, ${kind}, ${scheduledFor}, ${at},
       CASE WHEN ${hasRun} AND n % 50 <> 2 THEN 'run' ELSE 'skip' END, 'it has no conditions', '[]' FROM ${numbers(count)}`,
    `INSERT INTO ${name("audit")} (seq, at, pipeline_id, record) SELECT ${LAST_SEQ} + 1 + n, ${at}, CASE n % 3 WHEN 0 THEN NULL ELSE ${pipeline} END, '{"seq":' || (${LAST_SEQ} + 1 + n) || '}' FROM ${numbers(count)}`,
    `INSERT INTO ${name("payloads")} (id, size, parameters) SELECT ${id}, 2000, '{}' FROM ${numbers(count)} WHERE n % 100 = 50`,
    `INSERT INTO ${name("answers")} (key, request, at, answer) SELECT 'key-' || n, 'digest', ${at}, 'null' FROM ${numbers(count)} WHERE n % 10 = 0`,
    `INSERT INTO ${name("events")} (seq, at, name, data, size) SELECT ${LAST_SEQ} + 1 + n, ${END}, 'decision', '{}', 2 FROM ${numbers(10_000)}`,
    `INSERT INTO ${name("meta")} (key, value) VALUES ('audit_head', '{"seq":${LAST_SEQ + count},"hash":""}'), ('audit_tail', '{"seq":${LAST_SEQ},"hash":""}'), ('events_head', '{"seq":${LAST_SEQ + 10_000},"first":${LAST_SEQ + 1},"bytes":20000}')`,
    `INSERT INTO ${name("documents")} (kind, id, value, version, updated_at) SELECT CASE n % 5 WHEN 0 THEN 'token' WHEN 1 THEN 'window' ELSE 'node' END, 'id-' || n, '{}', 1, ${at} FROM ${numbers(20_000)}`,
    // forty that wait, twenty that are held, ten that run, five between two attempts; somewhere in the middle of the history
    `INSERT INTO ${name("triggers")} (id, pipeline_id, kind, status, priority, "order", scheduled_for, created_at, available_at, expires_at, is_forced, token, node, lease_until, run_id, size, line)
     SELECT '01' || ${padded(`(${Math.floor(count / 2)} + n)`, 24)} || 'x', CASE n % 3 WHEN 0 THEN '${HOT}' ELSE 'p' || n END, CASE n % 4 WHEN 0 THEN 'manual' ELSE 'scheduled' END,
       CASE WHEN n < 40 THEN 'pending' WHEN n < 60 THEN 'held' ELSE 'running' END, 'normal', ${T0}, CASE n % 4 WHEN 0 THEN NULL ELSE ${T0} END, ${T0} - 60000,
       CASE WHEN n BETWEEN 40 AND 59 THEN ${END} ELSE ${T0} - 60000 END, CASE WHEN n BETWEEN 40 AND 59 THEN ${END} + 1 END, (1 = 0), 1,
       CASE WHEN n < 3 THEN 'node-1' END, CASE WHEN n < 3 THEN ${END} END, CASE WHEN n >= 60 THEN '02x' || n END, 0, CASE WHEN n BETWEEN 40 AND 59 THEN 'later' END FROM ${numbers(open)}`,
    `INSERT INTO ${name("runs")} (id, pipeline_id, trigger_id, status, scheduled_for, attempt, token, node, lease_until, started_at, attempt_started_at, retry_at, attempts, is_forced)
     SELECT '02x' || n, CASE n % 3 WHEN 0 THEN '${HOT}' ELSE 'p' || n END, '01' || ${padded(`(${Math.floor(count / 2)} + n)`, 24)} || 'x', CASE WHEN n < 70 THEN 'running' ELSE 'retrying' END,
       CASE n % 4 WHEN 0 THEN NULL ELSE ${T0} END, 1, 1, 'node-1', ${END}, ${T0}, ${T0}, CASE WHEN n >= 70 THEN ${END} END, '[]', (1 = 0) FROM ${numbers(open)} WHERE n >= 60`,
  ];
}
