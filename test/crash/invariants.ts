import type { DecisionRecord, RunRecord, Store, TriggerRecord } from "../../src/index.js";

const ALL = 1_000_000;

export interface Found {
  readonly fireTimes: number;
  readonly succeeded: number;
  readonly lost: number;
  readonly waiting: number;
}

/** Reads everything and checks what no crash may break. Throws what it finds. */
export async function checkInvariants(store: Store, stepMs: number): Promise<Found> {
  const triggers = await store.listTriggers({ limit: ALL });
  const runs = await store.listRuns({ limit: ALL });
  const decisions = await store.listDecisions({ limit: ALL });
  const problems = [...fireTimes(triggers, decisions, stepMs), ...outcomes(triggers, runs, decisions), ...dependencies(triggers, runs)];
  if (problems.length > 0) throw new Error(`${problems.length} invariants are broken:\n${problems.slice(0, 10).join("\n")}`);
  return {
    fireTimes: triggers.filter(({ kind }) => kind === "scheduled").length,
    succeeded: runs.filter(({ status }) => status === "succeeded").length,
    lost: runs.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === "lost").length,
    waiting: triggers.filter(({ status }) => status === "pending" || status === "held" || status === "running").length,
  };
}

/** Each fire time between the first and the last became one trigger, or was told as dropped. */
function fireTimes(triggers: readonly TriggerRecord[], decisions: readonly DecisionRecord[], stepMs: number): string[] {
  const made = new Map<number, number>();
  const count = (at: number) => made.set(at, (made.get(at) ?? 0) + 1);
  for (const { kind, scheduledFor } of triggers) if (kind === "scheduled" && scheduledFor !== null) count(scheduledFor);
  for (const { triggerId, scheduledFor, missed } of decisions) {
    if (triggerId === null && scheduledFor !== null)
      for (let at = scheduledFor; at <= (missed?.lastAt ?? scheduledFor); at += stepMs) count(at);
  }
  const times = [...made.keys()].toSorted((a, b) => a - b);
  const problems: string[] = [];
  for (let at = times[0] ?? 0; at <= (times.at(-1) ?? -1); at += stepMs) {
    const found = made.get(at) ?? 0;
    if (found !== 1) problems.push(`fire time ${new Date(at).toISOString()} has ${found} outcomes`);
  }
  return problems;
}

/** A trigger that ran has one run and one decision to run; the two agree about the end. */
function outcomes(triggers: readonly TriggerRecord[], runs: readonly RunRecord[], decisions: readonly DecisionRecord[]): string[] {
  const problems: string[] = [];
  const byTrigger = groupBy(runs, ({ triggerId }) => triggerId);
  const toRun = groupBy(
    decisions.filter(({ outcome }) => outcome === "run"),
    ({ triggerId }) => triggerId,
  );
  for (const { id, status, runId } of triggers) {
    const own = byTrigger.get(id) ?? [];
    if (own.length > 1) problems.push(`trigger ${id} has ${own.length} runs`);
    if ((toRun.get(id) ?? []).length !== own.length)
      problems.push(`trigger ${id} has ${own.length} runs and ${toRun.get(id)?.length ?? 0} decisions to run`);
    if (runId !== (own[0]?.id ?? null)) problems.push(`trigger ${id} names run ${runId} and has ${own[0]?.id}`);
    if (status === "succeeded" && own[0]?.status !== "succeeded") problems.push(`trigger ${id} succeeded, its run ${own[0]?.status}`);
    if (own[0]?.status === "succeeded" && status !== "succeeded") problems.push(`run ${own[0]?.id} succeeded, its trigger is ${status}`);
    if ((status === "pending" || status === "held") && own.length > 0) problems.push(`trigger ${id} is ${status} and has a run`);
  }
  return problems;
}

/** Every success of the one pipeline triggered the other once: they are one transaction. */
function dependencies(triggers: readonly TriggerRecord[], runs: readonly RunRecord[]): string[] {
  const followed = groupBy(
    triggers.filter(({ kind }) => kind === "dependency"),
    ({ key }) => key,
  );
  return runs
    .filter(({ pipelineId, status }) => pipelineId === "tick" && status === "succeeded")
    .flatMap(({ id }) =>
      followed.get(`run:${id}`)?.length === 1 ? [] : [`run ${id} was followed by ${followed.get(`run:${id}`)?.length ?? 0} triggers`],
    );
}

function groupBy<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}
