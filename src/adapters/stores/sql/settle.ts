import type { DecisionRecord } from "../../../gate/finding.js";
import type { DecideRequest, DecideResult, FinishRequest, FinishResult, HeartbeatRequest, Now } from "../../../ports/store.js";
import { type CancelRequest, isActive, type RunRecord } from "../../../run/run.js";
import { adoptAttempt, cancelRetry, endAttempt, requestCancel, startRun } from "../../../run/transitions.js";
import { endTrigger, holdTrigger, startTrigger } from "../../../trigger/transitions.js";
import { isEnded, isWaiting, type TriggerEnd, type TriggerRecord } from "../../../trigger/trigger.js";
import { adding, changing, type Session, type Step, select, selectLocked } from "./database.js";
import { enqueue } from "./fire.js";
import { withParameters } from "./payloads.js";
import { acceptRecorded, recordedEnds } from "./repeats.js";
import { DECISIONS, PIPELINES, RUN_STATE, RUNS, TRIGGER_STATE, TRIGGERS, type TriggerRow } from "./tables.js";

interface Plan {
  readonly moved: TriggerRecord[];
  readonly runs: RunRecord[];
  readonly decisions: DecisionRecord[];
  readonly results: DecideResult[];
}

/** What decisions make of their triggers. */
function planDecisions(
  requests: readonly DecideRequest[],
  triggerOf: (request: DecideRequest) => TriggerRecord | undefined,
  now: number,
): Plan {
  const plan: Plan = { moved: [], runs: [], decisions: [], results: [] };
  const done = new Set<string>();
  for (const request of requests) {
    const trigger = triggerOf(request);
    const isClaimed = trigger?.status === "pending" && trigger.token === request.token; // a claim makes a held one pending
    if (trigger === undefined || !isClaimed || done.has(trigger.id)) {
      plan.results.push({ isAccepted: false, trigger: trigger ?? null, run: null });
      continue;
    }
    done.add(trigger.id);
    const run = request.run === null ? null : startRun(request.run.id, trigger, request.run.node, request.run.leaseMs, now);
    const next = nextOf(trigger, request, run, now);
    plan.decisions.push(request.decision);
    plan.moved.push(next);
    if (run !== null) plan.runs.push(run);
    plan.results.push({ isAccepted: true, trigger: next, run });
  }
  return plan;
}

/** Decisions on triggers that are claimed in this very transaction: what is to be written, and what they come to. */
export function decisionsOn(requests: readonly DecideRequest[], now: number): { steps: Step[]; results: readonly DecideResult[] } {
  const plan = planDecisions(requests, ({ trigger }) => trigger, now);
  return { steps: stepsOf(plan), results: plan.results };
}

function stepsOf({ moved, runs, decisions }: Plan): Step[] {
  return [changing(TRIGGERS, moved, TRIGGER_STATE), adding(RUNS, runs), adding(DECISIONS, decisions)];
}

/** Records decisions; one whose claim no longer stands records nothing. */
export async function decide(session: Session, requests: readonly DecideRequest[], now: Now): Promise<readonly DecideResult[]> {
  const ids = requests.map(({ triggerId }) => triggerId);
  const triggers = await selectLocked(session, TRIGGERS, ids);
  for (const { triggerId, trigger } of requests) {
    const known = triggers.get(triggerId);
    if (known?.omitted === undefined || trigger === undefined || trigger.omitted !== undefined) continue;
    const { omitted: _, ...rest } = known;
    triggers.set(triggerId, { ...rest, parameters: trigger.parameters });
  }
  const whole = new Map((await withParameters(session, [...triggers.values()])).map((one) => [one.id, one]));
  const plan = planDecisions(requests, ({ triggerId }) => whole.get(triggerId), now());
  await session.write(stepsOf(plan));
  return acceptRecorded(session, requests, plan.results);
}

