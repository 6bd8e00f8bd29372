import type { Claim, DecideRequest } from "../../../ports/store/claims.js";
import { isActive, type RunRecord } from "../../../run/run.js";
import { CANCELLED, isOverlapping, type OverlappedRun, planOverlap, type WaitingFire } from "../../../trigger/overlap.js";
import { supersedeTrigger } from "../../../trigger/transitions.js";
import { isWaiting, type TriggerRecord } from "../../../trigger/trigger.js";
import { changing, type Session, selectLocked } from "./database.js";
import { withParameters } from "./payloads.js";
import { cancelRuns } from "./run-lifecycle.js";
import { type PipelineRow, TRIGGER_STATE, TRIGGERS, type TriggerRow } from "./tables.js";

type Limits = Pick<PipelineRow, "overlap" | "maxActiveRuns">;

/** Active runs and waiting triggers of one pipeline. */
interface Seen {
  readonly limits: Limits;
  runs: OverlappedRun[];
  claimed: WaitingFire[];
  claimedOthers: number;
  ready: WaitingFire[];
}

/** Slots that the rule has freed: of runs between two attempts, and of triggers that were being decided on. */
interface Freed {
  readonly runs: number;
  readonly claims: number;
}

/** The overlap rule `cancel_running` within one claim. Each pipeline is read in one statement, and what is planned is written at once, so that what it frees can be claimed. */
export class CancelRunning {
  readonly #session: Session;
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();
  readonly superseded: TriggerRecord[] = [];
  readonly cancelled: RunRecord[] = [];
  readonly ended: { run: RunRecord; trigger: TriggerRecord }[] = [];
  readonly #gone = new Set<string>();

  constructor(session: Session, now: () => number) {
    this.#session = session;
    this.#now = now;
  }

  knows(pipelineId: string): boolean {
    return this.#seen.has(pipelineId);
  }

  /** Returns true for a trigger that this claim has ended because a newer fire time took its place. */
  hasSuperseded(triggerId: string): boolean {
    return this.#gone.has(triggerId);
  }

