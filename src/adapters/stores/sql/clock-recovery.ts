import { groupBy } from "../../../base/group-by.js";
import type { DecisionRecord } from "../../../gate/finding.js";
import type { ReplanRequest, ReplanResult } from "../../../ports/store/clock-recovery.js";
import { rebaseRetry } from "../../../run/transitions.js";
import { rebasePause, rebaseSpans } from "../../../schedule/rebase.js";
import { mergeSkips } from "../../../schedule/skips.js";
import { rebaseHold, rebaseTrigger } from "../../../trigger/transitions.js";
import { changing, type Row, type Session, select, selectLocked, wholeOf } from "./database.js";
import { LATER } from "./line.js";
import { rebaseGlobalPause } from "./pauses.js";
import { stateOf } from "./pipelines.js";
import { WAITING } from "./statuses.js";
import { DECISIONS, endedPausesOf, PIPELINES, type PipelineRow, RUNS, TRIGGERS, type TriggerRow } from "./tables.js";

const ROWS_AT_ONCE = 1_000;
/** Before the order of every trigger that is not immediate, and after that of every one that is. */
const IMMEDIATE_BEFORE = -1e14;
const HEAD_OF_LINE_MS = 1e15;

/** Puts schedules back. The rows of their pipelines are locked meanwhile: of several nodes one does. */
export async function replan(session: Session, requests: readonly ReplanRequest[], now: number): Promise<readonly ReplanResult[]> {
  const rows = await selectLocked(
    session,
    PIPELINES,
    requests.map(({ pipelineId }) => pipelineId),
  );
  const isCurrent = ({ pipelineId, scheduleKey, expectedFireAt }: ReplanRequest) => {
    const row = rows.get(pipelineId);
    return row !== undefined && row.nextFireAt === expectedFireAt && row.scheduleKey === scheduleKey;
  };
  const current = requests.filter(isCurrent);
  const dropped = await droppedAfter(session, current, now);
  const changed: PipelineRow[] = [];
  const withdrawn: string[] = [];
  const amended: DecisionRecord[] = [];
  for (const { pipelineId, since, plan } of current) {
    const row = rows.get(pipelineId) as PipelineRow;
    const reaching = (dropped.get(pipelineId) ?? []).filter(({ scheduledFor, missed }) => (missed?.lastAt ?? scheduledFor ?? 0) > since);
    const made = plan(reaching);
    const next = {
      ...row,
      nextFireAt: made.nextFireAt,
      skips: made.skips.length === 0 ? row.skips : mergeSkips(row.skips ?? [], made.skips),
      lastFireAt: row.lastFireAt === null ? null : Math.min(row.lastFireAt, now),
    };
    rows.set(pipelineId, next);
    changed.push(next);
    withdrawn.push(...made.withdrawn);
    amended.push(...made.amended);
  }
  await session.write([
    changing(PIPELINES, changed, ["nextFireAt", "lastFireAt", "skips"]),
    changing(DECISIONS, amended, ["reason", "missed"]),
  ]);
  for (let from = 0; from < withdrawn.length; from += ROWS_AT_ONCE) {
    if (from > 0) await session.yield?.();
    const { dialect } = session;
    const sql = `DELETE FROM ${dialect.name("decisions")} WHERE id ${dialect.isIn(1)}`;
    await session.query(sql, [dialect.list(withdrawn.slice(from, from + ROWS_AT_ONCE))]);
  }
  return requests.map((request): ReplanResult => {
    const row = rows.get(request.pipelineId);
    if (row === undefined) return { outcome: "gone", state: null };
    return { outcome: current.includes(request) ? "replanned" : "moved", state: stateOf(row, 0, 0) };
  });
}

/** Decisions on dropped fire times that were recorded at an instant still to come, by pipeline; an index has just those. */
async function droppedAfter(
  session: Session,
  requests: readonly ReplanRequest[],
  now: number,
): Promise<ReadonlyMap<string, DecisionRecord[]>> {
  const { dialect } = session;
  const ids = new Set(requests.map(({ pipelineId }) => pipelineId));
  const found: DecisionRecord[] = [];
  if (requests.length === 0) return new Map();
  await paged(
    session,
    [now, ""],
    ([at, id]) =>
      session.query(
        `SELECT * FROM ${dialect.name("decisions")} WHERE trigger_id IS NULL AND at >= $1 AND (at, id) > ($1, $2) ORDER BY at, id LIMIT ${ROWS_AT_ONCE}`,
        [at, id],
      ),
    async (rows) => {
      found.push(...wholeOf(DECISIONS, rows).records.filter(({ at, pipelineId }) => at > now && ids.has(pipelineId)));
    },
    (row) => [Number(row.at), String(row.id)],
  );
  return groupBy(found, ({ pipelineId }) => pipelineId);
}

