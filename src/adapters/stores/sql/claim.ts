import type { HeadgateError } from "../../../base/errors.js";
import type { Claim, ClaimRequest, DecideRequest, Now } from "../../../ports/store/claims.js";
import { isOverlapping as isConcerned, skipsReady } from "../../../trigger/overlap.js";
import { claimTrigger } from "../../../trigger/transitions.js";
import { changing, type Row, type Session, wholeOf } from "./database.js";
import { decisionsOn } from "./decide.js";
import { previousHolds, trimDecisions } from "./decisions.js";
import { pipelineLine, poolLine } from "./line.js";
import { type Blocked, HEAD, MOVED_AT_ONCE, NOTHING_OPENED, type Opened, open, type Place, park } from "./lines.js";
import { CancelRunning } from "./overlap.js";
import { withWholeParameters } from "./payloads.js";
import { NONE_RETRIED, retry } from "./retries.js";
import { WAITING } from "./statuses.js";
import { PIPELINES, type PipelineRow, TRIGGER_CLAIM, TRIGGERS, type TriggerRow } from "./tables.js";
import { turns } from "./turns.js";
import { type Usage, usageOf } from "./usage.js";

const PAGES = 50;
/**
 * Bytes of parameters handed out by one claim, but for those of one trigger: the rest waits for the next claim. While they are read, parsed and run there are several copies of them, and those of
 * earlier claims wait for the garbage collector: with 16 MiB a node that worked off triggers of 1 MB needed 520 MB, with 4 MiB 200 MB less.
 */
const CLAIMED_BYTES = 4_194_304;

/** The memory of a store between claims, and how far a claim reads. */
export interface ClaimLine {
  /** The last claim saw nothing paused and nobody in a line of its own: the open line is read together with the limits. */
  isOpen: boolean;
  /** Triggers read at once, at least. */
  readonly page: number;
  /** So many blocked triggers in the open line are not read again, but put into lines of their own. */
  readonly patience: number;
}

export function claimLine({ page = 50, patience = 50 }: Partial<Pick<ClaimLine, "page" | "patience">> = {}): ClaimLine {
  return { isOpen: true, page, patience };
}

/**
 * One claimant at a time: what it reads of the limits stands until it has written. The first statements are on their way while the lock is still waited for, so what they
 * compare with the time may be a little old, which hands out less and never more; what is recorded has the time at which everything was read.
 */
export async function claim(session: Session, request: ClaimRequest, line: ClaimLine, now: Now): Promise<Claim> {
  const sentAt = now();
  const reading = usageOf(session, sentAt);
  const head = line.isOpen ? readLine(session, HEAD, Math.max(line.page, request.limit), NOBODY, sentAt) : null;
  head?.catch(() => {}); // waited for below, unless the limits cannot be read either
  const used = await reading;
  const { usage, isPaused, hasRetries } = used;
  const overlaps = new CancelRunning(session, now);
  const isOpen = (id: string) => !isPaused && request.canRun(id);
  await cancelFor(overlaps, new Map([...usage.cancelling].filter(([id]) => isOpen(id))), usage);
  const { attempts, ...retried } = hasRetries
    ? await retry(session, request, usage, { isPaused, page: line.page, overlaps }, now)
    : NONE_RETRIED;
  line.isOpen = !isPaused && used.lines.length === 0;
  const opened = isPaused ? NOTHING_OPENED : await open(session, used, request, line.page, now());
  const walk = {
    line,
    isPaused,
    limit: request.limit - attempts.length,
    head: opened.isMoved || isPaused ? null : await head,
    left: opened.left,
  };
  const found = await claimTriggers(session, request, usage, walk, now(), overlaps);
  const { rows: whole, broken } = await withWholeParameters(session, found.triggers);
  const at = now();
  for (const { row, error } of broken) await setAside(session, row.id, error, at);
  const ready = await handOut(whole, false, request, at);
  const late = await handOut([...found.overlapping, ...overtaken(found.passed, ready.requests, usage)], true, request, at);
  const requests = [...ready.requests, ...late.requests];
  const { steps, results } = decisionsOn(requests, await previousHolds(session, requests), at);
  if (turns.isSpent) await turns.next();
  await session.write([changing(TRIGGERS, [...ready.left, ...late.left], TRIGGER_CLAIM), ...steps]);
  await trimDecisions(session, requests, results);
  const isFreed = await overlaps.again(ready.requests, ready.left, at);
  await park(session, found.blocked);
  return {
    decided: results.map((result, index) => ({ result, request: requests[index] as DecideRequest })),
    triggers: ready.left,
    overlapping: late.left,
    attempts,
    ...overlaps.result,
    ...(found.isPartial || opened.isPartial || retried.isPartial || isFreed ? { isPartial: true } : {}),
  };
}

