import type { HeadgateError } from "../../../base/errors.js";
import type { Claim, ClaimRequest, DecideRequest, Now } from "../../../ports/claims.js";
import type { RunRecord } from "../../../run/run.js";
import { startAttempt } from "../../../run/transitions.js";
import { isOverlapping as isConcerned } from "../../../trigger/overlap.js";
import { claimTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { changing, type Row, type Session, select, wholeOf } from "./database.js";
import { decisionsOn } from "./decide.js";
import { previousHolds, trimDecisions } from "./decisions.js";
import { CancelRunning } from "./overlap.js";
import { withParameters, withWholeParameters } from "./payloads.js";
import { GLOBAL_PAUSE } from "./pipelines.js";
import { PIPELINES, type PipelineRow, RUN_STATE, RUNS, TRIGGER_CLAIM, TRIGGERS, type TriggerRow } from "./tables.js";

const PAGES = 50;
const RETRIES_AT_ONCE = 500;
/** Bytes of parameters handed out by one claim, but for those of one trigger: the rest waits for the next claim. */
const CLAIMED_BYTES = 16_777_216;

/** What is taken of every limit. */
class Usage {
  readonly active = new Map<string, number>();
  readonly #claimed = new Map<string, number>();
  readonly #pools = new Map<string, number>();
  /** Pipelines that can start nothing now but what is forced. */
  readonly closed = new Set<string>();
  /** Pipelines with `cancel_running` that run something, or decide on something. */
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

  isTaken({ id, maxActiveRuns }: Pick<PipelineRow, "id" | "maxActiveRuns">): boolean {
    return (this.active.get(id) ?? 0) + (this.#claimed.get(id) ?? 0) >= maxActiveRuns;
  }

  hasSlot(pool: string | null, { globalLimit, pools }: ClaimRequest): boolean {
    if (globalLimit !== null && this.#total >= globalLimit) return false;
    return pool === null || (this.#pools.get(pool) ?? 0) < (pools.get(pool) ?? 0);
  }
}

/** What the last claim saw: while nothing is paused or full, the head of the line is read together with the limits. */
export interface ClaimHint {
  isOpen: boolean;
}

/**
 * One claimant at a time: what it reads of the limits stands until it has written. The first statements are on their way while the lock is still waited for, so what they
 * compare with the time may be a little old, which hands out less and never more; what is recorded has the time at which everything was read.
 */
export async function claim(session: Session, request: ClaimRequest, hint: ClaimHint, now: Now): Promise<Claim> {
  const sentAt = now();
  const used = usageOf(session, sentAt);
  const head = hint.isOpen ? readLine(session, HEAD, pageSize(request.limit), "open", sentAt) : null;
  head?.catch(() => {}); // waited for below, unless the limits cannot be read either
  const { usage, isPaused, hasRetries } = await used;
  const overlaps = new CancelRunning(session, now);
  const isOpen = (id: string) => !isPaused && !usage.closed.has(id) && request.canRun(id);
  await cancelFor(overlaps, new Map([...usage.cancelling].filter(([id]) => isOpen(id))), usage);
  const attempts = hasRetries ? await claimRetries(session, request, usage, isPaused, now, overlaps) : [];
  hint.isOpen = !isPaused && usage.closed.size === 0;
  const found = await claimTriggers(session, request, usage, isPaused, request.limit - attempts.length, await head, now(), overlaps);
  const { rows: whole, broken } = await withWholeParameters(session, found.triggers);
  const at = now();
  for (const { row, error } of broken) await setAside(session, row.id, error, at);
  const ready = handOut(whole, false, request, at);
  const late = handOut([...found.overlapping, ...overtaken(found.passed, ready.requests, usage)], true, request, at);
  const requests = [...ready.requests, ...late.requests];
  const { steps, results } = decisionsOn(requests, await previousHolds(session, requests), at);
  await session.write([changing(TRIGGERS, [...ready.left, ...late.left], TRIGGER_CLAIM), ...steps]);
  await trimDecisions(session, requests, results);
  const isFreed = await overlaps.again(ready.requests, ready.left, at);
  return {
    decided: results.map((result, index) => ({ result, request: requests[index] as DecideRequest })),
    triggers: ready.left,
    overlapping: late.left,
    attempts,
    ...overlaps.result,
    ...(found.isPartial || isFreed ? { isPartial: true } : {}),
  };
}

/** Applies `cancel_running` to pipelines, and takes what that frees out of the usage. */
async function cancelFor(overlaps: CancelRunning, pipelines: Usage["cancelling"], usage: Usage): Promise<void> {
  for (const [id, { runs, claims }] of await overlaps.apply(pipelines)) {
    usage.add("retrying", id, null, -runs);
    usage.add("claimed", id, pipelines.get(id)?.pool ?? null, -claims);
  }
}

/** Scheduled triggers that this very claim has left without a slot, where `overlap` is `skip`: runs take every slot now. */
function overtaken(passed: Found["passed"], decided: readonly DecideRequest[], usage: Usage): TriggerRow[] {
  const started = new Map<string, number>();
  for (const { run, trigger } of decided)
    if (run !== null && trigger !== undefined) started.set(trigger.pipelineId, (started.get(trigger.pipelineId) ?? 0) + 1);
  return passed.flatMap(({ trigger, maxActiveRuns }) => {
    const { pipelineId } = trigger;
    return (usage.active.get(pipelineId) ?? 0) + (started.get(pipelineId) ?? 0) >= maxActiveRuns ? [trigger] : [];
  });
}

/** Claims triggers, and parts those that are decided on at once from those that are left to decide on. */
function handOut(
  triggers: readonly TriggerRow[],
  isOverlapping: boolean,
  { node, claimLeaseMs, judge }: ClaimRequest,
  now: number,
): { requests: DecideRequest[]; left: TriggerRow[] } {
  const requests: DecideRequest[] = [];
  const left: TriggerRow[] = [];
  for (const trigger of triggers) {
    const claimed = { ...trigger, ...claimTrigger(trigger, node, now + claimLeaseMs) };
    const request = judge?.(claimed, isOverlapping, now) ?? null;
    if (request === null) left.push(claimed);
    else requests.push({ ...request, trigger: claimed });
  }
  return { requests, left };
}

/** In one statement: what is taken, whether everything is paused, and whether there are attempts to begin. */
async function usageOf(session: Session, now: number): Promise<{ usage: Usage; isPaused: boolean; hasRetries: boolean }> {
  const { dialect } = session;
  const [runs, triggers, pipelines] = [dialect.name("runs"), dialect.name("triggers"), dialect.name("pipelines")];
  const rows = await session.query(
    `SELECT u.what, u.pipeline_id, p.pool, p.overlap, p.max_active_runs, u.n FROM (
       SELECT status AS what, pipeline_id, count(*) AS n FROM ${runs} WHERE status IN ('running', 'retrying') GROUP BY status, pipeline_id
       UNION ALL SELECT 'claimed', pipeline_id, count(*) FROM ${triggers}
       WHERE status IN ('pending', 'held') AND node IS NOT NULL AND lease_until > $1 GROUP BY pipeline_id
       UNION ALL SELECT 'halted', id, 0 FROM ${pipelines} WHERE pause IS NOT NULL
       UNION ALL SELECT 'due', NULL, count(*) FROM ${runs} WHERE status = 'retrying' AND retry_at <= $1
       UNION ALL SELECT 'paused', NULL, count(*) FROM ${dialect.name("meta")} WHERE key = '${GLOBAL_PAUSE}' AND value NOT LIKE '{"pause":null%'
     ) u LEFT JOIN ${pipelines} p ON p.id = u.pipeline_id`,
    [now],
  );
  const usage = new Usage();
  const counted = (name: string) => Number(rows.find(({ what }) => what === name)?.n ?? 0) > 0;
  for (const { what, pipeline_id, pool, overlap, max_active_runs, n } of rows) {
    const id = String(pipeline_id);
    if (what === "halted") usage.closed.add(id);
    else if (pipeline_id !== null) {
      usage.add(String(what), id, pool === null ? null : String(pool), Number(n));
      if (overlap === "cancel_running")
        usage.cancelling.set(id, { overlap, maxActiveRuns: Number(max_active_runs), pool: pool === null ? null : String(pool) });
      if ((overlap === "queue" || overlap === "queue_one") && usage.isTaken({ id, maxActiveRuns: Number(max_active_runs) }))
        usage.closed.add(id);
    }
  }
  return { usage, isPaused: counted("paused"), hasRetries: counted("due") };
}

async function claimRetries(
  session: Session,
  request: ClaimRequest,
  usage: Usage,
  isPaused: boolean,
  now: Now,
  overlaps: CancelRunning,
): Promise<Claim["attempts"]> {
  const { dialect } = session;
  const rest = `WHERE status = 'retrying' AND retry_at <= $1 ORDER BY retry_at, id LIMIT ${RETRIES_AT_ONCE}${dialect.skipLocked}`;
  const found = await select(session, RUNS, rest, [now()]);
  await overlaps.end(found.filter(({ cancelRequest }) => cancelRequest !== null)); // as 0.1.0 has left them
  const due = found.filter(({ cancelRequest }) => cancelRequest === null);
  if (due.length === 0) return [];
  const ids = [...new Set(due.map(({ pipelineId }) => pipelineId))];
  const rows = await select(session, PIPELINES, `WHERE id ${dialect.isIn(1)}`, [dialect.list(ids)]);
  const pipelines = new Map(rows.map((row) => [row.id, row]));
  const startedAt = now();
  const started: RunRecord[] = [];
  for (const run of due) {
    const pipeline = pipelines.get(run.pipelineId);
    if (started.length >= request.limit) break;
    if (pipeline === undefined || !request.canRun(run.pipelineId)) continue;
    if ((isPaused || pipeline.pause !== null) && !run.isForced) continue;
    if (!usage.hasSlot(pipeline.pool, request)) continue;
    usage.takeSlot(pipeline.pool, 1);
    started.push(startAttempt(run, request.node, request.attemptLeaseMs, startedAt));
  }
  await session.write([changing(RUNS, started, RUN_STATE)]);
  const triggers = await select(session, TRIGGERS, `WHERE id ${dialect.isIn(1)}`, [
    dialect.list(started.map(({ triggerId }) => triggerId)),
  ]);
  const byId = new Map((await withParameters(session, triggers)).map((trigger) => [trigger.id, trigger]));
  return started.flatMap((run) => {
    const trigger = byId.get(run.triggerId);
    return trigger === undefined ? [] : [{ run, trigger }];
  });
}

interface Found {
  readonly triggers: TriggerRow[];
  /** Stopped at {@link CLAIMED_BYTES}. */
  isPartial: boolean;
  /** Scheduled triggers to skip: runs take every slot. */
  readonly overlapping: TriggerRow[];
  /** Those of pipelines with `skip` whose slots are claimed: what is decided on that says what becomes of them. */
  readonly passed: { readonly trigger: TriggerRow; readonly maxActiveRuns: number }[];
}

type Place = Pick<TriggerRecord, "order" | "id">;

const HEAD: Place = { order: -1e300, id: "" };

function pageSize(limit: number): number {
  return Math.max(50, limit);
}

/** What is ready behind a place in the line, each with what a claim needs to know of its pipeline. Pipelines that are `closed` are passed over but for what is forced. */
function readLine(
  session: Session,
  { order, id }: Place,
  size: number,
  closed: ReadonlySet<string> | "open" | "paused",
  now: number,
): Promise<readonly Row[]> {
  const { dialect } = session;
  const isListed = typeof closed !== "string" && closed.size > 0;
  const passed = closed === "paused" ? "AND is_forced" : isListed ? `AND (is_forced OR NOT pipeline_id ${dialect.isIn(4)})` : "";
  return session.query(
    `SELECT t.*, p.id AS of_id, p.pause AS of_pause, p.max_active_runs AS of_max, p.overlap AS of_overlap, p.pool AS of_pool, y.size AS of_size FROM (
       SELECT * FROM ${dialect.name("triggers")}
       WHERE status IN ('pending', 'held') AND ("order", id) > ($1, $2) AND available_at <= $3 AND (lease_until IS NULL OR lease_until <= $3)
         AND (expires_at IS NULL OR expires_at > $3) ${passed} ORDER BY "order", id LIMIT ${size}${dialect.skipLocked}
     ) t LEFT JOIN ${dialect.name("pipelines")} p ON p.id = t.pipeline_id
     LEFT JOIN ${dialect.name("payloads")} y ON y.id = t.payload_id ORDER BY t."order", t.id`,
    [order, id, now, ...(isListed ? [dialect.list([...closed])] : [])],
  );
}

/** Reads the line page by page, passing over pipelines that cannot start anything now. */
async function claimTriggers(
  session: Session,
  request: ClaimRequest,
  usage: Usage,
  isPaused: boolean,
  limit: number,
  head: readonly Row[] | null,
  now: number,
  overlaps: CancelRunning,
): Promise<Found> {
  const found: Found = { triggers: [], overlapping: [], passed: [], isPartial: false };
  const sizes = new Map<string, number>();
  const payloads = new Set<string>();
  let bytes = 0;
  const { closed } = usage;
  const pipelines = new Map<string, PipelineRow>();
  const size = pageSize(request.limit);
  let last = HEAD;
  for (let page = 0; page < PAGES && found.triggers.length < limit; page++) {
    const rows = page === 0 && head !== null ? head : await readLine(session, last, size, isPaused ? "paused" : closed, now);
    const { records: candidates, broken } = wholeOf(TRIGGERS, rows);
    for (const { row, error } of broken) await setAside(session, row.id, error, now);
    for (const row of rows) {
      if (row.payload_id !== null) sizes.set(String(row.payload_id), Number(row.of_size ?? 0));
      const id = String(row.of_id);
      if (row.of_id !== null && !pipelines.has(id)) pipelines.set(id, pipelineOf(row));
    }
    for (const trigger of candidates) {
      if (found.triggers.length >= limit) break;
      const { payloadId } = trigger;
      const more = payloadId === null || payloads.has(payloadId) ? 0 : (sizes.get(payloadId) ?? 0);
      if (more > 0 && bytes > 0 && bytes + more > CLAIMED_BYTES) {
        found.isPartial = true;
        return found;
      }
      last = trigger;
      const taken = found.triggers.length;
      const pipeline = pipelines.get(trigger.pipelineId);
      if (pipeline !== undefined && mustOverlap(pipeline, isPaused, request) && !overlaps.knows(pipeline.id))
        await cancelFor(overlaps, new Map([[pipeline.id, pipeline]]), usage);
      if (overlaps.hasSuperseded(trigger.id)) continue;
      if (pipeline === undefined || !request.canRun(pipeline.id)) closed.add(trigger.pipelineId);
      else if (!take(trigger, pipeline, usage, request, isPaused, found)) closed.add(pipeline.id);
      if (found.triggers.length === taken || payloadId === null || more === 0) continue;
      payloads.add(payloadId);
      bytes += more;
    }
    if (rows.length < size) break;
  }
  return found;
}

/** What a claim needs to know of a trigger's pipeline, as read beside it. */
function pipelineOf({ of_id, of_pause, of_max, of_overlap, of_pool }: Row): PipelineRow {
  return PIPELINES.decode({ id: of_id, schedule_key: "", pause: of_pause, max_active_runs: of_max, overlap: of_overlap, pool: of_pool });
}

/** A trigger that cannot be read must not hold up the line: it fails, and says why. */
async function setAside(session: Session, id: unknown, error: HeadgateError, now: number): Promise<void> {
  const sql = `UPDATE ${session.dialect.name("triggers")} SET status = 'failed', ended_at = $2, end_reason = $3 WHERE id = $1`;
  await session.query(sql, [id, now, error.message]);
}

/** Claims one trigger if every limit allows it; gives false when its pipeline can start nothing more. */
function take(trigger: TriggerRow, pipeline: PipelineRow, usage: Usage, request: ClaimRequest, isPaused: boolean, found: Found): boolean {
  if ((isPaused || pipeline.pause !== null) && !trigger.isForced) return false;
  const isSkipping = pipeline.overlap === "skip" && isConcerned(trigger);
  if (isSkipping && (usage.active.get(pipeline.id) ?? 0) >= pipeline.maxActiveRuns) {
    found.overlapping.push(trigger);
    return true;
  }
  if (usage.isTaken(pipeline) && !trigger.isForced) {
    if (isSkipping) found.passed.push({ trigger, maxActiveRuns: pipeline.maxActiveRuns });
    return pipeline.overlap === "skip" || pipeline.overlap === "cancel_running";
  }
  if (!usage.hasSlot(pipeline.pool, request)) return false;
  usage.add("claimed", pipeline.id, pipeline.pool, 1);
  found.triggers.push(trigger);
  return true;
}

/** Returns true for a pipeline whose newest fire times replace older ones and cancel runs, if it may start something. */
function mustOverlap({ overlap, pause, id }: PipelineRow, isPaused: boolean, { canRun }: ClaimRequest): boolean {
  return overlap === "cancel_running" && !isPaused && pause === null && canRun(id);
}