/** Moves what is due too late. Each part reads rows of an index that says what is due later than now, and of those that were written by a clock ahead, or that wait in any case. */
export async function rebase(session: Session, leaseUntil: number, now: number): Promise<void> {
  const { dialect } = session;
  const [triggers, runs] = [dialect.name("triggers"), dialect.name("runs")];
  for (const [from, to] of [
    [now, Number.MAX_SAFE_INTEGER],
    [now - HEAD_OF_LINE_MS, IMMEDIATE_BEFORE],
  ] as const) {
    const accepted = `"order" > $4 AND "order" < $5 AND created_at > $1`;
    await eachWaiting(session, accepted, [now, from, to], async (rows) => {
      const moved = rows.map((one) => ({ ...one, ...rebaseTrigger(one, now) }));
      await session.write([changing(TRIGGERS, moved, ["createdAt", "order", "availableAt", "expiresAt"])]);
    });
  }
  const isNotYetDue = `available_at > $1 AND (line IS NULL OR line <> '${LATER}')`; // it was by the clock that was ahead
  await eachWaiting(session, isNotYetDue, [now], (rows) =>
    session.write([
      changing(
        TRIGGERS,
        rows.map((one) => ({ ...one, line: LATER })),
        ["line"],
      ),
    ]),
  );
  const held = ([at, id]: readonly [number, string]) =>
    session.query(
      `SELECT * FROM ${triggers} WHERE ${WAITING} AND line = '${LATER}' AND status = 'held' AND available_at >= $1 AND (available_at, id) > ($1, $2)
       ORDER BY available_at, id LIMIT ${ROWS_AT_ONCE}${dialect.forUpdate}`,
      [at, id],
    );
  await paged(
    session,
    [now + 1, ""] as const,
    held,
    async (rows) => {
      const ids = dialect.list(rows.map(({ id }) => String(id)));
      const heldAt = new Map<string | null, number>();
      for (const { triggerId, at, repeated } of await select(session, DECISIONS, `WHERE trigger_id ${dialect.isIn(1)}`, [ids], 0))
        heldAt.set(triggerId, Math.max(heldAt.get(triggerId) ?? 0, repeated?.lastAt ?? at));
      const moved = wholeOf(TRIGGERS, rows).records.flatMap((one): TriggerRow[] => {
        const next = rebaseHold(one, heldAt.get(one.id) ?? now, now);
        return next === one ? [] : [{ ...one, ...next }];
      });
      await session.write([changing(TRIGGERS, moved, ["availableAt"])]);
    },
    (row) => [Number(row.available_at), String(row.id)] as const,
  );
  const retrying = ([at, id]: readonly [number, string]) =>
    session.query(
      `SELECT * FROM ${runs} WHERE status = 'retrying' AND retry_at >= $1 AND (retry_at, id) > ($1, $2)
       ORDER BY retry_at, id LIMIT ${ROWS_AT_ONCE}${dialect.forUpdate}`,
      [at, id],
    );
  await paged(
    session,
    [now + 1, ""] as const,
    retrying,
    async (rows) => {
      const moved = wholeOf(RUNS, rows).records.map((one) => [one, rebaseRetry(one, now)] as const);
      const changed = moved.flatMap(([one, next]) => (next === one ? [] : [next]));
      await session.write([changing(RUNS, changed, ["retryAt"])]);
    },
    (row) => [Number(row.retry_at), String(row.id)] as const,
  );
  await session.query(
    `UPDATE ${runs} SET lease_until = $1 WHERE status IN ('running', 'retrying') AND status = 'running' AND lease_until > $1`,
    [leaseUntil],
  );
  await session.query(`UPDATE ${triggers} SET lease_until = $1 WHERE ${WAITING} AND node IS NOT NULL AND lease_until > $1`, [leaseUntil]);
  await session.query(`UPDATE ${dialect.name("cursors")} SET lease_until = $1 WHERE lease_until > $1`, [leaseUntil]);
  await session.query(`UPDATE ${dialect.name("leases")} SET lease_until = $1 WHERE lease_until > $1`, [leaseUntil]);
  await rebasePauses(session, now);
}

