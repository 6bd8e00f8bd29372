import { mapFacts } from "../../base/error-facts.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { FinishRequest } from "../../ports/store.js";
import { jsonCopy } from "../../run/json-copy.js";
import { retryDelay, runErrorOf } from "../../run/retry.js";
import type { AttemptOutcome, PrintedOutput, RunError, RunRecord } from "../../run/run.js";
import type { NewTrigger, TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";

const OUTPUT_LIMIT = 100_000;
const NONE: readonly never[] = Object.freeze([]);

/** End of an attempt. */
export interface Ended {
  readonly outcome: AttemptOutcome;
  /** As it is kept: see {@link keptOutput}. */
  readonly output: unknown;
  readonly error: unknown;
  /** Output that a program had printed; `null`, or missing, for none. */
  readonly printed?: PrintedOutput | null;
  /** `undefined`: nothing that was not sent before. */
  readonly progress?: unknown;
}

/** Makes of the end of an attempt what a store is to record: with its retry, or with the triggers that follow. */
export function endRequest(
  core: Pick<Core, "clock" | "events" | "fireQueue" | "newId" | "random" | "redact">,
  run: RunRecord,
  pipeline: Pipeline,
  { outcome, output, error, printed = null, progress }: Ended,
): FinishRequest {
  const now = core.clock.now();
  const wantedMs = outcome === "succeeded" ? null : delayOf(core, pipeline, run, outcome, error);
  const { totalTimeoutMs } = pipeline.execution;
  const isTooLate = wantedMs !== null && totalTimeoutMs !== null && now + wantedMs >= run.startedAt + totalTimeoutMs;
  const delayMs = isTooLate ? null : wantedMs;
  return {
    runId: run.id,
    token: run.token,
    end: {
      outcome,
      output,
      error: error === null ? null : keptError(core, error, printed),
      retryAt: delayMs === null ? null : now + delayMs,
      ...(progress === undefined ? {} : { progress }),
    },
    follow: outcome === "succeeded" ? followers(core, run, now) : NONE,
    onlyIfExpired: false,
  };
}

function keptError({ redact }: Pick<Core, "redact">, error: unknown, printed: PrintedOutput | null): RunError {
  const kept = mapFacts(runErrorOf(error), redact);
  return printed === null
    ? kept
    : { ...kept, output: { stdout: redact(printed.stdout, "start"), stderr: redact(printed.stderr, "start") } };
}

/** Returns the same end without the values that the store refuses: how the attempt ended is kept. */
export function withoutValues(request: FinishRequest, why: string): FinishRequest {
  const { progress: _, ...end } = request.end;
  const output = end.output === null || end.output === undefined ? null : { notKept: why };
  const error: RunError | null = end.error === null ? null : { message: `the error was not stored: ${why}`, code: plain(end.error.code) };
  return { ...request, end: { ...end, output, error } };
}

/** An output that cannot be kept does not undo the work: the run has succeeded, and the output says what was wrong. */
export function keptOutput({ events, redact }: Pick<Core, "events" | "redact">, output: unknown, run: RunRecord): unknown {
  try {
    return jsonCopy(output, OUTPUT_LIMIT, `output of run ${run.id}`, redact);
  } catch (problem) {
    events.report(problem, `run ${run.id} succeeded, but its output was not stored`);
    return { notKept: redact((problem as Error).message) };
  }
}

/** A code that is a plain word; retry policies and people look for it. */
function plain(code: string | null): string | null {
  return code !== null && /^[\w.:-]{1,100}$/.test(code) ? code : null;
}

/** A custom backoff may throw; then the plain delay holds. */
function delayOf(
  { events, random }: Pick<Core, "events" | "random">,
  pipeline: Pipeline,
  run: RunRecord,
  outcome: AttemptOutcome,
  error: unknown,
): number | null {
  const { execution } = pipeline;
  const number = random(run.pipelineId, run.id);
  try {
    return retryDelay(execution, run.attempt, outcome, error, number);
  } catch (problem) {
    events.report(problem, `the backoff of pipeline ${pipeline.id}`);
    return retryDelay({ ...execution, backoff: "fixed" }, run.attempt, outcome, error, number);
  }
}

const FOLLOWS = "run:";

/** Returns the id of the run whose success triggered this one; `null` when something else did. */
export function upstreamRunId({ kind, key }: Pick<TriggerRecord, "kind" | "key">): string | null {
  return kind === "dependency" && key?.startsWith(FOLLOWS) ? key.slice(FOLLOWS.length) : null;
}

function followers({ fireQueue, newId }: Pick<Core, "fireQueue" | "newId">, run: RunRecord, now: number): readonly NewTrigger[] {
  const following = fireQueue.followersOf(run.pipelineId);
  if (following.length === 0) return NONE;
  return following.map(({ id, execution }) => ({
    id: newId(now),
    pipelineId: id,
    kind: "dependency",
    priority: execution.priority,
    scheduledFor: null,
    key: `${FOLLOWS}${run.id}`,
    reason: `${run.pipelineId} succeeded`,
    user: null,
    requestedBy: null,
    parameters: null,
    size: 0,
    notBefore: null,
    isForced: false,
  }));
}
