import type { FinishRequest, FinishResult, Now } from "../../../ports/store.js";
import { isActive, type RunRecord } from "../../../run/run.js";
import { endAttempt, endTriggerOf } from "../../../run/transitions.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { changing, type Database, type RunEnds, type Session, selectLocked } from "./database.js";
import { enqueue } from "./fire.js";
import { recordedEnds } from "./repeats.js";
import { close, lastSuccesses } from "./run-lifecycle.js";
import { PIPELINES, RUN_END, RUNS, TRIGGER_STATE, TRIGGERS } from "./tables.js";

/** Closes attempts, their triggers, and enqueues what follows from a success. What the node that sends it knows of a run is not read again where the database sees that it still holds. */
export async function finish(database: Database, requests: readonly FinishRequest[], clock: Now): Promise<readonly FinishResult[]> {
  const { endRunning } = database.session;
  const inTransaction = (some: readonly FinishRequest[]) => database.transaction((on) => finishRead(on, some, clock));
  const seen = new Set<string>();
  const isNew = ({ runId }: FinishRequest) => !seen.has(runId) && seen.add(runId);
  const known = endRunning === undefined ? [] : requests.filter(isPlain).filter(isNew);
  if (endRunning === undefined || known.length === 0) return inTransaction(requests);
  let ends: readonly KnownEnd[] = [];
  const done = await endRunning(() => {
    const now = clock();
    ends = known.map(({ known: { run, trigger }, end }) => ended(endAttempt(run, end, now), trigger, now));
    return stepsOf(ends, now);
  });
  const results = new Map(
    ends.filter(({ run }) => done.has(run.id)).map(({ run, trigger }) => [run.id, { isAccepted: true, run, trigger, followed: [] }]),
  );
  const isDone = new Set<FinishRequest>(known.filter(({ runId }) => results.has(runId)));
  const others = requests.filter((request) => !isDone.has(request));
  const rest = others.length === 0 ? [] : await inTransaction(others);
  const byRequest = new Map(others.map((request, index) => [request, rest[index] as FinishResult]));
  return requests.map((request) => byRequest.get(request) ?? (results.get(request.runId) as FinishResult));
}

type PlainEnd = FinishRequest & Required<Pick<FinishRequest, "known">>;

/** Returns true if the end of an attempt changes only its own run and trigger, and both are known. */
function isPlain(request: FinishRequest): request is PlainEnd {
  return request.known !== undefined && request.follow.length === 0 && !request.onlyIfExpired && request.isRepeated !== true;
}

interface KnownEnd {
  readonly run: RunRecord;
  readonly trigger: TriggerRecord;
}

function ended(run: RunRecord, trigger: TriggerRecord, now: number): KnownEnd {
  return { run, trigger: isActive(run) ? trigger : endTriggerOf(trigger, run, now) };
}

function stepsOf(ends: readonly KnownEnd[], now: number): RunEnds {
  const runs = ends.map(({ run }) => run);
  return {
    runs: changing(RUNS, runs, RUN_END),
    triggers: changing(
      TRIGGERS,
      ends.flatMap(({ run, trigger }) => (isActive(run) ? [] : [{ ...trigger, line: null }])),
      TRIGGER_STATE,
    ),
    pipelines: changing(PIPELINES, lastSuccesses(runs, now), ["lastSuccessAt"]),
  };
}

/** The same in a transaction, by what is read in it. */
async function finishRead(session: Session, requests: readonly FinishRequest[], clock: Now): Promise<readonly FinishResult[]> {
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
