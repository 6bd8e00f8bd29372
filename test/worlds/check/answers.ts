import { covers } from "../oracle/calendar.js";
import { firesIn } from "../oracle/schedule.js";
import type { SeenAnswer, SeenTrigger } from "../seen.js";
import type { ScheduleSpec } from "../spec.js";
import type { History } from "./history.js";
import type { Load } from "./load.js";
import { iso, type Report } from "./report.js";

const MINUTE = 60_000;
/** A fire time within this after an instant is the one that is meant. */
const MEANT_MS = MINUTE;
/** Answers of a trigger that started a run, whatever became of that. */
const RAN = new Set(["ran", "failed", "timed_out", "running", "retrying", "cancelled"]);

/** What `explain` said, against what became of it. */
export function checkAnswers(history: History, load: Load, report: Report): void {
  for (const answer of history.seen.answers) {
    report.counts.answers++;
    if (answer.at <= answer.askedAt) checkPast(answer, history, report);
    else checkFuture(answer, history, load, report);
    checkNextFire(answer, history, report);
  }
  checkUpcoming(history, report);
}

function checkPast(answer: SeenAnswer, history: History, report: Report): void {
  const { pipelineId, at } = answer;
  if (history.world.theme === "steps") return;
  const fail = (text: string) =>
    report.fail("explain-past", at, pipelineId, `explain at ${iso(at)} says ${answer.answer} (${answer.text}) ${text}`);
  const own = history.seen.triggers.filter((one) => one.pipelineId === pipelineId);
  const meant = own.filter(({ scheduledFor, createdAt }) =>
    scheduledFor !== null ? scheduledFor >= at && scheduledFor < at + MEANT_MS : createdAt === at,
  );
  if (answer.why === "fire") {
    const dropped = history.seen.decisions.filter((one) => one.pipelineId === pipelineId && one.triggerId === null && isDropOf(one, at));
    if (dropped.length > 0) {
      if (!/drop/i.test(answer.text)) fail("and not that it was dropped");
      if (answer.answer !== "missed" && !meant.some(({ kind }) => kind === "backfill")) fail("and should say missed");
      return;
    }
    const exact = meant.filter(({ scheduledFor }) => scheduledFor === at);
    if (exact.length > 0) checkTold(answer, exact, history, fail);
    return;
  }
  const open = own.filter(({ createdAt, endedAt }) => createdAt <= at && (endedAt ?? Number.POSITIVE_INFINITY) > at);
  const scheduleThen = history.specAt(pipelineId, at).schedule;
  const isQuiet = meant.length === 0 && open.length === 0 && !history.isPausedAt(pipelineId, at) && !history.isDownAt(at);
  if (open.length > 0 && meant.length === 0 && answer.triggerId === null && !hasFire(scheduleThen, at))
    fail(`and no trigger, though ${open[0]?.id} was open`);
  // its schedule of today may have a fire time where that of the time had none: of that nothing is kept
  const isUnknown = answer.answer === "unknown" && hasFire(history.specAt(pipelineId, answer.askedAt).schedule, at);
  if (isQuiet && !hasFire(scheduleThen, at) && answer.answer !== "not_scheduled" && !isUnknown) fail("and should say not_scheduled");
}

function hasFire(schedule: ScheduleSpec, at: number): boolean {
  return firesIn(schedule, at, at + MEANT_MS).length > 0;
}

function isDropOf({ scheduledFor, missed }: { scheduledFor: number | null; missed: { lastAt: number } | null }, at: number): boolean {
  return scheduledFor !== null && (missed === null ? scheduledFor === at : at >= scheduledFor && at <= missed.lastAt);
}

/** The answer is about one of these triggers, of its class, and has its decisions and its run. */
function checkTold(answer: SeenAnswer, meant: readonly SeenTrigger[], history: History, fail: (text: string) => void): void {
  const trigger = meant.find(({ id }) => id === answer.triggerId);
  if (trigger === undefined) {
    fail(`and should be about trigger ${meant.map(({ id }) => id).join(" or ")}`);
    return;
  }
  const { status, runId } = trigger;
  const isRight =
    status === "pending" || status === "held"
      ? answer.answer === "waiting"
      : runId !== null
        ? RAN.has(answer.answer)
        : answer.answer === status;
  if (!isRight) fail(`and the trigger is ${status}`);
  if (answer.runId !== runId) fail(`and its run is ${runId}`);
  const decisions = (history.decisionsOf.get(trigger.id) ?? []).map(({ id }) => id);
  if (answer.decisionIds.join() !== [...new Set(decisions)].join()) fail(`and its decisions are ${[...new Set(decisions)].join()}`);
}

