import type { DecideRequest, DecideResult, Now } from "../../../ports/store.js";
import type { RunRecord } from "../../../run/run.js";
import { startRun } from "../../../run/transitions.js";
import { endTrigger, holdTrigger, releaseTrigger, startTrigger } from "../../../trigger/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { adding, changing, type Database, type Session, type Step, select, selectLocked } from "./database.js";
import { type PreviousHolds, previousHolds, recordedAs, recordingDecisions, trimDecisions } from "./decisions.js";
import { LATER } from "./line.js";
import { withParameters } from "./payloads.js";
import { acceptRecorded } from "./repeats.js";
import { MAY_START, refusalBy, type StartCheck, startCheck } from "./start-checks.js";
import { RUNS, TRIGGER_STATE, TRIGGERS, type TriggerRow } from "./tables.js";

interface Plan {
  readonly moved: (TriggerRecord & Pick<TriggerRow, "line">)[];
  readonly runs: RunRecord[];
  readonly decisions: ReturnType<typeof recordedAs>[];
  readonly results: DecideResult[];
  /** Places of results that a limit refuses. */
  readonly full: Map<number, NonNullable<DecideRequest["limits"]>[number]>;
}

interface Known {
  readonly previous: PreviousHolds;
  readonly check: StartCheck;
}

function emptyPlan(): Plan {
  return { moved: [], runs: [], decisions: [], results: [], full: new Map() };
}

/** Returns the changes that decisions make to their triggers. */
function planDecisions(
  requests: readonly DecideRequest[],
  triggerOf: (request: DecideRequest) => TriggerRecord | undefined,
  { previous, check }: Known,
  now: number,
): Plan {
  const plan = emptyPlan();
  const done = new Set<string>();
  for (const [index, request] of requests.entries()) {
    const trigger = triggerOf(request);
    const isClaimed = trigger?.status === "pending" && trigger.token === request.token; // a claim makes a held one pending
    if (trigger === undefined || !isClaimed || done.has(trigger.id)) {
      plan.results.push({ isAccepted: false, trigger: trigger ?? null, run: null });
      continue;
    }
    done.add(trigger.id);
    const refused = request.run === null ? null : check(request, trigger);
    if (refused === "paused") {
      const released = releaseTrigger(trigger);
      plan.moved.push({ ...released, line: null });
      plan.results.push({ isAccepted: false, trigger: released, run: null, refusal: { kind: "paused" } });
      continue;
    }
    if (refused !== null) {
      plan.full.set(index, refused);
      plan.results.push({ isAccepted: false, trigger, run: null });
      continue;
    }
    const run = request.run === null ? null : startRun(request.run.id, trigger, request.run.node, request.run.leaseMs, now);
    const next = nextOf(trigger, request, run, now);
    const decision = recordedAs(request.decision, previous);
    plan.decisions.push(decision);
    plan.moved.push({ ...next, line: next.status === "held" ? LATER : null });
    if (run !== null) plan.runs.push(run);
    plan.results.push({ isAccepted: true, trigger: next, run, ...(decision.isFolded ? { decision: decision.record } : {}) });
  }
  return plan;
}

/** Decisions on triggers that are claimed in this very transaction, which has the lock of claims and has found nothing paused: what is to be written, and what they come to. */
export function decisionsOn(
  requests: readonly DecideRequest[],
  previous: PreviousHolds,
  now: number,
): { steps: Step[]; results: readonly DecideResult[] } {
  const plan = planDecisions(requests, ({ trigger }) => trigger, { previous, check: MAY_START }, now);
  return { steps: stepsOf(plan), results: plan.results };
}

function stepsOf({ moved, runs, decisions }: Plan): Step[] {
  return [changing(TRIGGERS, moved, TRIGGER_STATE), adding(RUNS, runs), ...recordingDecisions(decisions)];
}

/**
 * Records decisions. Those of pipelines with a limit are made one transaction after the other, on all nodes, and after claims: what they count stands until their runs are recorded. The others take one
 * statement where the database can do that.
 */
export async function decideAll(database: Database, requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]> {
  const limited = new Set(requests.flatMap(({ limits, decision }) => (limits === undefined ? [] : [decision.pipelineId])));
  if (limited.size === 0) return decideUnlimited(database, requests, now);
  const isLimited = ({ decision }: DecideRequest) => limited.has(decision.pipelineId);
  const [under, others] = [requests.filter(isLimited), requests.filter((one) => !isLimited(one))];
  const first = others.length === 0 ? [] : await decideUnlimited(database, others, now);
  const second = await database.claiming(
    (session) => decide(session, under, now),
    () => false,
  );
  const [left, right] = [first.values(), second.values()];
  return requests.map((one) => (isLimited(one) ? right : left).next().value as DecideResult);
}

