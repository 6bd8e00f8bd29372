import type { DecideRequest, DecideResult, FinishRequest, FinishResult } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import { isRecordedEnd } from "../../../run/transitions.js";
import { type Session, select } from "./database.js";
import { withParameters } from "./payloads.js";
import { DECISIONS, RUNS, TRIGGERS, type TriggerRow } from "./tables.js";

/** Accepts, of refused decisions, those that an earlier request has recorded whose answer was lost. */
export async function acceptRecorded(
  session: Session,
  requests: readonly DecideRequest[],
  results: readonly DecideResult[],
): Promise<readonly DecideResult[]> {
  const refused = requests.filter((_, index) => results[index]?.isAccepted === false);
  if (refused.length === 0) return results;
  const { dialect } = session;
  const found = await session.query(`SELECT id FROM ${dialect.name("decisions")} WHERE id ${dialect.isIn(1)}`, [
    dialect.list(refused.map(({ decision }) => decision.id)),
  ]);
  const ids = new Set(found.map(({ id }) => String(id)));
  for (const id of await foldedIds(
    session,
    refused.filter(({ decision, hold }) => hold !== null && !ids.has(decision.id)),
  ))
    ids.add(id);
  if (ids.size === 0) return results;
  const recorded = refused.filter(({ decision }) => ids.has(decision.id));
  const triggers = await triggersOf(
    session,
    recorded.map(({ triggerId }) => triggerId),
  );
  const runIds = recorded.flatMap(({ run }) => run?.id ?? []);
  const runs = runIds.length === 0 ? [] : await select(session, RUNS, `WHERE id ${dialect.isIn(1)}`, [dialect.list(runIds)]);
  const byId = new Map(runs.map((run) => [run.id, run]));
  return results.map((result, index) => {
    const request = requests[index];
    if (result.isAccepted || request === undefined || !ids.has(request.decision.id)) return result;
    return { isAccepted: true, trigger: triggers.get(request.triggerId) ?? null, run: byId.get(request.run?.id ?? "") ?? null };
  });
}

/** Of decisions, the ids of those that are recorded as the last look of a hold that was the same before. */
async function foldedIds(session: Session, requests: readonly DecideRequest[]): Promise<readonly string[]> {
  if (requests.length === 0) return [];
  const { dialect } = session;
  const wanted = new Set(requests.map(({ decision }) => decision.id));
  const rest = `WHERE trigger_id ${dialect.isIn(1)} AND outcome = 'hold' AND missed IS NOT NULL`;
  const found = await select(session, DECISIONS, rest, [dialect.list(requests.map(({ triggerId }) => triggerId))]);
  return found.flatMap(({ repeated }) => (repeated !== undefined && wanted.has(repeated.lastId) ? [repeated.lastId] : []));
}

/** Answers to ends that are recorded already, by the place of their request. */
export async function recordedEnds(
  session: Session,
  requests: readonly FinishRequest[],
  runs: ReadonlyMap<string, RunRecord>,
): Promise<ReadonlyMap<number, FinishResult>> {
  const repeated = requests.flatMap((request, index) => {
    const run = runs.get(request.runId);
    const isKnown = run !== undefined && request.isRepeated === true && !request.onlyIfExpired && isRecordedEnd(run, request);
    return isKnown ? [{ request, index, run }] : [];
  });
  if (repeated.length === 0) return new Map();
  const triggers = await triggersOf(
    session,
    repeated.flatMap(({ request, run }) => [run.triggerId, ...request.follow.map(({ id }) => id)]),
  );
  return new Map(
    repeated.map(({ request, index, run }) => {
      const followed = request.follow.flatMap(({ id }) => triggers.get(id) ?? []);
      return [index, { isAccepted: true, run, trigger: triggers.get(run.triggerId) ?? null, followed }];
    }),
  );
}

async function triggersOf(session: Session, ids: readonly string[]): Promise<ReadonlyMap<string, TriggerRow>> {
  const { dialect } = session;
  const found = await select(session, TRIGGERS, `WHERE id ${dialect.isIn(1)}`, [dialect.list(ids)]);
  return new Map((await withParameters(session, found)).map((trigger) => [trigger.id, trigger]));
}