/** Applies `cancel_running` to pipelines, and takes what that frees out of the usage. */
async function cancelFor(overlaps: CancelRunning, pipelines: Usage["cancelling"], usage: Usage): Promise<void> {
  for (const [id, { runs, claims }] of await overlaps.apply(pipelines)) {
    usage.add("retrying", id, null, -runs);
    usage.add("claimed", id, pipelines.get(id)?.pool ?? null, -claims);
  }
}

/** Scheduled triggers that this very claim has left without a slot, and that are skipped if what it has started takes every slot. */
function overtaken(passed: Found["passed"], decided: readonly DecideRequest[], usage: Usage): TriggerRow[] {
  const started = new Map<string, number>();
  for (const { run, trigger } of decided)
    if (run !== null && trigger !== undefined) started.set(trigger.pipelineId, (started.get(trigger.pipelineId) ?? 0) + 1);
  const activeOf = (id: string) => (usage.active.get(id) ?? 0) + (started.get(id) ?? 0);
  return passed.filter(({ pipeline }) => skipsReady(pipeline, activeOf(pipeline.id))).map(({ trigger }) => trigger);
}

/** Claims triggers, and parts those that are decided on at once from those that are left to decide on. */
async function handOut(
  triggers: readonly TriggerRow[],
  isOverlapping: boolean,
  { node, claimLeaseMs, judge }: ClaimRequest,
  now: number,
): Promise<{ requests: DecideRequest[]; left: TriggerRow[] }> {
  const requests: DecideRequest[] = [];
  const left: TriggerRow[] = [];
  for (const trigger of triggers) {
    if (turns.isSpent) await turns.next();
    const claimed = { ...trigger, ...claimTrigger(trigger, node, now + claimLeaseMs) };
    const request = judge?.(claimed, isOverlapping, now) ?? null;
    if (request === null) left.push(claimed);
    else requests.push({ ...request, trigger: claimed });
  }
  return { requests, left };
}

interface Found {
  readonly triggers: TriggerRow[];
  /** Stopped at {@link CLAIMED_BYTES}, or at {@link MOVED_AT_ONCE}: there may be more behind. */
  isPartial: boolean;
  /** Triggers to take out of the open line. */
  readonly blocked: Blocked[];
  /** Scheduled triggers to skip: runs take every slot. */
  readonly overlapping: TriggerRow[];
  /** Those of pipelines with `skip` whose slots are claimed: what is decided on that says what becomes of them. */
  readonly passed: { readonly trigger: TriggerRow; readonly pipeline: PipelineRow }[];
}

const NOBODY: ReadonlySet<string> = new Set();

