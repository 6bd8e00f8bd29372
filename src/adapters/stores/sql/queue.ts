import type { Backlog, BacklogGroup } from "../../../ports/store.js";
import { isReserved, type QueueLimit, type QueueLimits, refuseBeyond } from "../../../trigger/queue-limits.js";
import { PRIORITIES, type Priority } from "../../../trigger/trigger.js";
import type { Row, Session } from "./database.js";
import { ACTIVE, WAITING } from "./statuses.js";
import type { TriggerRow } from "./tables.js";

const NOTHING: QueueLimit = { count: 0, bytes: 0 };
const KEYS_AT_ONCE = 1_000;
/** Waiting triggers counted in one statement, and in all. */
const COUNTED_AT_ONCE = 20_000;
const MOST_COUNTED = 100_000;
const MOST_ACTIVE = 10_000;

/**
 * Refuses a batch that would exceed a limit. The caller's transaction is the only one that adds under limits until it ends, and keys that are taken add nothing.
 *
 * @throws HeadgateError `QUEUE_FULL`
 */
export async function refuseWhenFull(session: Session, rows: readonly TriggerRow[], limits: QueueLimits): Promise<void> {
  const { queueLock } = session.dialect;
  if (queueLock !== null) await session.query(queueLock);
  const taken = await takenKeys(session, rows);
  const adding = rows.filter(({ pipelineId, uniqueKey }) => uniqueKey === null || !taken.has(`${pipelineId} ${uniqueKey}`));
  if (adding.length === 0) return;
  const usageOf = async (column: "pipeline_id" | "requested_by", names: readonly string[], { count }: QueueLimit) =>
    new Map(await Promise.all(names.map(async (name) => [name, await usage(session, `AND ${column} = $2`, [count + 1, name])] as const)));
  const unique = (names: readonly (string | null)[]) => [...new Set(names.filter((name) => name !== null))];
  const [pipelines, tokens] = await Promise.all([
    usageOf("pipeline_id", unique(adding.map(({ pipelineId }) => pipelineId)), limits.pipeline),
    usageOf("requested_by", unique(adding.map(({ requestedBy }) => requestedBy)), limits.token),
  ]);
  const isSmall = isReserved(limits, adding, { pipelines, tokens });
  const total = isSmall ? NOTHING : await usage(session, "ORDER BY pipeline_id, priority, created_at, id", [limits.total.count + 1]);
  refuseBeyond(limits, adding, { pipelines, tokens, total });
}

/** Reads an index alone, no further than the limit. */
async function usage(session: Session, which: string, values: readonly unknown[]): Promise<QueueLimit> {
  const waiting = `SELECT size FROM ${session.dialect.name("triggers")} WHERE ${WAITING} ${which} LIMIT $1`;
  const [row] = await session.query(`SELECT count(*) AS n, coalesce(sum(size), 0) AS bytes FROM (${waiting}) w`, values);
  return { count: Number(row?.n ?? 0), bytes: Number(row?.bytes ?? 0) };
}

async function takenKeys(session: Session, rows: readonly TriggerRow[]): Promise<ReadonlySet<string>> {
  const { dialect } = session;
  const keyed = rows.filter(({ uniqueKey }) => uniqueKey !== null);
  const taken = new Set<string>();
  for (let start = 0; start < keyed.length; start += KEYS_AT_ONCE) {
    if (start > 0) await session.yield?.();
    const some = keyed.slice(start, start + KEYS_AT_ONCE);
    const found = await session.query(
      `SELECT pipeline_id, unique_key FROM ${dialect.name("triggers")} WHERE pipeline_id ${dialect.isIn(1)} AND unique_key ${dialect.isIn(2)}`,
      [dialect.list([...new Set(some.map(({ pipelineId }) => pipelineId))]), dialect.list(some.map(({ uniqueKey }) => uniqueKey ?? ""))],
    );
    for (const row of found) taken.add(`${row.pipeline_id} ${row.unique_key}`);
  }
  return taken;
}

