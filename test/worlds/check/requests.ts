import { firesIn } from "../oracle/schedule.js";
import type { SeenDeed, SeenTrigger } from "../seen.js";
import type { History } from "./history.js";
import { iso, type Report } from "./report.js";

const GRACE_MS = 10_000;

/** What people and systems asked for came to what it should. */
export function checkRequests(history: History, report: Report): void {
  const keys = new Map<string, string>();
  const asked = new Set<string>();
  for (const done of history.seen.deeds) {
    const { deed, ids } = done;
    if (deed.kind === "trigger") checkTrigger(done, keys, history, report);
    if (deed.kind === "backfill") checkBackfill(done, history, report);
    if (deed.kind === "cancel") checkCancel(done, history, report);
    if (deed.kind === "trigger" || deed.kind === "backfill") for (const id of ids) asked.add(id);
  }
  for (const { id, kind, pipelineId, createdAt } of history.seen.triggers)
    if (kind !== "scheduled" && kind !== "dependency" && !asked.has(id))
      report.fail("requests", createdAt, pipelineId, `nobody asked for the ${kind} trigger ${id}`);
  checkFollowers(history, report);
}

function checkTrigger({ deed, at, refused, ids }: SeenDeed, keys: Map<string, string>, history: History, report: Report): void {
  if (deed.kind !== "trigger") return;
  const fail = (text: string) => report.fail("requests", at, deed.pipelineId, `${deed.as} trigger of ${iso(at)} ${text}`);
  const isPaused = history.isPausedAt(deed.pipelineId, at);
  const hasStepped = history.seen.deeds.some(({ deed: one, at: since }) => one.kind === "jump" && since <= at);
  if (deed.as === "immediate" && hasStepped && refused === "PAUSED") return; // a clock that was ahead may have begun and ended pauses
  if (deed.as === "immediate" && isPaused && !hasStepped) {
    if (refused !== "PAUSED") fail(`should be refused while paused, was ${refused ?? "accepted"}`);
    return;
  }
  const key = deed.key === null ? null : `${deed.pipelineId} ${deed.key}`;
  const known = key === null ? undefined : keys.get(key);
  if (known !== undefined) {
    // the same key: the first trigger, or a refusal where something else is asked for
    if (refused === null && ids[0] !== known) fail(`under key ${deed.key} should be trigger ${known}`);
    return;
  }
  const trigger = ids[0] === undefined ? undefined : history.triggers.get(ids[0]);
  if (refused !== null) fail(`was refused: ${refused}`);
  else if (trigger === undefined) fail("has no record");
  else {
    if (key !== null) keys.set(key, trigger.id);
    const kind = deed.as === "forced" ? "immediate" : deed.as;
    const { priority } = history.specAt(deed.pipelineId, at).execution;
    if (
      (trigger.createdAt !== at && !isRebased(trigger, at, history)) ||
      trigger.kind !== kind ||
      trigger.isForced !== (deed.as === "forced") ||
      trigger.priority !== (deed.priority ?? priority)
    )
      fail(`is recorded as ${trigger.kind}, ${trigger.priority}, of ${iso(trigger.createdAt)}`);
  }
}

/** A trigger that a clock ahead of time has accepted counts as accepted when it is set back. */
function isRebased({ createdAt }: SeenTrigger, at: number, { seen }: History): boolean {
  return createdAt < at && seen.deeds.some(({ deed, at: since }) => deed.kind === "jump" && deed.by < 0 && since >= at);
}

function checkBackfill({ deed, at, refused, ids }: SeenDeed, history: History, report: Report): void {
  if (deed.kind !== "backfill") return;
  const wanted = firesIn(history.specAt(deed.pipelineId, at).schedule, deed.from, deed.to);
  const made = ids.map((id) => history.triggers.get(id)?.scheduledFor ?? null);
  if (refused !== null || made.join() !== wanted.join())
    report.fail(
      "requests",
      at,
      deed.pipelineId,
      `backfill of [${iso(deed.from)}, ${iso(deed.to)}) made ${made.length} triggers, should be ${wanted.length} (${refused ?? "accepted"})`,
    );
}

/** What a cancel found waiting is cancelled at once; a run ends within a node's heartbeat and its grace, whatever its attempts do. */
function checkCancel({ deed, at, refused, ids }: SeenDeed, history: History, report: Report): void {
  if (deed.kind !== "cancel" || refused !== null) return;
  const trigger = ids[0] === undefined ? undefined : history.triggers.get(ids[0]);
  const fail = (text: string) => report.fail("cancels", at, deed.pipelineId, `cancel at ${iso(at)} of trigger ${ids[0]} ${text}`);
  if (trigger === undefined) {
    fail("has no record");
    return;
  }
  const run = trigger.runId === null ? undefined : history.runs.get(trigger.runId);
  if (run === undefined) {
    if (trigger.status !== "cancelled" || trigger.endedAt !== at) fail(`left it ${trigger.status} since ${iso(trigger.endedAt)}`);
    return;
  }
  const isShared = history.world.nodes > 1;
  const downs = history.downs.filter(({ from, until }) => from <= at + history.unnoticedMs && until > at);
  const latest =
    Math.max(at, ...downs.map(({ until }) => until + history.world.lease)) +
    (history.world.theme === "plain" && !isShared ? 0 : history.unnoticedMs + GRACE_MS);
  if ((run.endedAt ?? Number.POSITIVE_INFINITY) > latest && latest < history.seen.endedAt && history.world.theme !== "steps")
    fail(`left run ${run.id} ${run.status} until ${iso(run.endedAt)}`);
  if (history.attempts.some((span) => span.run === run && span.from > at && span.attempt > 1))
    fail(`was followed by another attempt of run ${run.id}`);
}

/** Each success of a pipeline makes one trigger of those that follow it, at its end. */
function checkFollowers(history: History, report: Report): void {
  const { seen, world } = history;
  for (const { id, after } of world.pipelines) {
    const made = seen.triggers.filter(({ pipelineId, kind }) => pipelineId === id && kind === "dependency");
    const ends = seen.runs
      .filter(({ pipelineId, status }) => after.includes(pipelineId) && status === "succeeded")
      .map(({ endedAt }) => endedAt ?? 0);
    const timesOf = (all: readonly number[]) => all.toSorted((a, b) => a - b).join();
    if (timesOf(made.map(({ createdAt }: SeenTrigger) => createdAt)) !== timesOf(ends))
      report.fail("requests", seen.endedAt, id, `${ends.length} successes of ${after.join(", ")} made ${made.length} dependency triggers`);
  }
}