async function decideUnlimited(database: Database, requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]> {
  const { session } = database;
  const { moveWaiting } = session;
  const inTransaction = (some: readonly DecideRequest[]) => database.transaction((own) => decide(own, some, now));
  if (moveWaiting === undefined || requests.some(({ trigger }) => trigger === undefined)) return inTransaction(requests);
  const results = await decideClaimed({ ...session, moveWaiting }, requests, now);
  const isKeptBack = (index: number) => isStillClaimed(results[index], requests[index]);
  const keptBack = requests.filter((_, index) => isKeptBack(index));
  if (keptBack.length === 0) return results;
  const again = (await inTransaction(keptBack)).values();
  return results.map((result, index) => (isKeptBack(index) ? (again.next().value as DecideResult) : result));
}

/** Returns true if a claim stands that was refused: something is paused. */
function isStillClaimed(result: DecideResult | undefined, request: DecideRequest | undefined): boolean {
  return result?.isAccepted === false && result.trigger?.status === "pending" && result.trigger.token === request?.token;
}

/** Records decisions; one whose claim no longer stands records nothing, and a run that must not start does not. */
async function decide(session: Session, requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]> {
  const { startLock } = session.dialect;
  if (startLock !== null) await session.query(startLock);
  const ids = requests.map(({ triggerId }) => triggerId);
  const triggers = await selectLocked(session, TRIGGERS, ids);
  for (const { triggerId, trigger } of requests) {
    const known = triggers.get(triggerId);
    if (known?.omitted === undefined || trigger === undefined || trigger.omitted !== undefined) continue;
    const { omitted: _, ...rest } = known;
    triggers.set(triggerId, { ...rest, parameters: trigger.parameters });
  }
  const whole = new Map((await withParameters(session, [...triggers.values()])).map((one) => [one.id, one]));
  const previous = await previousHolds(session, requests);
  const at = now();
  const check = await startCheck(session, requests, at);
  const plan = planDecisions(requests, ({ triggerId }) => whole.get(triggerId), { previous, check }, at);
  await session.write(stepsOf(plan));
  await trimDecisions(session, requests, plan.results);
  const results = [...plan.results];
  for (const [index, limit] of plan.full) {
    const refusal = await refusalBy(session, limit, requests[index]?.decision.pipelineId ?? "", at);
    results[index] = { ...(results[index] as DecideResult), refusal };
  }
  return acceptRecorded(session, requests, results);
}

/** The same in one statement, by what the claimant knows of its triggers. What a pause keeps back stays as it is. */
async function decideClaimed(
  session: Session & Required<Pick<Session, "moveWaiting">>,
  requests: readonly DecideRequest[],
  now: Now,
): Promise<readonly DecideResult[]> {
  const previous = await previousHolds(session, requests);
  let plan = emptyPlan();
  const done = await session.moveWaiting(() => {
    plan = planDecisions(requests, ({ trigger }) => trigger, { previous, check: MAY_START }, now());
    return stepsOf(plan) as [Step, ...Step[]];
  });
  const { moved, results } = plan;
  await trimDecisions(session, requests, results);
  if (moved.length === 0 || done.size === moved.length) return acceptRecorded(session, requests, results);
  const { dialect } = session;
  const late = moved.flatMap(({ id }) => (done.has(id) ? [] : [id]));
  const found = await select(session, TRIGGERS, `WHERE id ${dialect.isIn(1)}`, [dialect.list(late)]);
  const byId = new Map((await withParameters(session, found)).map((trigger) => [trigger.id, trigger]));
  const known = results.map((result, index) => {
    const id = requests[index]?.triggerId ?? "";
    return done.has(id) ? result : { isAccepted: false, trigger: byId.get(id) ?? null, run: null };
  });
  return acceptRecorded(session, requests, known);
}

function nextOf(trigger: TriggerRecord, { hold, decision }: DecideRequest, run: RunRecord | null, now: number): TriggerRecord {
  if (run !== null) return startTrigger(trigger, run.id);
  if (hold !== null) return holdTrigger(trigger, hold.recheckAt, hold.expiresAt);
  return endTrigger(trigger, "skipped", decision.reason, now);
}
