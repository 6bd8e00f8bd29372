import type { SeenRun, SeenTrigger } from "../seen.js";
import type { History } from "./history.js";
import type { Load } from "./load.js";
import { iso, type Report } from "./report.js";
import type { Wait } from "./waiting.js";

/** What overlap policies do to scheduled triggers that are ready while all runs are taken. */
export function checkOverlap(history: History, load: Load, waits: readonly Wait[], report: Report): void {
  if (history.world.theme === "steps") return;
  checkQueueOne(history, report);
  const slack = history.world.theme === "plain" ? 0 : history.unnoticedMs;
  for (const { trigger, from, until } of waits) {
    if (trigger.kind !== "scheduled" || until - from <= slack) continue;
    const { pipelineId } = trigger;
    for (const at of load.changesIn(from, until)) {
      const next = load.changesIn(at, until)[1] ?? until;
      if (next - at <= slack || load.isShut(pipelineId, at, false) || !load.isFull(pipelineId, at)) continue;
      const { overlap, maxActiveRuns } = history.specAt(pipelineId, at).execution;
      // what is being decided on has a slot, too, and may not run
      if (overlap === "skip" && activeAt(history, pipelineId, at).length >= maxActiveRuns)
        report.fail("overlap-skip", at, pipelineId, `trigger ${trigger.id} waits behind taken runs from ${iso(at)} to ${iso(next)}`);
      if (overlap === "cancel_running" && activeAt(history, pipelineId, at).some((run) => isOlder(run, trigger, history)))
        report.fail(
          "overlap-cancel-running",
          at,
          pipelineId,
          `trigger ${trigger.id} waits behind taken runs from ${iso(at)} to ${iso(next)}: ${behind(history, waits, trigger.id, pipelineId, at)}`,
        );
      break;
    }
  }
  checkCancelRunning(history, load, report);
  checkSkips(history, load, report);
}

function activeAt({ seen }: History, pipelineId: string, at: number): SeenRun[] {
  return seen.runs.filter((run) => run.pipelineId === pipelineId && run.startedAt <= at && (run.endedAt ?? Number.POSITIVE_INFINITY) > at);
}

/** A fire time cancels runs of earlier ones, and others that started before it; it waits for what somebody requested and that started later. */
function isOlder({ scheduledFor, startedAt, triggerId }: SeenRun, trigger: SeenTrigger, { triggers }: History): boolean {
  const fireAt = trigger.scheduledFor ?? trigger.createdAt;
  return triggers.get(triggerId)?.kind === "scheduled" ? (scheduledFor ?? 0) < fireAt : startedAt < fireAt;
}

function behind(history: History, waits: readonly Wait[], id: string, pipelineId: string, at: number): string {
  const active = activeAt(history, pipelineId, at);
  const others = waits.filter(
    ({ trigger, from, until }) => trigger.id !== id && trigger.pipelineId === pipelineId && from <= at && until > at,
  );
  return `${active.map((run) => `run ${run.id} ${run.isCancelRequested ? "(cancel requested)" : ""}`).join(", ")}; ${others.length} others wait`;
}

/** A run that was cancelled for a newer fire time is followed by that fire time, the newest, at once. */
function checkCancelRunning(history: History, load: Load, report: Report): void {
  for (const run of history.seen.runs) {
    if (!run.isCancelRequested || run.cancelUser !== null || run.cancelAt === null) continue;
    const newer = history.seen.triggers.filter(
      ({ pipelineId, kind, createdAt }) => pipelineId === run.pipelineId && kind === "scheduled" && createdAt <= (run.cancelAt as number),
    );
    if (
      run.scheduledFor !== null &&
      !newer.some(({ scheduledFor }) => (scheduledFor ?? 0) > (run.scheduledFor as number)) &&
      !newer.some(({ id }) => id !== run.triggerId)
    )
      report.fail("overlap-cancel-running", run.cancelAt, run.pipelineId, `run ${run.id} was cancelled, and no newer fire time came`);
    if (run.cancelAt === run.startedAt && history.world.nodes === 1 && isSurplus(run, load, history))
      report.fail(
        "overlap-cancel-running",
        run.cancelAt,
        run.pipelineId,
        `run ${run.id} was started and cancelled at ${iso(run.cancelAt)}: the newest should win directly`,
      );
  }
}

