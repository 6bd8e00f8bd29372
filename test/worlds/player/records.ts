import type { Decision, Run, Scheduler, Trigger } from "../../../src/index.js";
import type { Seen, SeenDecision, SeenRun, SeenTrigger } from "../seen.js";

/** All records of a scheduler, oldest first. */
export async function recordsOf(
  scheduler: Scheduler,
  looks: ReadonlyMap<string, readonly SeenDecision[]>,
): Promise<Pick<Seen, "triggers" | "decisions" | "runs" | "misfolded">> {
  const decisions = await all((options) => scheduler.decisions(options));
  return {
    triggers: (await all((options) => scheduler.triggers(options))).map(seenTrigger),
    decisions: decisions.flatMap((one) => unfolded(one, looks.get(one.id) ?? [])),
    misfolded: decisions.flatMap((one) => misfolded(one, looks.get(one.id) ?? [])),
    runs: (await all((options) => scheduler.runs(options))).map(seenRun),
  };
}

async function all<T>(
  list: (options: { limit: number; cursor?: string }) => Promise<{ readonly items: readonly T[]; readonly nextCursor: string | null }>,
): Promise<T[]> {
  const found: T[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await list({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
    found.push(...page.items);
    cursor = page.nextCursor;
  }
  return found.reverse();
}

export function seenTrigger(one: Trigger): SeenTrigger {
  return {
    id: one.id,
    pipelineId: one.pipelineId,
    kind: one.kind,
    status: one.status,
    priority: one.priority,
    scheduledFor: msOf(one.scheduledFor),
    user: one.user,
    reason: one.reason,
    createdAt: one.createdAt.getTime(),
    isForced: one.isForced,
    expiresAt: msOf(one.expiresAt),
    runId: one.runId,
    endedAt: msOf(one.endedAt),
    endReason: one.endReason,
    supersedes: one.supersedes,
    supersededBy: one.supersededBy,
  };
}

export function seenDecision(one: Decision): SeenDecision {
  return {
    id: one.id,
    pipelineId: one.pipelineId,
    triggerId: one.triggerId,
    kind: one.kind,
    scheduledFor: msOf(one.scheduledFor),
    at: one.at.getTime(),
    outcome: one.outcome,
    reason: one.reason,
    findings: one.findings.map(({ condition, result }) => ({ condition, result })),
    missed: one.missed === null ? null : { count: one.missed.count, lastAt: one.missed.lastAt.getTime() },
  };
}

/** A look at a trigger, as the event of its decision has it. */
export function seenLook(one: Decision): SeenDecision {
  return { ...seenDecision(one), at: (one.repeated?.lastAt ?? one.at).getTime() };
}

/** Holds that say the same are one record; each look is an event, unless its node died before it was emitted. */
function unfolded(one: Decision, looks: readonly SeenDecision[]): SeenDecision[] {
  if (one.repeated === null) return [seenDecision(one)];
  return looks.length === one.repeated.count ? [...looks] : [seenDecision(one), seenLook(one)];
}

/** What is wrong with a record that stands for several looks, or should. */
function misfolded(one: Decision, looks: readonly SeenDecision[]): string[] {
  const [first] = looks;
  const last = looks.at(-1);
  if (first === undefined || last === undefined) return [];
  const { count, lastAt } = one.repeated ?? { count: 1, lastAt: one.at };
  if (looks.length > count) return [`decision ${one.id} stands for ${count} looks, and ${looks.length} were emitted`];
  if (looks.length < count) return [];
  const isRight = first.at === one.at.getTime() && last.at === lastAt.getTime() && last.reason === one.reason;
  return isRight ? [] : [`decision ${one.id} does not begin with its first look and end with its last`];
}

export function seenRun(one: Run): SeenRun {
  return {
    id: one.id,
    pipelineId: one.pipelineId,
    triggerId: one.triggerId,
    status: one.status,
    scheduledFor: msOf(one.scheduledFor),
    attempt: one.attempt,
    node: one.node,
    startedAt: one.startedAt.getTime(),
    attemptStartedAt: one.attemptStartedAt.getTime(),
    endedAt: msOf(one.endedAt),
    retryAt: msOf(one.retryAt),
    isCancelRequested: one.cancelRequest !== null,
    cancelAt: one.cancelRequest === null ? null : one.cancelRequest.at.getTime(),
    cancelUser: one.cancelRequest?.user ?? null,
    attempts: one.attempts.map(({ attempt, startedAt, endedAt, outcome, node }) => ({
      attempt,
      startedAt: startedAt.getTime(),
      endedAt: endedAt.getTime(),
      outcome,
      node,
    })),
  };
}

function msOf(date: Date | null): number | null {
  return date === null ? null : date.getTime();
}