/** The same in one statement, by what the claimant knows of its triggers. */
export async function decideClaimed(
  session: Session & Required<Pick<Session, "moveWaiting">>,
  requests: readonly DecideRequest[],
  now: Now,
): Promise<readonly DecideResult[]> {
  let plan: Plan = { moved: [], runs: [], decisions: [], results: [] };
  const done = await session.moveWaiting(() => {
    plan = planDecisions(requests, ({ trigger }) => trigger, now());
    return stepsOf(plan) as [Step, ...Step[]];
  });
  const { moved, results } = plan;
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

/** Closes attempts, their triggers, and enqueues what follows from a success. */
export async function finish(session: Session, requests: readonly FinishRequest[], clock: Now): Promise<readonly FinishResult[]> {
  const runs = await selectLocked(
    session,
    RUNS,
    requests.map(({ runId }) => runId),
  );
  const repeated = await recordedEnds(session, requests, runs);
  const now = clock();
  const closing = new Map<string, RunRecord>();
  const isAccepted = requests.map(({ runId, token, end, onlyIfExpired }) => {
    const run = runs.get(runId);
    if (run === undefined || run.status !== "running" || run.token !== token || (onlyIfExpired && run.leaseUntil > now)) return false;
    const next = endAttempt(run, end, now);
    runs.set(runId, next);
    closing.set(runId, next);
    return true;
  });
  const triggers = await close(session, [...closing.values()], now);
  const follow = requests.flatMap((request, index) => (isAccepted[index] ? request.follow : []));
  const followed = new Map(
    (await enqueue(session, follow, now)).flatMap((one) => (one?.isNew ? [[one.trigger.id, one.trigger] as const] : [])),
  );
  return requests.map((request, index) => {
    const known = repeated.get(index);
    if (known !== undefined) return known;
    const run = runs.get(request.runId) ?? null;
    const started = isAccepted[index] ? request.follow.flatMap(({ id }) => followed.get(id) ?? []) : [];
    return {
      isAccepted: isAccepted[index] ?? false,
      run,
      trigger: run === null ? null : (triggers.get(run.triggerId) ?? null),
      followed: started,
    };
  });
}

/** Writes runs that have changed, ends the triggers of those that have ended, and notes their pipelines' last success. */
async function close(session: Session, runs: readonly RunRecord[], now: number): Promise<ReadonlyMap<string, TriggerRow>> {
  const triggers = await selectLocked(
    session,
    TRIGGERS,
    runs.map(({ triggerId }) => triggerId),
  );
  const ended: TriggerRow[] = [];
  for (const run of runs) {
    const trigger = triggers.get(run.triggerId);
    if (trigger === undefined || isActive(run)) continue;
    const next = { ...trigger, ...endOf(trigger, run, now) };
    triggers.set(trigger.id, next);
    ended.push(next);
  }
  const succeeded = [
    ...new Map(runs.filter(({ status }) => status === "succeeded").map(({ pipelineId, endedAt }) => [pipelineId, endedAt ?? now] as const)),
  ].toSorted(([one], [other]) => (one < other ? -1 : 1));
  await session.write([
    changing(RUNS, runs, RUN_STATE),
    changing(TRIGGERS, ended, TRIGGER_STATE),
    changing(
      PIPELINES,
      succeeded.map(([id, lastSuccessAt]) => ({ id, lastSuccessAt })),
      ["lastSuccessAt"],
    ),
  ]);
  return triggers;
}

function endOf(trigger: TriggerRecord, { status, error, cancelRequest, endedAt }: RunRecord, closedAt: number): TriggerRecord {
  const now = endedAt ?? closedAt;
  if (status === "succeeded") return endTrigger(trigger, "succeeded", null, now);
  if (status === "cancelled") return endTrigger(trigger, "cancelled", cancelRequest?.reason ?? "its run was cancelled", now);
  return endTrigger(trigger, "failed", error?.message ?? "its run failed", now);
}

export async function heartbeat(
  session: Session,
  requests: readonly HeartbeatRequest[],
  leaseUntil: number,
): Promise<readonly (RunRecord | null)[]> {
  const runs = await selectLocked(
    session,
    RUNS,
    requests.map(({ runId }) => runId),
  );
  const answers = requests.map(({ runId, token, progress, reference, error }) => {
    const run = runs.get(runId);
    if (run === undefined || run.status !== "running" || run.token !== token) return null;
    const news = { ...(progress === undefined ? {} : { progress }), ...(reference === undefined ? {} : { reference }) };
    return { ...run, leaseUntil, ...news, ...(error === undefined ? {} : { error }) };
  });
  await session.write([
    changing(
      RUNS,
      answers.filter((run) => run !== null),
      ["leaseUntil", "progress", "reference", ...(requests.some(({ error }) => error !== undefined) ? (["error"] as const) : [])],
    ),
  ]);
  return answers;
}

export async function adopt(
  session: Session,
  runId: string,
  token: number,
  node: string,
  leaseUntil: number,
  now: number,
): Promise<RunRecord | null> {
  const run = (await selectLocked(session, RUNS, [runId])).get(runId);
  if (run === undefined || run.status !== "running" || run.token !== token || run.leaseUntil > now) return null;
  const adopted = adoptAttempt(run, node, leaseUntil);
  await session.write([changing(RUNS, [adopted], ["node", "leaseUntil", "token"])]);
  return adopted;
}

/** Ends a waiting trigger; asks the run of a running one to end. */
export async function endOne(
  session: Session,
  triggerId: string,
  end: TriggerEnd,
  request: CancelRequest,
): Promise<{ trigger: TriggerRecord; run: RunRecord | null } | null> {
  const [trigger] = await withParameters(session, [...(await selectLocked(session, TRIGGERS, [triggerId])).values()]);
  if (trigger === undefined) return null;
  if (trigger.runId !== null && !isEnded(trigger.status)) {
    const cancelled = await cancelOne(session, trigger.runId, request);
    return cancelled === null ? { trigger, run: null } : { trigger: cancelled.trigger ?? trigger, run: cancelled.run };
  }
  if (!isWaiting(trigger)) return { trigger, run: null };
  const ended = { ...trigger, ...endTrigger(trigger, end, request.reason, request.at) };
  await session.write([changing(TRIGGERS, [ended], TRIGGER_STATE)]);
  return { trigger: ended, run: null };
}

/** Asks a run to end; one between attempts ends at once. */
export async function cancelOne(
  session: Session,
  runId: string,
  request: CancelRequest,
): Promise<{ run: RunRecord; trigger: TriggerRecord | null } | null> {
  const run = (await selectLocked(session, RUNS, [runId])).get(runId);
  if (run === undefined) return null;
  const asked = requestCancel(run, request);
  const next = asked.status === "retrying" ? cancelRetry(asked, request.at) : asked;
  const [trigger] = await withParameters(session, [...(await close(session, [next], request.at)).values()]);
  return { run: next, trigger: trigger ?? null };
}