/** Reads the open line behind a place, each trigger with what a claim needs to know of its pipeline; while everything is paused, what is forced, wherever it stands. */
function readLine(
  session: Session,
  { order, id }: Place,
  size: number,
  except: ReadonlySet<string> | "paused",
  now: number,
): Promise<readonly Row[]> {
  const { dialect } = session;
  const isListed = except !== "paused" && except.size > 0;
  const which = except === "paused" ? "is_forced" : `line IS NULL ${isListed ? `AND NOT pipeline_id ${dialect.isIn(4)}` : ""}`;
  return session.query(
    `SELECT t.*, p.id AS of_id, p.pause AS of_pause, p.max_active_runs AS of_max, p.overlap AS of_overlap, p.pool AS of_pool, y.size AS of_size FROM (
       SELECT * FROM ${dialect.name("triggers")}
       WHERE ${WAITING} AND ${which} AND ("order", id) > ($1, $2) AND available_at <= $3 AND (lease_until IS NULL OR lease_until <= $3)
         AND (expires_at IS NULL OR expires_at > $3) ORDER BY "order", id LIMIT ${size}${dialect.skipLocked}
     ) t LEFT JOIN ${dialect.name(PIPELINES.name)} p ON p.id = t.pipeline_id
     LEFT JOIN ${dialect.name("payloads")} y ON y.id = t.payload_id ORDER BY t."order", t.id`,
    [order, id, now, ...(isListed ? [dialect.list([...except])] : [])],
  );
}

interface Walk {
  readonly line: ClaimLine;
  readonly isPaused: boolean;
  /** The most triggers to claim. */
  readonly limit: number;
  /** The first page, if it was read before. */
  readonly head: readonly Row[] | null;
  readonly left: Opened["left"];
}

/** Reads the open line page by page; what is blocked leaves it once it is more than a few. */
async function claimTriggers(
  session: Session,
  request: ClaimRequest,
  usage: Usage,
  { line, isPaused, limit, head, left }: Walk,
  now: number,
  overlaps: CancelRunning,
): Promise<Found> {
  const found: Found = { triggers: [], overlapping: [], passed: [], blocked: [], isPartial: false };
  const load = new Load();
  /** Pipelines that this node cannot run: others can. */
  const foreign = new Set<string>();
  const pipelines = new Map<string, PipelineRow>();
  const size = Math.max(line.page, request.limit);
  let last = HEAD;
  for (let page = 0; page < PAGES && found.triggers.length < limit && !found.isPartial; page++) {
    const rows = page === 0 && head !== null ? head : await readLine(session, last, size, isPaused ? "paused" : foreign, now);
    if (turns.isSpent) await turns.next();
    const { records: candidates, broken } = wholeOf(TRIGGERS, rows);
    for (const { row, error } of broken) await setAside(session, row.id, error, now);
    for (const row of rows) {
      load.know(row);
      const id = String(row.of_id);
      if (row.of_id !== null && !pipelines.has(id)) pipelines.set(id, pipelineOf(row));
    }
    const blocked: Blocked[] = [];
    for (const trigger of candidates) {
      if (turns.isSpent) await turns.next();
      if (found.triggers.length >= limit) break;
      const pipeline = pipelines.get(trigger.pipelineId);
      if (load.isTooMuch(trigger) || mustWaitForElders(trigger, pipeline?.pool ?? null, left, usage, request)) {
        found.isPartial = true;
        break;
      }
      last = trigger;
      const taken = found.triggers.length;
      if (pipeline !== undefined && mustOverlap(pipeline, isPaused, request) && !overlaps.knows(pipeline.id))
        await cancelFor(overlaps, new Map([[pipeline.id, pipeline]]), usage);
      if (overlaps.hasSuperseded(trigger.id)) continue;
      if (pipeline === undefined || !request.canRun(pipeline.id)) foreign.add(trigger.pipelineId);
      else {
        const elsewhere = take(trigger, pipeline, usage, request, isPaused, found);
        if (elsewhere !== null) blocked.push({ trigger, line: elsewhere, isPaused: pipeline.pause !== null && !trigger.isForced });
      }
      if (found.triggers.length > taken) load.take(trigger);
    }
    if (blocked.length >= line.patience) found.blocked.push(...blocked);
    if (rows.length < size || usage.isFull(request)) break;
    if (found.blocked.length >= MOVED_AT_ONCE) found.isPartial = true;
  }
  return found;
}

