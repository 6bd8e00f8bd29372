import type { DecisionRecord } from "../../../gate/finding.js";
import { DECISIONS_PER_TRIGGER, foldHold, isRepeatedHold } from "../../../gate/repeated-hold.js";
import type { DecideRequest, DecideResult } from "../../../ports/store/claims.js";
import { adding, changing, type Session, type Step, select } from "./database.js";
import { DECISIONS } from "./tables.js";

/** The decision before, by trigger; only of those that were held and are held again. */
export type PreviousHolds = ReadonlyMap<string | null, DecisionRecord>;

const NONE: PreviousHolds = new Map();

/** Reads the newest decision on each trigger that is to be held again. Nobody else adds one while the claim of the request stands. */
export async function previousHolds(session: Session, requests: readonly DecideRequest[]): Promise<PreviousHolds> {
  const ids = requests.filter(({ hold, token }) => hold !== null && token > 1).map(({ triggerId }) => triggerId);
  if (ids.length === 0) return NONE;
  const { dialect } = session;
  const newest = `SELECT max(id) FROM ${dialect.name("decisions")} WHERE trigger_id ${dialect.isIn(1)} GROUP BY trigger_id`;
  const found = await select(session, DECISIONS, `WHERE id IN (${newest})`, [dialect.list(ids)]);
  return new Map(found.map((one) => [one.triggerId, one]));
}

/** A decision as it is recorded: folded into the one before when that says the same. */
export function recordedAs(decision: DecisionRecord, previous: PreviousHolds): { record: DecisionRecord; isFolded: boolean } {
  const before = previous.get(decision.triggerId);
  if (before === undefined || !isRepeatedHold(before, decision)) return { record: decision, isFolded: false };
  return { record: foldHold(before, decision), isFolded: true };
}

export function recordingDecisions(decisions: readonly { record: DecisionRecord; isFolded: boolean }[]): Step[] {
  const added = decisions.flatMap(({ record, isFolded }) => (isFolded ? [] : [record]));
  const folded = decisions.flatMap(({ record, isFolded }) => (isFolded ? [{ ...record, missed: record.repeated ?? null }] : []));
  return [adding(DECISIONS, added), changing(DECISIONS, folded, ["reason", "findings", "missed"])];
}

/** Removes the second oldest and following decisions on triggers that have more than are kept. Only a trigger that was claimed so often can have so many. */
export async function trimDecisions(session: Session, requests: readonly DecideRequest[], results: readonly DecideResult[]): Promise<void> {
  const isLong = ({ token }: DecideRequest, index: number) => token > DECISIONS_PER_TRIGGER && results[index]?.isAccepted === true;
  const ids = requests.filter(isLong).map(({ triggerId }) => triggerId);
  if (ids.length === 0) return;
  const { dialect } = session;
  const decisions = dialect.name("decisions");
  await session.query(
    `DELETE FROM ${decisions} WHERE id IN (SELECT id FROM (
       SELECT id, row_number() OVER (PARTITION BY trigger_id ORDER BY id) AS place, row_number() OVER (PARTITION BY trigger_id ORDER BY id DESC) AS age
       FROM ${decisions} WHERE trigger_id ${dialect.isIn(1)}) d WHERE place > 1 AND age >= ${DECISIONS_PER_TRIGGER})`,
    [dialect.list(ids)],
  );
}