  /** Reads pipelines that are not paused and applies the rule to them. Returns what that has freed, by pipeline. */
  async apply(pipelines: ReadonlyMap<string, Limits>): Promise<ReadonlyMap<string, Freed>> {
    if (pipelines.size === 0) return new Map();
    const now = this.#now();
    for (const [id, limits] of pipelines) this.#seen.set(id, { limits, runs: [], claimed: [], claimedOthers: 0, ready: [] });
    const { dialect } = this.#session;
    const [triggers, runs] = [dialect.name("triggers"), dialect.name("runs")];
    const rows = await this.#session.query(
      `SELECT CASE WHEN node IS NOT NULL AND lease_until > $1 THEN 'claimed' ELSE 'ready' END AS what, id, id AS trigger_id, pipeline_id, kind, is_forced,
         scheduled_for, created_at AS started_at, 0 AS is_cancelled FROM ${triggers}
       WHERE status IN ('pending', 'held') AND pipeline_id ${dialect.isIn(2)} AND (node IS NOT NULL AND lease_until > $1
         OR kind = 'scheduled' AND NOT is_forced AND available_at <= $1 AND (expires_at IS NULL OR expires_at > $1))
       UNION ALL SELECT 'run', r.id, r.trigger_id, r.pipeline_id, t.kind, t.is_forced, r.scheduled_for, r.started_at,
         CASE WHEN r.cancel_request IS NULL THEN 0 ELSE 1 END FROM ${runs} r JOIN ${triggers} t ON t.id = r.trigger_id
       WHERE r.status IN ('running', 'retrying') AND r.pipeline_id ${dialect.isIn(2)}`,
      [now, dialect.list([...pipelines.keys()])],
    );
    for (const row of rows) {
      const seen = this.#seen.get(String(row.pipeline_id)) as Seen;
      const id = String(row.id);
      const isFire = row.kind === "scheduled" && row.is_forced !== true && row.is_forced !== 1;
      const fireTime = Number(row.scheduled_for);
      if (row.what === "run") {
        const run = {
          id,
          triggerId: String(row.trigger_id),
          startedAt: Number(row.started_at),
          isCancelled: Number(row.is_cancelled) === 1,
        };
        seen.runs.push({ ...run, fireTime: isFire ? fireTime : null });
      } else if (row.what === "ready") seen.ready.push({ id, fireTime });
      else if (isFire) seen.claimed.push({ id, fireTime });
      else seen.claimedOthers++;
    }
    return this.#apply([...pipelines.keys()], now);
  }

  /** Applies the rule again, to what the claim has left. Returns true when that has freed a slot. */
  async again(decided: readonly DecideRequest[], left: readonly TriggerRow[], now: number): Promise<boolean> {
    for (const { trigger, run } of decided) if (trigger !== undefined) this.#take(trigger, run?.id ?? null, now);
    for (const trigger of left) {
      const seen = this.#seen.get(trigger.pipelineId);
      this.#take(trigger, null, now);
      if (isOverlapping(trigger)) seen?.claimed.push(fireOf(trigger));
      else if (seen !== undefined) seen.claimedOthers++;
    }
    const freed = await this.#apply([...this.#seen.keys()], now);
    return [...freed.values()].some(({ runs, claims }) => runs + claims > 0);
  }

  #take(trigger: TriggerRecord, runId: string | null, now: number): void {
    const seen = this.#seen.get(trigger.pipelineId);
    if (seen === undefined) return;
    seen.ready = seen.ready.filter(({ id }) => id !== trigger.id);
    if (runId === null) return;
    const fireTime = isOverlapping(trigger) ? trigger.scheduledFor : null;
    seen.runs.push({ id: runId, triggerId: trigger.id, fireTime, startedAt: now, isCancelled: false });
  }

  /** Ends runs between two attempts whose end was requested before. */
  async end(runs: readonly RunRecord[]): Promise<void> {
    for (const { id, cancelRequest } of runs) {
      const [done] = await cancelRuns(this.#session, [id], { ...(cancelRequest ?? { user: null, reason: null }), at: this.#now() });
      if (done !== undefined && done.trigger !== null) this.ended.push({ run: done.run, trigger: done.trigger });
    }
  }

  async #apply(ids: readonly string[], now: number): Promise<ReadonlyMap<string, Freed>> {
    const plans = ids.map((id) => {
      const { limits, ...seen } = this.#seen.get(id) as Seen;
      return planOverlap({ ...seen, overlap: limits.overlap, maxActiveRuns: limits.maxActiveRuns });
    });
    const superseded = await this.#supersede(
      new Map(plans.flatMap(({ supersede }) => supersede.map(({ id, by }) => [id, by] as const))),
      now,
    );
    const cancelled = await this.#cancel(
      plans.flatMap(({ cancel }) => cancel),
      now,
    );
    return new Map(
      ids.map((id) => {
        const seen = this.#seen.get(id) as Seen;
        const before = seen.claimed.length;
        const runs = seen.runs.filter((run) => cancelled.get(run.id) === "ended").length;
        seen.claimed = seen.claimed.filter((one) => !superseded.has(one.id));
        seen.ready = seen.ready.filter((one) => !superseded.has(one.id));
        seen.runs = seen.runs.flatMap((run) =>
          cancelled.get(run.id) === "ended" ? [] : [cancelled.has(run.id) ? { ...run, isCancelled: true } : run],
        );
        return [id, { runs, claims: before - seen.claimed.length }];
      }),
    );
  }

  /** Ends triggers, but for those that another node has started meanwhile. Returns the ids of those that have ended. */
  async #supersede(by: ReadonlyMap<string, string>, now: number): Promise<ReadonlySet<string>> {
    if (by.size === 0) return new Set();
    const found = [...(await selectLocked(this.#session, TRIGGERS, [...by.keys()])).values()].filter(isWaiting);
    const ended = found.map((one) => {
      const newer = by.get(one.id);
      return { ...one, ...supersedeTrigger(one, newer, now) };
    });
    await this.#session.write([changing(TRIGGERS, ended, TRIGGER_STATE)]);
    this.superseded.push(...(await withParameters(this.#session, ended)));
    for (const { id } of ended) this.#gone.add(id);
    return new Set(ended.map(({ id }) => id));
  }

  /** Cancels runs. Returns what became of those that had not been cancelled, by id. */
  async #cancel(ids: readonly string[], now: number): Promise<ReadonlyMap<string, "requested" | "ended">> {
    const done = new Map<string, "requested" | "ended">();
    if (ids.length === 0) return done;
    for (const { run, trigger } of await cancelRuns(this.#session, ids, { at: now, user: null, reason: CANCELLED })) {
      if (run.cancelRequest?.reason !== CANCELLED || run.cancelRequest.at !== now) continue; // somebody was faster
      done.set(run.id, isActive(run) ? "requested" : "ended");
      if (isActive(run)) this.cancelled.push(run);
      else if (trigger !== null) this.ended.push({ run, trigger });
    }
    return done;
  }

  /** Result so far, as a part of the claim. */
  get result(): Pick<Claim, "cancelled" | "ended" | "superseded"> {
    return { cancelled: this.cancelled, ended: this.ended, superseded: this.superseded };
  }
}

function fireOf({ id, scheduledFor }: TriggerRecord): WaitingFire {
  return { id, fireTime: scheduledFor as number };
}
