import { EVENT_BOUNDS } from "../../../ports/store/events.js";
import type { PruneOptions, PruneResult } from "../../../ports/store.js";
import { excessOf, type PipelineExcess, type Retention, SETTLED_MS } from "../../../trigger/retention.js";
import * as audit from "./audit.js";
import { type Session, select } from "./database.js";
import * as events from "./events.js";
import { type Counted, count, countAgain, lockedCount, subtract } from "./history-count.js";
import { forgetPayloads } from "./payloads.js";
import { HISTORY } from "./tables.js";

/** Pipelines that are looked at in one step. */
const LARGEST = 20;

/** Bounds of the history of a store on a database. */
export interface SqlRetention extends Retention {
  /** Age of audit records, ms; `null` keeps them all. */
  readonly auditMs: number | null;
}

/** A trigger that has ended, or a decision on a dropped fire time. */
interface Ended {
  readonly id: string;
  readonly pipelineId: string;
  readonly at: number;
  readonly isDrop: boolean;
  readonly runId: string | null;
  readonly payloadId: string | null;
}

/**
 * One small step, in a transaction of its own: the first of these that finds something to do.
 *
 * Every statement reads through an index what it removes or counts, and no more. How much is kept of each pipeline is not counted each time: the table `history` has it, and is brought up to date with what has ended
 * since the last step.
 */
export async function prune(session: Session, retention: SqlRetention, now: number, options: PruneOptions): Promise<PruneResult> {
  const { limit = 100, sealer } = options;
  const agedOut = now - retention.maxAgeMs;
  const { byIndex } = session.dialect;
  if (byIndex !== null) await session.query(byIndex);
  if (retention.auditMs !== null && (await audit.prune(session, now - retention.auditMs, sealer, limit))) return MORE;
  if (await events.prune(session, EVENT_BOUNDS, now, limit)) return MORE;
  if (await pruneAnswers(session, agedOut, limit)) return MORE;
  return pruneHistory(session, retention, now, limit);
}

const MORE: PruneResult = { removed: 0, isDone: false };

async function pruneAnswers(session: Session, before: number, limit: number): Promise<boolean> {
  const { dialect } = session;
  const answers = dialect.name("answers");
  const old = await session.query(`SELECT key FROM ${answers} WHERE at < $1 ORDER BY at LIMIT $2`, [before, limit]);
  if (old.length === 0) return false;
  await session.query(`DELETE FROM ${answers} WHERE key ${dialect.isIn(1)}`, [dialect.list(old.map(({ key }) => String(key)))]);
  return true;
}

/** Counts first: only what was counted is removed. */
async function pruneHistory(session: Session, retention: SqlRetention, now: number, limit: number): Promise<PruneResult> {
  const settledAt = now - SETTLED_MS;
  const counted = await lockedCount(session);
  if (counted.ended.at > now || counted.dropped.at > now) {
    await countAgain(session, limit);
    return MORE;
  }
  if (await count(session, counted, settledAt, limit)) return MORE;
  const aged = await oldest(session, Math.min(settledAt, now - retention.maxAgeMs), limit);
  if (aged.length > 0) return remove(session, counted, aged, lossesOf(aged));
  const largest = await select(session, HISTORY, `ORDER BY kept DESC, pipeline_id DESC LIMIT ${LARGEST + 1}`);
  const hasMore = largest.length > LARGEST;
  const losses = excessOf(largest.slice(0, LARGEST), hasMore, counted.total, retention, limit);
  if (losses.length === 0) return { removed: 0, isDone: true };
  return remove(session, counted, await oldestOf(session, losses, settledAt), new Map(losses.map((one) => [one.pipelineId, one.excess])));
}

function lossesOf(ended: readonly Ended[]): Map<string, number> {
  const losses = new Map<string, number>();
  for (const { pipelineId } of ended) losses.set(pipelineId, (losses.get(pipelineId) ?? 0) + 1);
  return losses;
}

