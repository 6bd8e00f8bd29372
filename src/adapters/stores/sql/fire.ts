import type { EnqueueResult, FireRequest, FireResult } from "../../../ports/store.js";
import { keepsSkips, skipsFrom } from "../../../schedule/skips.js";
import { replacesWaiting } from "../../../trigger/overlap.js";
import type { QueueLimits } from "../../../trigger/queue-limits.js";
import { acceptTrigger, supersedeTrigger } from "../../../trigger/transitions.js";
import { isWaiting, type NewTrigger, type TriggerRecord } from "../../../trigger/trigger.js";
import { adding, changing, type Session, select, selectLocked } from "./database.js";
import { lineUntil } from "./line.js";
import { globalPause } from "./pauses.js";
import { addingPayloads, forgetPayloads, setApart, storedOf, withParameters } from "./payloads.js";
import { stateOf } from "./pipelines.js";
import { refuseWhenFull } from "./queue.js";
import { WAITING } from "./statuses.js";
import {
  DECISIONS,
  type PayloadRow,
  PIPELINES,
  type PipelineRow,
  TRIGGER_STATE,
  TRIGGERS,
  type TriggerRow,
  uniqueKeyOf,
} from "./tables.js";

const MOVED = ["nextFireAt", "lastFireAt"] as const;

/** Advances schedules and enqueues their triggers. A pipeline's row is locked meanwhile: of several nodes one fires. */
export async function fire(session: Session, requests: readonly FireRequest[], now: number): Promise<readonly FireResult[]> {
  const ids = requests.map(({ pipelineId }) => pipelineId);
  const rows = await selectLocked(session, PIPELINES, ids);
  const isPaused = (await globalPause(session)).pause !== null;
  const outcomes = requests.map((request) => outcomeOf(rows.get(request.pipelineId), request, isPaused));
  const hadSkips = new Set([...rows.values()].flatMap(({ id, skips }) => (skips === null ? [] : [id])));
  const firing = requests.filter((_, index) => outcomes[index] === "fired");
  const made = await madeAlready(session, firing);
  const waiting = await waitingOf(session, firing, rows);
  const accepted: TriggerRow[] = [];
  const replaced = new Map<string, TriggerRow>();
  const results = requests.map((request, index): FireResult => {
    const row = rows.get(request.pipelineId);
    const outcome = outcomes[index] ?? "gone";
    if (row === undefined || outcome !== "fired") {
      return { outcome, state: row === undefined ? null : stateOf(row, 0, 0), triggers: [], superseded: [] };
    }
    const { nextFireAt, lastFireAt } = request;
    const next = { ...row, nextFireAt, lastFireAt: lastFireAt ?? row.lastFireAt, skips: skipsAfter(row, nextFireAt) };
    rows.set(row.id, next);
    const own: TriggerRow[] = [];
    const superseded: TriggerRecord[] = [];
    for (const trigger of request.triggers) {
      if (made.has(`${trigger.pipelineId} ${uniqueKeyOf(trigger)}`)) continue;
      const older = replacesWaiting(row.overlap) ? [...(waiting.get(row.id) ?? []), ...own.filter(isWaiting)] : [];
      for (const one of older) {
        const ended = { ...one, ...supersedeTrigger(one, trigger.id, now) };
        const place = own.indexOf(one);
        if (place === -1) {
          superseded.push(ended);
          replaced.set(ended.id, ended);
        } else own[place] = ended;
      }
      waiting.delete(row.id);
      own.push(rowOf(trigger, now, older.at(-1)?.id ?? null));
    }
    accepted.push(...own);
    return { outcome, state: stateOf(next, 0, 0), triggers: own, superseded };
  });
  const moved = firing.map(({ pipelineId }) => rows.get(pipelineId) as PipelineRow);
  await session.write([
    changing(PIPELINES, moved, firing.some(({ pipelineId }) => hadSkips.has(pipelineId)) ? [...MOVED, "skips"] : MOVED),
    adding(TRIGGERS, accepted),
    changing(TRIGGERS, [...replaced.values()], TRIGGER_STATE),
    adding(
      DECISIONS,
      firing.flatMap(({ dropped }) => dropped),
    ),
  ]);
  return results;
}

function outcomeOf(row: PipelineRow | undefined, request: FireRequest, isPaused: boolean): FireResult["outcome"] {
  if (row === undefined) return "gone";
  if (row.nextFireAt !== request.expectedFireAt || row.scheduleKey !== request.scheduleKey) return "moved";
  if (isPaused || row.pause !== null) return "paused";
  return keepsSkips(request, row.skips ?? []) ? "fired" : "moved";
}

/** `null` when there are none left, as in most rows. */
function skipsAfter({ skips }: PipelineRow, nextFireAt: number | null): PipelineRow["skips"] {
  if (skips === null) return null;
  const left = skipsFrom(skips, nextFireAt);
  return left.length === 0 ? null : left;
}

/**
 * Fire times that have a trigger already, which happens only when a clock went back. They are looked for pair by pair: any of these pipelines with any of these keys would be a million entries of the index
 * for a thousand schedules that fire at different instants, as after an outage.
 */
async function madeAlready(session: Session, firing: readonly FireRequest[]): Promise<ReadonlySet<string>> {
  const { dialect } = session;
  const wanted = firing.flatMap(({ triggers }) => triggers.map((one) => [one.pipelineId, uniqueKeyOf(one) ?? ""] as const));
  if (wanted.length === 0) return new Set();
  const found = await session.query(
    `SELECT t.pipeline_id, t.unique_key FROM ${dialect.pairs(1)} CROSS JOIN ${dialect.name("triggers")} t WHERE t.pipeline_id = w.a AND t.unique_key = w.b`,
    [dialect.pairList(wanted)],
  );
  return new Set(found.map((row) => `${row.pipeline_id} ${row.unique_key}`));
}