/** What is said without reserve must come, unless something was done in between that nobody could know. */
function checkFuture(answer: SeenAnswer, history: History, load: Load, report: Report): void {
  const { askedAt, at, pipelineId, why } = answer;
  const { seen } = history;
  const isDisturbed = [...seen.deeds.map((one) => one.at), ...seen.downs.flatMap(({ from, until }) => [from, until])].some(
    (when) => when > askedAt && when <= at + MEANT_MS,
  );
  if (isDisturbed || at + MEANT_MS > seen.endedAt || history.world.theme === "steps") return;
  const fail = (check: "explain-future" | "explain-waiting", text: string) =>
    report.fail(
      check,
      askedAt,
      pipelineId,
      `asked at ${iso(askedAt)}, explain says ${answer.answer} of ${iso(at)} (${answer.text}): ${text}`,
    );
  const starts = history.attempts.filter(({ run, from }) => run.pipelineId === pipelineId && from >= at && from < at + MEANT_MS);
  const due = seen.triggers.filter(
    (one) =>
      one.pipelineId === pipelineId &&
      one.scheduledFor !== null &&
      one.kind === "scheduled" &&
      one.scheduledFor >= at &&
      one.scheduledFor < at + MEANT_MS,
  );
  if (why !== "fire" && why !== "any" && answer.answer === "not_scheduled" && hasWaited(answer, history))
    fail("explain-waiting", `a ${why} of ${answer.of ?? "a run"} is due then`);
  if (answer.answer === "not_scheduled" && due.length > 0) fail("explain-future", "a fire time came");
  if (answer.answer === "will_run" && why === "fire") {
    const run = due[0]?.runId ?? null;
    const startedAt = run === null ? null : (history.runs.get(run)?.startedAt ?? null);
    if (due.length > 0 && due[0]?.scheduledFor !== startedAt) fail("explain-future", `its run started at ${iso(startedAt)}`);
  }
  if (answer.answer === "will_skip" && why === "fire" && due[0] !== undefined && !["skipped", "superseded"].includes(due[0].status))
    fail("explain-future", `it was ${due[0].status}`);
  if (
    answer.answer === "will_wait" &&
    why === "fire" &&
    due[0] !== undefined &&
    starts.some(({ run, from }) => run.triggerId === due[0]?.id && from === due[0].scheduledFor)
  )
    fail("explain-future", "it ran at once");
  if (why === "fire" && answer.answer !== "will_run" && isCertain(history, load, answer)) fail("explain-future", "nothing could hinder it");
}

/** Returns true when the trigger did wait until then: it had not run, been replaced or ended. */
function hasWaited({ of, at }: SeenAnswer, { triggers, runs }: History): boolean {
  const trigger = of === null ? undefined : triggers.get(of);
  if (trigger === undefined) return true;
  const startedAt = trigger.runId === null ? null : (runs.get(trigger.runId)?.startedAt ?? null);
  return (startedAt ?? trigger.endedAt ?? Number.POSITIVE_INFINITY) >= at;
}

/** Nothing is asked, shared, waiting, running or paused: the run is certain. */
function isCertain(history: History, load: Load, { pipelineId, askedAt, at }: SeenAnswer): boolean {
  const { conditions, execution } = history.specAt(pipelineId, askedAt);
  const isFree = conditions.every(
    (spec) => (spec.type === "window" && !covers(spec.calendar, at)) || (spec.type === "business" && covers(spec.calendar, at)),
  );
  if (!isFree || execution.pool !== null || history.world.globalLimit !== null) return false;
  if (history.specAt(pipelineId, askedAt).after.length > 0) return false;
  const isIdle = load.active(pipelineId, askedAt) === 0;
  const waits = history.seen.triggers.some(
    (one) => one.pipelineId === pipelineId && one.createdAt <= askedAt && (one.endedAt ?? Number.POSITIVE_INFINITY) > askedAt,
  );
  const isNext = firesIn(history.specAt(pipelineId, askedAt).schedule, askedAt + 1, at).length === 0;
  return isIdle && !waits && isNext && !history.isPausedAt(pipelineId, askedAt) && !history.isPausedAt(pipelineId, at);
}

function checkNextFire({ pipelineId, at, askedAt, nextFireAt }: SeenAnswer, history: History, report: Report): void {
  if (history.world.theme === "steps" || history.isPausedAt(pipelineId, askedAt) || at < askedAt) return;
  const [next] = firesIn(history.specAt(pipelineId, askedAt).schedule, at + 1, at + 2 * 86_400_000);
  if (next !== undefined && nextFireAt !== next)
    report.fail("upcoming", askedAt, pipelineId, `nextFireAt after ${iso(at)} is ${iso(nextFireAt)}, should be ${iso(next)}`);
}

function checkUpcoming(history: History, report: Report): void {
  if (history.world.theme === "steps") return;
  for (const { askedAt, fires } of history.seen.upcoming) {
    if (history.world.pipelines.some(({ id }) => history.isPausedAt(id, askedAt))) continue;
    const until = (fires.at(-1)?.at ?? askedAt + 86_400_000) + 1;
    const wanted = history.world.pipelines.flatMap(({ id }) =>
      firesIn(history.specAt(id, askedAt).schedule, askedAt + 1, until).map((at) => ({ pipelineId: id, at })),
    );
    const textOf = (all: readonly { pipelineId: string; at: number }[]) =>
      all.map(({ pipelineId, at }) => `${iso(at)} ${pipelineId}`).sort();
    const found = new Set(textOf(fires));
    const missing = textOf(wanted).filter((one) => !found.has(one) && !one.startsWith(iso(until - 1)));
    const extra = textOf(fires).filter((one) => !textOf(wanted).includes(one));
    if (missing.length + extra.length > 0)
      report.fail(
        "upcoming",
        askedAt,
        null,
        `at ${iso(askedAt)} upcoming lacks ${missing.join(", ") || "none"} and has ${extra.join(", ") || "none"} too many`,
      );
  }
}