/** Triggers that wait and meet a condition, by pipeline. Its values begin with the instant, as `$1`; further ones are `$4` and so on. */
function eachWaiting(
  session: Session,
  condition: string,
  [now, ...more]: readonly [now: number, ...more: number[]],
  change: (rows: readonly TriggerRow[]) => Promise<void>,
): Promise<void> {
  const { dialect } = session;
  const read = ([pipelineId, id]: readonly [string, string]) =>
    session.query(
      `SELECT * FROM ${dialect.name(TRIGGERS.name)} WHERE ${WAITING} AND ${condition} AND (pipeline_id, id) > ($2, $3)
       ORDER BY pipeline_id, id LIMIT ${ROWS_AT_ONCE}${dialect.forUpdate}`,
      [now, pipelineId, id, ...more],
    );
  return paged(
    session,
    ["", ""] as const,
    read,
    (rows) => change(wholeOf(TRIGGERS, rows).records),
    (row) => [String(row.pipeline_id), String(row.id)] as const,
  );
}

async function rebasePauses(session: Session, now: number): Promise<void> {
  const { dialect } = session;
  await rebaseGlobalPause(session, now);
  const concerned = (id: string) =>
    session.query(
      `SELECT * FROM ${dialect.name(PIPELINES.name)} WHERE id > $1 AND (pause IS NOT NULL OR last_pause IS NOT NULL OR last_success_at > $2) ORDER BY id LIMIT ${ROWS_AT_ONCE}`,
      [id, now],
    );
  await byId(session, concerned, async (rows) => {
    const ids = wholeOf(PIPELINES, rows).records.flatMap((row) => (isSame(row, rebased(row, now)) ? [] : [row.id]));
    const locked = await selectLocked(session, PIPELINES, ids);
    const changed = [...locked.values()].map((row) => rebased(row, now));
    await session.write([changing(PIPELINES, changed, ["pause", "lastPause", "lastSuccessAt"])]);
  });
}

function rebased(row: PipelineRow, now: number): PipelineRow {
  return {
    ...row,
    pause: row.pause === null ? null : rebasePause(row.pause, now),
    lastPause: row.lastPause === null ? null : rebaseSpans(endedPausesOf(row.lastPause), now),
    lastSuccessAt: row.lastSuccessAt === null ? null : Math.min(row.lastSuccessAt, now),
  };
}

function isSame(a: PipelineRow, b: PipelineRow): boolean {
  return a.pause === b.pause && a.lastPause === b.lastPause && a.lastSuccessAt === b.lastSuccessAt;
}

/** Fire times that have a trigger, although their schedule stands before them. The keys of fire times sort like these (from 2001 to 2286). */
export async function firesMade(session: Session, pipelineIds: readonly string[], until: number): Promise<readonly (readonly number[])[]> {
  const { dialect } = session;
  const [triggers, pipelines] = [dialect.name("triggers"), dialect.name(PIPELINES.name)];
  const found = await session.query(
    `SELECT id, next_fire_at, (SELECT max(t.unique_key) FROM ${triggers} t
       WHERE t.pipeline_id = p.id AND t.unique_key >= 'fire:' || p.next_fire_at AND t.unique_key <= $2) AS newest
     FROM ${pipelines} p WHERE id ${dialect.isIn(1)}`,
    [dialect.list(pipelineIds), `fire:${until}`],
  );
  const made = new Map<string, number[]>();
  for (const { id, next_fire_at, newest } of found) {
    if (newest === null) continue;
    const rows = await session.query(
      `SELECT scheduled_for FROM ${triggers} WHERE pipeline_id = $1 AND unique_key >= $2 AND unique_key <= $3`,
      [id, `fire:${next_fire_at}`, newest],
    );
    made.set(
      String(id),
      rows.map(({ scheduled_for }) => Number(scheduled_for)),
    );
  }
  return pipelineIds.map((id) => made.get(id) ?? []);
}

function byId(
  session: Session,
  read: (after: string) => Promise<readonly Row[]>,
  change: (rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  return paged(session, "", read, change, ({ id }) => String(id));
}

/** Reads and changes a thousand rows after the other, and lets the event loop turn in between. */
async function paged<P>(
  session: Session,
  first: P,
  read: (after: P) => Promise<readonly Row[]>,
  change: (rows: readonly Row[]) => Promise<void>,
  placeOf: (row: Row) => P,
): Promise<void> {
  for (let after = first; ; ) {
    const rows = await read(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    await change(rows);
    if (rows.length < ROWS_AT_ONCE) return;
    after = placeOf(last);
    await session.yield?.();
  }
}