/** Scheduled triggers that a newer fire time replaces. */
async function waitingOf(
  session: Session,
  firing: readonly FireRequest[],
  rows: ReadonlyMap<string, PipelineRow>,
): Promise<Map<string, TriggerRow[]>> {
  const ids = firing
    .filter(({ pipelineId, triggers }) => triggers.length > 0 && replacesWaiting(rows.get(pipelineId)?.overlap ?? "queue"))
    .map(({ pipelineId }) => pipelineId);
  const byPipeline = new Map<string, TriggerRow[]>();
  if (ids.length === 0) return byPipeline;
  const { dialect } = session;
  const rest = `WHERE ${WAITING} AND kind = 'scheduled' AND NOT is_forced AND pipeline_id ${dialect.isIn(1)} ORDER BY pipeline_id, id${dialect.forUpdate}`;
  for (const one of await select(session, TRIGGERS, rest, [dialect.list(ids)])) {
    byPipeline.set(one.pipelineId, [...(byPipeline.get(one.pipelineId) ?? []), one]);
  }
  return byPipeline;
}

/** Triggers added by one statement, or between two turns of the event loop. */
export const ADDED_AT_ONCE = 250;

/**
 * Accepts triggers; those whose key is taken give the one that has it. `null` for a pipeline that is not registered. Needs a transaction when there are limits, more
 * than {@link ADDED_AT_ONCE}, or parameters that are kept apart.
 *
 * @throws HeadgateError `QUEUE_FULL`
 */
export async function enqueue(
  session: Session,
  triggers: readonly NewTrigger[],
  now: number,
  limits?: QueueLimits,
): Promise<readonly (EnqueueResult | null)[]> {
  if (triggers.length === 0) return [];
  const rows = triggers.map((trigger) => rowOf(trigger, now, null));
  if (limits !== undefined) await refuseWhenFull(session, rows, limits);
  const payloads = setApart(rows);
  if (payloads.size > 0) await session.write([addingPayloads(payloads)]);
  const added = await addAll(session, rows, payloads);
  if (added.size === rows.length) return rows.map((trigger) => ({ trigger, isNew: true }));
  const used = new Set(rows.flatMap(({ id, parameters }) => (added.has(id) ? (payloads.get(parameters)?.id ?? []) : [])));
  await forgetPayloads(
    session,
    [...payloads.values()].flatMap(({ id }) => (used.has(id) ? [] : [id])),
  );
  const holders = await holdersOf(
    session,
    rows.filter(({ id, uniqueKey }) => !added.has(id) && uniqueKey !== null),
  );
  const own = await acceptedBefore(
    session,
    rows.filter(({ id, uniqueKey }) => !added.has(id) && uniqueKey === null),
  );
  return rows.map((row) => {
    if (added.has(row.id)) return { trigger: row, isNew: true };
    const known = row.uniqueKey === null ? own.get(row.id) : holders.get(`${row.pipelineId} ${row.uniqueKey}`);
    return known === undefined ? null : { trigger: known, isNew: known.id === row.id };
  });
}

async function addAll(
  session: Session,
  rows: readonly TriggerRow[],
  payloads: ReadonlyMap<unknown, PayloadRow>,
): Promise<ReadonlySet<string>> {
  const added = new Set<string>();
  for (let start = 0; start < rows.length; start += ADDED_AT_ONCE) {
    if (start > 0) await session.yield?.();
    const stored = rows.slice(start, start + ADDED_AT_ONCE).map((row) => storedOf(row, payloads));
    const some = await session.insert(TRIGGERS, stored, { unlessThere: true, tell: true });
    for (const id of some) added.add(id);
  }
  return added;
}

/** Triggers that an earlier request has added whose answer was lost, by id. */
async function acceptedBefore(session: Session, rows: readonly TriggerRow[]): Promise<ReadonlyMap<string, TriggerRow>> {
  if (rows.length === 0) return new Map();
  const { dialect } = session;
  const found = await select(session, TRIGGERS, `WHERE id ${dialect.isIn(1)}`, [dialect.list(rows.map(({ id }) => id))]);
  return new Map((await withParameters(session, found)).map((one) => [one.id, one]));
}

/** The triggers that have the keys of others, by pipeline and key. */
async function holdersOf(session: Session, taken: readonly TriggerRow[]): Promise<ReadonlyMap<string, TriggerRow>> {
  const { dialect } = session;
  const holders: TriggerRow[] = [];
  for (let start = 0; start < taken.length; start += ADDED_AT_ONCE) {
    if (start > 0) await session.yield?.();
    const some = taken.slice(start, start + ADDED_AT_ONCE);
    const found = await select(session, TRIGGERS, `WHERE pipeline_id ${dialect.isIn(1)} AND unique_key ${dialect.isIn(2)}`, [
      dialect.list([...new Set(some.map(({ pipelineId }) => pipelineId))]),
      dialect.list(some.map(({ uniqueKey }) => uniqueKey ?? "")),
    ]);
    holders.push(...found);
  }
  const whole = await withParameters(session, holders);
  return new Map(whole.map((one) => [`${one.pipelineId} ${one.uniqueKey}`, one]));
}

function rowOf(trigger: NewTrigger, now: number, supersedes: string | null): TriggerRow {
  const accepted = acceptTrigger(trigger, now, supersedes);
  return { ...accepted, uniqueKey: uniqueKeyOf(trigger), payloadId: null, line: lineUntil(accepted.availableAt, now) };
}