/** Returns true when as many newer fire times as there are slots ran or were ready when a run started: then it should not have. */
function isSurplus({ pipelineId, scheduledFor, startedAt }: SeenRun, load: Load, history: History): boolean {
  const newer = history.seen.triggers.filter((one) => {
    if (one.pipelineId !== pipelineId || one.kind !== "scheduled" || (one.scheduledFor ?? 0) <= (scheduledFor ?? 0)) return false;
    const run = one.runId === null ? undefined : history.runs.get(one.runId);
    const isRunning = run !== undefined && run.startedAt <= startedAt && (run.endedAt ?? Number.POSITIVE_INFINITY) > startedAt;
    return isRunning || load.looksAt(one).some(({ at }) => at === startedAt);
  });
  return newer.length >= history.specAt(pipelineId, startedAt).execution.maxActiveRuns;
}

/** What was skipped for overlap was skipped while all runs were taken. */
function checkSkips(history: History, load: Load, report: Report): void {
  for (const trigger of history.seen.triggers)
    for (const { at, isOverlapSkip } of load.looksAt(trigger))
      if (isOverlapSkip && !load.isFull(trigger.pipelineId, at))
        report.fail("overlap-skip", at, trigger.pipelineId, `trigger ${trigger.id} was skipped at ${iso(at)}, and not all runs are taken`);
}

function checkQueueOne(history: History, report: Report): void {
  const { seen } = history;
  for (const trigger of seen.triggers) {
    if (trigger.status !== "superseded") continue;
    const by = trigger.supersededBy === null ? undefined : history.triggers.get(trigger.supersededBy);
    const fail = (text: string) =>
      report.fail("overlap-queue-one", trigger.endedAt ?? trigger.createdAt, trigger.pipelineId, `trigger ${trigger.id} ${text}`);
    if (by === undefined) fail("was superseded by none that exists");
    else if (by.pipelineId !== trigger.pipelineId || (by.scheduledFor ?? 0) <= (trigger.scheduledFor ?? 0))
      fail(`was superseded by ${by.id}, which is not newer`);
  }
  for (const trigger of seen.triggers) {
    if (trigger.kind !== "scheduled" || history.specAt(trigger.pipelineId, trigger.createdAt).execution.overlap !== "queue_one") continue;
    const other = seen.triggers.find(
      (one) =>
        one !== trigger &&
        one.pipelineId === trigger.pipelineId &&
        one.kind === "scheduled" &&
        one.createdAt <= trigger.createdAt &&
        (one.scheduledFor ?? 0) < (trigger.scheduledFor ?? 0) &&
        waitsUntil(one, history) > trigger.createdAt,
    );
    if (other !== undefined)
      report.fail(
        "overlap-queue-one",
        trigger.createdAt,
        trigger.pipelineId,
        `trigger ${other.id} still waits when ${trigger.id} of a newer fire time comes`,
      );
    const { supersedes } = trigger;
    if (supersedes !== null && history.triggers.get(supersedes)?.supersededBy !== trigger.id)
      report.fail(
        "overlap-queue-one",
        trigger.createdAt,
        trigger.pipelineId,
        `trigger ${trigger.id} names ${supersedes}, which does not name it`,
      );
  }
}

/** When a trigger stops waiting: its run starts, or it ends. */
function waitsUntil({ runId, endedAt }: { readonly runId: string | null; readonly endedAt: number | null }, { runs }: History): number {
  const run = runId === null ? undefined : runs.get(runId);
  return run?.startedAt ?? endedAt ?? Number.POSITIVE_INFINITY;
}
