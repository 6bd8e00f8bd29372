import { attemptEnd, retryAfter } from "../oracle/attempt.js";
import type { AttemptSpan, History } from "./history.js";
import { grouped } from "./history.js";
import type { Load } from "./load.js";
import { iso, type Report } from "./report.js";

const GRACE_MS = 10_000;

/** Every attempt ends as and when its function, its timeout or what interrupted it says, and is followed by another as its policy says. */
export function checkAttempts(history: History, load: Load, report: Report): void {
  checkCalls(history, report);
  if (history.world.theme === "steps") return;
  for (const [, spans] of grouped(history.attempts, ({ run }) => run)) {
    for (const [index, span] of spans.entries()) {
      checkEnd(span, history, report);
      checkNext(span, spans[index + 1], history, load, report);
    }
  }
}

function checkEnd({ run, attempt, from, until, outcome }: AttemptSpan, history: History, report: Report): void {
  const { world } = history;
  const spec = history.specAt(run.pipelineId, from);
  const expected = attemptEnd(world.seed, spec, run.startedAt, from, attempt);
  const isForNewer = outcome === "cancelled" && run.cancelUser === null;
  const fail = (text: string) =>
    report.fail(
      isForNewer ? "overlap-cancel-running" : "attempts",
      until,
      run.pipelineId,
      `attempt ${attempt} of run ${run.id}, from ${iso(from)} to ${iso(until)} (${outcome}), ${text}`,
    );
  if (outcome === null) {
    if (expected.at < history.seen.endedAt - history.unnoticedMs && !history.isDownAt(expected.at))
      fail(`should end at ${iso(expected.at)}`);
    return;
  }
  const isLastOfFailed = outcome === "failed" && run.attempts.at(-1)?.attempt === attempt;
  const seenOutcome = isLastOfFailed ? (run.attempts.at(-1)?.outcome ?? outcome) : outcome;
  if (seenOutcome === "cancelled") {
    const { cancelAt } = run;
    const slack = world.nodes > 1 ? history.unnoticedMs + GRACE_MS : 0;
    if (cancelAt === null || (until > cancelAt + slack && !history.isDownAt(cancelAt))) fail(`should be cancelled at ${iso(cancelAt)}`);
    return;
  }
  if (seenOutcome === "lost") {
    const node = nodeOf(run, attempt);
    const down = history.seen.downs.find((one) => one.from >= from && one.from <= until && node.startsWith(`node-${one.node}-`));
    if (down === undefined) fail("was lost, and its node has not ended");
    else if (down.how === "stop" && until !== down.from) fail(`should be closed at the stop, ${iso(down.from)}`);
    else if (down.how === "kill") {
      const up = history.downs.find((one) => down.from >= one.from && down.from < one.until)?.until ?? down.from;
      const latest = Math.max(down.from + world.lease, up) + history.unnoticedMs;
      if (until < down.from || until > latest) fail(`should be closed before ${iso(latest)}`);
    }
    return;
  }
  if (seenOutcome !== expected.outcome) fail(`should have ${expected.outcome} at ${iso(expected.at)}`);
  else if (until !== expected.at) fail(`should end at ${iso(expected.at)}`);
}

function nodeOf(run: AttemptSpan["run"], attempt: number): string {
  return run.attempts.find((one) => one.attempt === attempt)?.node ?? run.node;
}

/** What follows an attempt: another, when it is due and has a slot, or the end of the run. */
function checkNext(
  { run, attempt, from, until, outcome }: AttemptSpan,
  next: AttemptSpan | undefined,
  history: History,
  load: Load,
  report: Report,
): void {
  if (outcome === null) return;
  const { world } = history;
  const spec = history.specAt(run.pipelineId, from); // an attempt goes by the pipeline that it started with
  const kept = run.attempts.find((one) => one.attempt === attempt)?.outcome ?? outcome;
  const own = attemptEnd(world.seed, history.specAt(run.pipelineId, from), run.startedAt, from, attempt);
  const end = kept === own.outcome ? own : { outcome: kept, isRetryable: true, code: kept === "timed_out" ? "RUN_TIMED_OUT" : null };
  const dueAt = retryAfter(spec, { ...end, outcome: kept, at: until }, run.startedAt, attempt, world.draw);
  const fail = (text: string) =>
    report.fail("retries", until, run.pipelineId, `attempt ${attempt} of run ${run.id} ended ${kept} at ${iso(until)} and ${text}`);
  const isCancelled = run.cancelAt !== null;
  if (dueAt === null) {
    if (next !== undefined) fail(`was followed by another at ${iso(next.from)}; there should be none`);
    return;
  }
  if (next === undefined) {
    if (isCancelled) return;
    if (run.status !== "retrying") fail(`the run is ${run.status}; another attempt should be due at ${iso(dueAt)}`);
    else if (run.retryAt !== dueAt) fail(`another is due at ${iso(run.retryAt)}, should be at ${iso(dueAt)}`);
    else checkRetryWait(run, dueAt, history.seen.endedAt, history, load, fail);
    return;
  }
  if (next.from < dueAt) fail(`was followed by another at ${iso(next.from)}, before ${iso(dueAt)}`);
  else checkRetryWait(run, dueAt, next.from, history, load, fail);
}

/** From when it is due to when it starts, a pause, a pool, the scheduler's limit or a missing node holds it up. */
function checkRetryWait(
  run: AttemptSpan["run"],
  from: number,
  until: number,
  history: History,
  load: Load,
  fail: (text: string) => void,
): void {
  const slack = history.world.theme === "plain" ? 0 : history.unnoticedMs;
  const isForced = history.triggers.get(run.triggerId)?.isForced === true;
  const changes = load.changesIn(from, until);
  for (const [index, at] of changes.entries()) {
    const next = changes[index + 1] ?? until;
    if (next - at <= slack) continue;
    if (load.isShut(run.pipelineId, at, isForced) || load.isCrowded(run.pipelineId, at)) continue;
    fail(`nothing holds another up from ${iso(at)}, which waits until ${iso(until)}`);
    return;
  }
}

/** Functions are called for what is recorded, once each. */
function checkCalls(history: History, report: Report): void {
  const calls = new Map<string, number>();
  for (const { runId, attempt, at, pipelineId } of history.seen.calls) {
    const key = `${runId} ${attempt}`;
    calls.set(key, (calls.get(key) ?? 0) + 1);
    if (!history.runs.has(runId)) report.fail("calls", at, pipelineId, `a function is called for run ${runId}, which does not exist`);
  }
  for (const { run, attempt, from } of history.attempts) {
    const count = calls.get(`${run.id} ${attempt}`) ?? 0;
    if (count !== 1 && !wasInterruptedAtOnce(run, from))
      report.fail("calls", from, run.pipelineId, `attempt ${attempt} of run ${run.id} has ${count} calls`);
  }
}

function wasInterruptedAtOnce({ cancelAt, endedAt }: AttemptSpan["run"], from: number): boolean {
  return cancelAt === from || endedAt === from;
}