/** Counts what waits part by part of an index, so that no statement takes long; what moves meanwhile may be counted twice or not at all. */
export async function backlog(session: Session, pipelineId?: string): Promise<Backlog> {
  const { dialect } = session;
  const groups = new Map<string, Group>();
  let last: readonly unknown[] = ["", "", -1e15, ""];
  for (let counted = 0; counted < MOST_COUNTED; counted += COUNTED_AT_ONCE) {
    if (counted > 0) await session.yield?.();
    const whose = pipelineId === undefined ? "" : "AND pipeline_id = $6";
    const part = `SELECT pipeline_id, priority, created_at, id, scheduled_for, status FROM ${dialect.name("triggers")}
      WHERE ${WAITING} AND (pipeline_id, priority, created_at, id) > ($1, $2, $3, $4) ${whose} ORDER BY pipeline_id, priority, created_at, id LIMIT $5`;
    const rows = await session.query(
      `SELECT * FROM (WITH part AS (${part})
       SELECT pipeline_id, priority, count(*) AS n, min(created_at) AS oldest_at, min(scheduled_for) AS fire_at,
         min(CASE WHEN status = 'pending' THEN scheduled_for END) AS pending_at, NULL AS last_id FROM part GROUP BY pipeline_id, priority
       UNION ALL SELECT * FROM (SELECT pipeline_id, priority, 0 AS n, created_at, CAST(NULL AS bigint) AS fire_at, CAST(NULL AS bigint) AS pending_at, id FROM part
         ORDER BY pipeline_id DESC, priority DESC, created_at DESC, id DESC LIMIT 1) w) counted`,
      [...last, COUNTED_AT_ONCE, ...(pipelineId === undefined ? [] : [pipelineId])],
    );
    let found = 0;
    for (const row of rows) {
      if (row.last_id === null) {
        found += Number(row.n);
        add(groups, row);
      } else last = [row.pipeline_id, row.priority, Number(row.oldest_at), row.last_id];
    }
    if (found < COUNTED_AT_ONCE) break;
  }
  const [whose, newest] = pipelineId === undefined ? ["", "started_at"] : ["AND pipeline_id = $2", "id"];
  const active = await session.query(
    `SELECT id, pipeline_id, started_at, scheduled_for FROM ${dialect.name("runs")} WHERE ${ACTIVE} ${whose} ORDER BY ${newest} DESC LIMIT $1`,
    [MOST_ACTIVE, ...(pipelineId === undefined ? [] : [pipelineId])],
  );
  return {
    groups: [...groups.values()],
    activeRuns: active.map(({ id, pipeline_id, started_at, scheduled_for }) => ({
      id: String(id),
      pipelineId: String(pipeline_id),
      startedAt: Number(started_at),
      scheduledFor: instantOf(scheduled_for),
    })),
  };
}

type Group = { -readonly [Field in keyof BacklogGroup]: BacklogGroup[Field] };

/** A priority that somebody has broken is counted as normal: the claim that meets it sets it aside. */
function add(groups: Map<string, Group>, { pipeline_id, priority: kept, n, oldest_at, fire_at, pending_at }: Row): void {
  const priority = PRIORITIES.find((one) => one === kept) ?? ("normal" satisfies Priority);
  const name = `${priority} ${pipeline_id}`;
  const known = groups.get(name);
  if (known === undefined) {
    groups.set(name, {
      pipelineId: String(pipeline_id),
      priority,
      waiting: Number(n),
      oldestAt: Number(oldest_at),
      oldestFireTimeAt: instantOf(fire_at),
      oldestPendingFireTimeAt: instantOf(pending_at),
    });
    return;
  }
  known.waiting += Number(n);
  known.oldestAt = Math.min(known.oldestAt, Number(oldest_at));
  known.oldestFireTimeAt = older(known.oldestFireTimeAt, instantOf(fire_at));
  known.oldestPendingFireTimeAt = older(known.oldestPendingFireTimeAt, instantOf(pending_at));
}

function instantOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function older(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