/** Parameters that one claim hands out. */
class Load {
  readonly #sizes = new Map<string, number>();
  readonly #taken = new Set<string>();
  #bytes = 0;

  know({ payload_id, of_size }: Row): void {
    if (payload_id !== null) this.#sizes.set(String(payload_id), Number(of_size ?? 0));
  }

  /** Returns true for a trigger that must wait for the next claim. */
  isTooMuch({ payloadId }: TriggerRow): boolean {
    const more = this.#moreFor(payloadId);
    return more > 0 && this.#bytes > 0 && this.#bytes + more > CLAIMED_BYTES;
  }

  take({ payloadId }: TriggerRow): void {
    this.#bytes += this.#moreFor(payloadId);
    if (payloadId !== null) this.#taken.add(payloadId);
  }

  #moreFor(payloadId: string | null): number {
    return payloadId === null || this.#taken.has(payloadId) ? 0 : (this.#sizes.get(payloadId) ?? 0);
  }
}

/** Returns the facts of a trigger's pipeline that a claim needs, read together with it. */
function pipelineOf({ of_id, of_pause, of_max, of_overlap, of_pool }: Row): PipelineRow {
  return PIPELINES.decode({ id: of_id, schedule_key: "", pause: of_pause, max_active_runs: of_max, overlap: of_overlap, pool: of_pool });
}

/** A trigger that cannot be read must not hold up the line: it fails, and says why. */
async function setAside(session: Session, id: unknown, error: HeadgateError, now: number): Promise<void> {
  const sql = `UPDATE ${session.dialect.name("triggers")} SET status = 'failed', ended_at = $2, end_reason = $3 WHERE id = $1`;
  await session.query(sql, [id, now, error.message]);
}

/** Claims one trigger if every limit allows it; gives the line in which it has to wait for something that others free. Fire times that overlap policies may end at any time stay in the open line. */
function take(
  trigger: TriggerRow,
  pipeline: PipelineRow,
  usage: Usage,
  request: ClaimRequest,
  isPaused: boolean,
  found: Found,
): Blocked["line"] | null {
  const { id, pool, overlap, pause } = pipeline;
  const isSkipping = overlap === "skip" && isConcerned(trigger);
  const canMove = !isPaused && !isSkipping && !(overlap === "cancel_running" && isConcerned(trigger));
  if ((isPaused || pause !== null) && !trigger.isForced) return canMove ? pipelineLine(id) : null;
  if (isSkipping && skipsReady(pipeline, usage.active.get(id) ?? 0)) {
    found.overlapping.push(trigger);
    return null;
  }
  if (usage.freeOf(pipeline) <= 0 && !trigger.isForced) {
    if (isSkipping) found.passed.push({ trigger, pipeline });
    return canMove ? pipelineLine(id) : null;
  }
  if (!usage.hasSlot(pool, request)) return canMove && pool !== null && !usage.isFull(request) ? poolLine(pool) : null;
  usage.add("claimed", id, pool, 1);
  found.triggers.push(trigger);
  return null;
}

/** Returns true for a trigger that would take a slot of a pool before older ones that are still in the line of that pool: the next claim looks at these first. */
function mustWaitForElders(trigger: TriggerRow, pool: string | null, left: Opened["left"], usage: Usage, request: ClaimRequest): boolean {
  const first = pool === null ? undefined : left.get(pool);
  if (first === undefined || !usage.hasSlot(pool, request)) return false;
  return first.order < trigger.order || (first.order === trigger.order && first.id < trigger.id);
}

/** Returns true for a pipeline whose newest fire times replace older ones and cancel runs, if it may start something. */
function mustOverlap({ overlap, pause, id }: PipelineRow, isPaused: boolean, { canRun }: ClaimRequest): boolean {
  return overlap === "cancel_running" && !isPaused && pause === null && canRun(id);
}
