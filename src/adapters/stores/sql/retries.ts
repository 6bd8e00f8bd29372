import type { Claim, ClaimRequest, Now } from "../../../ports/store/claims.js";
import type { RunRecord } from "../../../run/run.js";
import { startAttempt } from "../../../run/transitions.js";
import { changing, type Session, select } from "./database.js";
import type { CancelRunning } from "./overlap.js";
import { withParameters } from "./payloads.js";
import { PIPELINES, type PipelineRow, RUN_STATE, RUNS, TRIGGERS } from "./tables.js";
import type { Usage } from "./usage.js";

const PAGES = 50;

/** The due attempts that a claim has started. */
export interface Retried {
  readonly attempts: Claim["attempts"];
  /** There may be more behind. */
  readonly isPartial: boolean;
}

export const NONE_RETRIED: Retried = { attempts: [], isPartial: false };

/** Begins attempts that are due, oldest first. Those that a pause, a full pool or another node's pipeline keeps back hold up no others, however many they are. */
export async function retry(
  session: Session,
  request: ClaimRequest,
  usage: Usage,
  { isPaused, page: least, overlaps }: { readonly isPaused: boolean; readonly page: number; readonly overlaps: CancelRunning },
  now: Now,
): Promise<Retried> {
  const { dialect } = session;
  const size = Math.max(least, request.limit);
  const started: RunRecord[] = [];
  /** Pipelines that this node cannot run: others can. */
  const foreign = new Set<string>();
  let place: readonly [at: number, id: string] = [-1, ""];
  let isPartial = false;
  for (let page = 0; page < PAGES && started.length < request.limit && !usage.isFull(request); page++) {
    const found = await select(session, RUNS, dueFrom(session, size, isPaused), [
      now(),
      ...place,
      dialect.list([...request.pools.keys()].filter((pool) => usage.freeIn(pool, request.pools) > 0)),
      dialect.list([...foreign]),
    ]);
    await overlaps.end(found.filter(({ cancelRequest }) => cancelRequest !== null)); // as 0.1.0 has left them
    const pools = await poolsOf(session, found);
    const startedAt = now();
    for (const run of found) {
      if (started.length >= request.limit) break;
      place = [run.retryAt ?? startedAt, run.id];
      const pool = pools.get(run.pipelineId);
      if (run.cancelRequest !== null || pool === undefined) continue;
      if (!request.canRun(run.pipelineId)) foreign.add(run.pipelineId);
      else if (usage.hasSlot(pool, request)) {
        usage.takeSlot(pool, 1);
        started.push(startAttempt(run, request.node, request.attemptLeaseMs, startedAt));
      }
    }
    isPartial = found.length === size;
    if (!isPartial) break;
  }
  if (started.length > 0) await session.write([changing(RUNS, started, RUN_STATE)]);
  return { attempts: await withTriggers(session, started), isPartial: isPartial && started.length > 0 && !usage.isFull(request) }; // else what is left has to wait for other nodes
}

/** Selects due retries after a position that may start, and those with a cancel request. Parameters: the time, the position's instant and id, pools with a free slot, pipelines to skip. */
function dueFrom({ dialect }: Session, size: number, isPaused: boolean): string {
  const runs = dialect.name(RUNS.name);
  const mayBegin = `SELECT (${isPaused ? "" : "p.pause IS NULL OR "}${runs}.is_forced) AND (p.pool IS NULL OR p.pool ${dialect.isIn(4)})
    FROM ${dialect.name(PIPELINES.name)} p WHERE p.id = ${runs}.pipeline_id`;
  return `WHERE status = 'retrying' AND retry_at <= $1 AND retry_at >= $2 AND (retry_at, id) > ($2, $3) AND NOT pipeline_id ${dialect.isIn(5)}
    AND (cancel_request IS NOT NULL OR (${mayBegin})) ORDER BY retry_at, id LIMIT ${size}${dialect.skipLocked}`;
}

async function poolsOf(session: Session, runs: readonly RunRecord[]): Promise<ReadonlyMap<string, PipelineRow["pool"]>> {
  if (runs.length === 0) return new Map();
  const { dialect } = session;
  const ids = dialect.list([...new Set(runs.map(({ pipelineId }) => pipelineId))]);
  const rows = await session.query(`SELECT id, pool FROM ${dialect.name(PIPELINES.name)} WHERE id ${dialect.isIn(1)}`, [ids]);
  return new Map(rows.map(({ id, pool }) => [String(id), pool === null ? null : String(pool)]));
}

async function withTriggers(session: Session, started: readonly RunRecord[]): Promise<Claim["attempts"]> {
  if (started.length === 0) return [];
  const { dialect } = session;
  const ids = dialect.list(started.map(({ triggerId }) => triggerId));
  const triggers = await select(session, TRIGGERS, `WHERE id ${dialect.isIn(1)}`, [ids]);
  const byId = new Map((await withParameters(session, triggers)).map((trigger) => [trigger.id, trigger]));
  return started.flatMap((run) => {
    const trigger = byId.get(run.triggerId);
    return trigger === undefined ? [] : [{ run, trigger }];
  });
}
