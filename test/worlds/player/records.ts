import type { Decision, Run, Scheduler, Trigger } from "../../../src/index.js";
import type { Seen, SeenDecision, SeenRun, SeenTrigger } from "../seen.js";

/** All records of a scheduler, oldest first. */
export async function recordsOf(scheduler: Scheduler): Promise<Pick<Seen, "triggers" | "decisions" | "runs">> {
  return {
    triggers: (await all((options) => scheduler.triggers(options))).map(seenTrigger),
    decisions: (await all((options) => scheduler.decisions(options))).map(seenDecision),
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