/** Records that ended before an instant, oldest first. */
async function oldest(session: Session, before: number, limit: number): Promise<readonly Ended[]> {
  const { triggers, decisions } = namesOf(session);
  const rows = await session.query(
    `SELECT * FROM (SELECT ${TRIGGER} FROM ${triggers} WHERE ended_at IS NOT NULL AND ended_at < $1 ORDER BY ended_at, id LIMIT $2) AS t
     UNION ALL SELECT * FROM (SELECT ${DROP} FROM ${decisions} WHERE trigger_id IS NULL AND at < $1 ORDER BY at, id LIMIT $2) AS d`,
    [before, limit],
  );
  return inOrder(rows).slice(0, limit);
}

/** The oldest of some pipelines, of each as many as it loses. */
async function oldestOf(session: Session, losses: readonly PipelineExcess[], before: number): Promise<readonly Ended[]> {
  const { triggers, decisions } = namesOf(session);
  const values: unknown[] = [before];
  const parts = losses.flatMap(({ pipelineId, excess }, index) => {
    const [whose, many] = [values.push(pipelineId), values.push(excess)];
    const ended = `WHERE pipeline_id = $${whose} AND ended_at IS NOT NULL AND ended_at < $1 ORDER BY ended_at, id LIMIT $${many}`;
    const dropped = `WHERE pipeline_id = $${whose} AND trigger_id IS NULL AND at < $1 ORDER BY scheduled_for, id LIMIT $${many}`;
    return [
      `SELECT * FROM (SELECT ${TRIGGER} FROM ${triggers} ${ended}) AS t${index}`,
      `SELECT * FROM (SELECT ${DROP} FROM ${decisions} ${dropped}) AS d${index}`,
    ];
  });
  const found = inOrder(await session.query(parts.join(" UNION ALL "), values));
  const left = new Map(losses.map((one) => [one.pipelineId, one.excess]));
  return found.filter(({ pipelineId }) => {
    const more = left.get(pipelineId) ?? 0;
    left.set(pipelineId, more - 1);
    return more > 0;
  });
}

const TRIGGER = "id, pipeline_id, ended_at AS at, 0 AS is_drop, run_id, payload_id";
const DROP = "id, pipeline_id, at, 1 AS is_drop, NULL AS run_id, NULL AS payload_id";

function namesOf({ dialect }: Session) {
  return { triggers: dialect.name("triggers"), decisions: dialect.name("decisions"), runs: dialect.name("runs") };
}

function inOrder(rows: readonly Readonly<Record<string, unknown>>[]): readonly Ended[] {
  return rows
    .map(({ id, pipeline_id, at, is_drop, run_id, payload_id }) => ({
      id: String(id),
      pipelineId: String(pipeline_id),
      at: Number(at),
      isDrop: Number(is_drop) === 1,
      runId: run_id === null ? null : String(run_id),
      payloadId: payload_id === null ? null : String(payload_id),
    }))
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
}

/** Removes records and takes them off what their pipelines have. */
async function remove(
  session: Session,
  counted: Counted,
  ended: readonly Ended[],
  losses: ReadonlyMap<string, number>,
): Promise<PruneResult> {
  const { dialect } = session;
  const { triggers, runs, decisions } = namesOf(session);
  const ids = (some: readonly (string | null)[]) => some.filter((one) => one !== null);
  const removeFrom = async (table: string, column: string, some: readonly string[]) => {
    if (some.length > 0) await session.query(`DELETE FROM ${table} WHERE ${column} ${dialect.isIn(1)}`, [dialect.list(some)]);
  };
  const [dropped, made] = [ended.filter(({ isDrop }) => isDrop), ended.filter(({ isDrop }) => !isDrop)];
  const triggerIds = made.map(({ id }) => id);
  await Promise.all([
    removeFrom(
      decisions,
      "id",
      dropped.map(({ id }) => id),
    ),
    removeFrom(decisions, "trigger_id", triggerIds),
    removeFrom(runs, "id", ids(made.map(({ runId }) => runId))),
    removeFrom(triggers, "id", triggerIds),
  ]);
  await forgetPayloads(session, [...new Set(ids(made.map(({ payloadId }) => payloadId)))]);
  await subtract(session, counted, losses);
  return { removed: ended.length, isDone: false };
}
