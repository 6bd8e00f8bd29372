import type { HeartbeatRequest } from "../../../ports/store.js";
import { type CancelRequest, isActive, type RunRecord } from "../../../run/run.js";
import { adoptAttempt, cancelRetry, endTriggerOf, requestCancel, retryNow } from "../../../run/transitions.js";
import { endTrigger } from "../../../trigger/transitions.js";
import { isEnded, isWaiting, type TriggerEnd, type TriggerRecord } from "../../../trigger/trigger.js";
import { changing, type Session, selectLocked } from "./database.js";
import { withParameters } from "./payloads.js";
import { PIPELINES, type PipelineRow, RUN_STATE, RUNS, TRIGGER_STATE, TRIGGERS, type TriggerRow } from "./tables.js";

/** Of pipelines, by id, so that no two transactions wait for each other. */
export function lastSuccesses(runs: readonly RunRecord[], now: number): readonly Pick<PipelineRow, "id" | "lastSuccessAt">[] {
  const succeeded = runs.filter(({ status }) => status === "succeeded");
  const last = new Map(succeeded.map(({ pipelineId, endedAt }) => [pipelineId, endedAt ?? now] as const));
  return [...last].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([id, lastSuccessAt]) => ({ id, lastSuccessAt }));
}

/** Writes runs that have changed, ends the triggers of those that have ended, and notes their pipelines' last success. */
export async function close(session: Session, runs: readonly RunRecord[], now: number): Promise<ReadonlyMap<string, TriggerRow>> {
  const triggers = await selectLocked(
    session,
    TRIGGERS,
    runs.map(({ triggerId }) => triggerId),
  );
  const ended: TriggerRow[] = [];
  for (const run of runs) {
    const trigger = triggers.get(run.triggerId);
    if (trigger === undefined || isActive(run)) continue;
    const next = { ...trigger, ...endTriggerOf(trigger, run, now) };
    triggers.set(trigger.id, next);
    ended.push(next);
  }
  await session.write([
    changing(RUNS, runs, RUN_STATE),
    changing(TRIGGERS, ended, TRIGGER_STATE),
    changing(PIPELINES, lastSuccesses(runs, now), ["lastSuccessAt"]),
  ]);
  return triggers;
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
  const ended = { ...trigger, ...endTrigger(trigger, end, request.reason, request.at, { user: request.user }) };
  await session.write([changing(TRIGGERS, [ended], TRIGGER_STATE)]);
  return { trigger: ended, run: null };
}

/** Requests the cancellation of a run; one between attempts ends at once. */
export async function cancelOne(
  session: Session,
  runId: string,
  request: CancelRequest,
): Promise<{ run: RunRecord; trigger: TriggerRecord | null } | null> {
  return (await cancelRuns(session, [runId], request))[0] ?? null;
}

/** Makes the next attempt of a run due now. */
export async function retryOne(session: Session, runId: string, now: number): Promise<RunRecord | null> {
  const run = (await selectLocked(session, RUNS, [runId])).get(runId);
  if (run === undefined) return null;
  const next = retryNow(run, now);
  if (next !== run) await session.write([changing(RUNS, [next], ["retryAt"])]);
  return next;
}

/** Requests the cancellation of several runs. */
export async function cancelRuns(
  session: Session,
  runIds: readonly string[],
  request: CancelRequest,
): Promise<readonly { run: RunRecord; trigger: TriggerRecord | null }[]> {
  const found = [...(await selectLocked(session, RUNS, runIds)).values()];
  const runs = found.map((run) => {
    const requested = requestCancel(run, request);
    return requested.status === "retrying" ? cancelRetry(requested, request.at) : requested;
  });
  const changed = runs.filter((run, index) => run !== found[index]); // one may have ended while its row was waited for
  const closed = await close(session, changed, request.at);
  const ended = await selectLocked(
    session,
    TRIGGERS,
    runs.flatMap(({ triggerId }) => (closed.has(triggerId) ? [] : [triggerId])),
  );
  const triggers = await withParameters(session, [...closed.values(), ...ended.values()]);
  const byId = new Map(triggers.map((trigger) => [trigger.id, trigger]));
  return runs.map((run) => ({ run, trigger: byId.get(run.triggerId) ?? null }));
}
