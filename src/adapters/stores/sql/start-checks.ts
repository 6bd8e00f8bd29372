import { opensAt, type RecentStarts, type StartLimit, spanOf } from "../../../gate/start-limit.js";
import type { DecideRequest, DecideResult } from "../../../ports/store/claims.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import type { Session } from "./database.js";
import { globallyPaused } from "./pauses.js";
import { HIDDEN } from "./statuses.js";
import { PIPELINES } from "./tables.js";

/** Returns why a run must not start: a pause, or the limit that has no room; `null` when it may. Called once for each run that would start, in their order. */
export type StartCheck = (request: DecideRequest, trigger: TriggerRecord) => "paused" | StartLimit | null;

/** Of a transaction in which that is known already. */
export const MAY_START: StartCheck = () => null;

/** The newest starts of a pipeline in [from, until): reads `limit` entries of an index at most. */
export async function recentStarts(session: Session, id: string, from: number, until: number, limit: number): Promise<RecentStarts> {
  const [row] = await session.query(
    `SELECT count(*) AS n, min(started_at) AS oldest_at FROM (
       SELECT started_at FROM ${session.dialect.name("runs")}
       WHERE ${HIDDEN.pipelineId} = $1 AND started_at >= $2 AND started_at < $3 ORDER BY started_at DESC LIMIT $4) r`,
    [id, from, until, limit],
  );
  const count = Number(row?.n ?? 0);
  return { count, oldestAt: count === 0 ? null : Number(row?.oldest_at) };
}

/** Reads what could keep the runs of these decisions back. Stands until the transaction ends: it has the lock of starts, and with limits that of claims. */
export async function startCheck(session: Session, requests: readonly DecideRequest[], now: number): Promise<StartCheck> {
  const starting = requests.filter(({ run }) => run !== null);
  if (starting.length === 0) return MAY_START;
  const paused = await pausedOf(session, starting);
  const limits = await limitsOf(session, starting, now);
  return (request, { pipelineId, isForced }) => {
    if (!isForced && (paused === "all" || paused.has(pipelineId))) return "paused";
    const full = limits.fullOf(request);
    if (full === null) limits.started(pipelineId);
    return full;
  };
}

/** Returns a refusal by a limit, after the starts of the transaction were written. */
export async function refusalBy(
  session: Session,
  limit: StartLimit,
  pipelineId: string,
  now: number,
): Promise<NonNullable<DecideResult["refusal"]>> {
  const { from, until } = spanOf(limit, now);
  return { kind: "limit", opensAt: opensAt(limit, await recentStarts(session, pipelineId, from, until, limit.count)) ?? now };
}

async function pausedOf(session: Session, requests: readonly DecideRequest[]): Promise<ReadonlySet<string> | "all"> {
  const { dialect } = session;
  const ids = [...new Set(requests.map(({ decision }) => decision.pipelineId))];
  const rows = await session.query(
    `SELECT id FROM ${dialect.name(PIPELINES.name)} WHERE pause IS NOT NULL AND id ${dialect.isIn(1)}
     UNION ALL SELECT NULL FROM (${globallyPaused(dialect)}) g`,
    [dialect.list(ids)],
  );
  return rows.some(({ id }) => id === null) ? "all" : new Set(rows.map(({ id }) => String(id)));
}

interface Limits {
  /** A limit of the request that has no room; `null` when all have. */
  fullOf(request: DecideRequest): StartLimit | null;
  started(pipelineId: string): void;
}

async function limitsOf(session: Session, requests: readonly DecideRequest[], now: number): Promise<Limits> {
  const counts = new Map<string, number>();
  const keyOf = (id: string, { count, periodMs }: StartLimit) => `${count} ${periodMs} ${id}`;
  for (const { decision, limits = [] } of requests) {
    for (const limit of limits) {
      const key = keyOf(decision.pipelineId, limit);
      if (counts.has(key)) continue;
      const { from, until } = spanOf(limit, now);
      counts.set(key, (await recentStarts(session, decision.pipelineId, from, until, limit.count)).count);
    }
  }
  /** Starts of this very transaction, all at `now`. */
  const added = new Map<string, number>();
  return {
    fullOf: ({ decision: { pipelineId }, limits = [] }) =>
      limits.find((limit) => (counts.get(keyOf(pipelineId, limit)) ?? 0) + (added.get(pipelineId) ?? 0) >= limit.count) ?? null,
    started: (pipelineId) => added.set(pipelineId, (added.get(pipelineId) ?? 0) + 1),
  };
}
