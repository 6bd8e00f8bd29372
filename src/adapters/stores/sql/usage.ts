import type { ClaimRequest } from "../../../ports/store/claims.js";
import type { Session } from "./database.js";
import { type KnownLine, LATER, type Line } from "./line.js";
import { ACTIVE, WAITING } from "./statuses.js";
import { GLOBAL_PAUSE, PIPELINES, type PipelineRow } from "./tables.js";

/** Slots in use, of every limit. */
export class Usage {
  readonly active = new Map<string, number>();
  readonly #claimed = new Map<string, number>();
  readonly #pools = new Map<string, number>();
  /** Pipelines with `cancel_running` that run something, or decide on something, and are not paused. */
  readonly cancelling = new Map<string, Pick<PipelineRow, "overlap" | "maxActiveRuns" | "pool">>();
  #total = 0;

  add(what: string, pipelineId: string, pool: string | null, count: number): void {
    const places = what === "claimed" ? this.#claimed : this.active;
    places.set(pipelineId, (places.get(pipelineId) ?? 0) + count);
    if (what !== "retrying") this.takeSlot(pool, count);
  }

  takeSlot(pool: string | null, count: number): void {
    this.#total += count;
    if (pool !== null) this.#pools.set(pool, (this.#pools.get(pool) ?? 0) + count);
  }

  freeOf({ id, maxActiveRuns }: Pick<PipelineRow, "id" | "maxActiveRuns">): number {
    return maxActiveRuns - (this.active.get(id) ?? 0) - (this.#claimed.get(id) ?? 0);
  }

  freeIn(pool: string | null, pools: ClaimRequest["pools"]): number {
    return pool === null ? Number.POSITIVE_INFINITY : (pools.get(pool) ?? 0) - (this.#pools.get(pool) ?? 0);
  }

  isFull({ globalLimit }: Pick<ClaimRequest, "globalLimit">): boolean {
    return globalLimit !== null && this.#total >= globalLimit;
  }

  hasSlot(pool: string | null, request: ClaimRequest): boolean {
    return !this.isFull(request) && this.freeIn(pool, request.pools) > 0;
  }
}

/** All that a claim goes by. */
export interface Used {
  readonly usage: Usage;
  /** Everything is. */
  readonly isPaused: boolean;
  /** There are attempts to begin. */
  readonly hasRetries: boolean;
  /** Lines with triggers in them, but for those of pipelines that were found to be paused. */
  readonly lines: readonly KnownLine[];
  /** The time of some triggers has come. */
  readonly isTimeUp: boolean;
}

/** Reads in one statement all that a claim goes by: a row for each pipeline with active runs, each claimed trigger and each line. */
export async function usageOf(session: Session, now: number): Promise<Used> {
  const { dialect } = session;
  const [runs, triggers, pipelines] = [dialect.name("runs"), dialect.name("triggers"), dialect.name(PIPELINES.name)];
  const rows = await session.query(
    `SELECT u.what, u.pipeline_id, u.n, u.line, p.pool, p.overlap, p.max_active_runs, CASE WHEN p.pause IS NULL THEN 0 ELSE 1 END AS is_paused FROM (
       SELECT status AS what, pipeline_id, count(*) AS n, NULL AS line FROM ${runs} WHERE ${ACTIVE} GROUP BY status, pipeline_id
       UNION ALL SELECT 'claimed', pipeline_id, 1, NULL FROM ${triggers} WHERE ${WAITING} AND node IS NOT NULL AND lease_until > $1
       UNION ALL SELECT 'due', NULL, count(*), NULL FROM (SELECT 1 FROM ${runs} WHERE status = 'retrying' AND retry_at <= $1 LIMIT 1) d
       UNION ALL SELECT 'paused', NULL, count(*), NULL FROM ${dialect.name("meta")} WHERE key = '${GLOBAL_PAUSE}' AND value NOT LIKE '{"pause":null%'
       UNION ALL SELECT 'later', NULL, count(*), NULL FROM (SELECT 1 FROM ${triggers}
         WHERE ${WAITING} AND line = '${LATER}' AND available_at <= $1 LIMIT 1) l
       UNION ALL SELECT 'line', pipeline_id, 0, key FROM ${dialect.name("lines")} WHERE NOT is_paused
     ) u LEFT JOIN ${pipelines} p ON p.id = u.pipeline_id`,
    [now],
  );
  const usage = new Usage();
  const lines: KnownLine[] = [];
  const counted = (name: string) => Number(rows.find(({ what }) => what === name)?.n ?? 0) > 0;
  for (const { what, pipeline_id, n, line, overlap, max_active_runs, is_paused, ...row } of rows) {
    const id = String(pipeline_id);
    const pool = row.pool === null ? null : String(row.pool);
    const maxActiveRuns = Number(max_active_runs);
    const isHalted = Number(is_paused) === 1;
    if (what === "line") {
      const key = line as Line;
      const pipeline = pipeline_id === null ? null : { id, maxActiveRuns, isPaused: isHalted };
      lines.push({ key, pipeline, pool: pipeline === null ? key.slice("pool:".length) : pool });
    } else if (pipeline_id !== null) {
      usage.add(String(what), id, pool, Number(n));
      if (overlap === "cancel_running" && !isHalted) usage.cancelling.set(id, { overlap, maxActiveRuns, pool });
    }
  }
  return { usage, isPaused: counted("paused"), hasRetries: counted("due"), lines, isTimeUp: counted("later") };
}
