import { durationMs, formatDuration } from "../../base/duration.js";
import { HeadgateError, NonRetryableError } from "../../base/errors.js";
import { withDataInterval } from "../../pipeline/data-interval.js";
import { issuesOf, type Pipeline } from "../../pipeline/pipeline.js";
import type { RunClock, RunContext, RunLog } from "../../pipeline/run-context.js";
import type { RunScheduler } from "../../pipeline/run-scheduler.js";
import type { Clock } from "../../ports/clock.js";
import type { RemoteState, RunControl, RunRequest } from "../../ports/executor.js";
import type { LogLevel } from "../../ports/logger.js";
import type { HeartbeatRequest } from "../../ports/store.js";
import { jsonCopy } from "../../run/json-copy.js";
import type { Redact } from "../../run/redact.js";
import type { AttemptOutcome, CancelRequest, RunError, RunRecord } from "../../run/run.js";
import { type Run, runView } from "../../run/view.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { type Trigger, triggerView } from "../../trigger/view.js";
import type { Core } from "../context/core.js";
import { schedulerFor } from "./attempt-scheduler.js";
import { upstreamRunId } from "./end-request.js";

const PROGRESS_LIMIT = 10_000;

/** The records of an attempt. */
interface Claimed {
  readonly run: RunRecord;
  readonly trigger: TriggerRecord;
  readonly pipeline: Pipeline;
}

type ActiveAttemptCore = Pick<Core, "clock" | "events" | "logger" | "redact" | "store">;

/** An active attempt in this process: its signal, its timeout, and its function's argument. */
export class ActiveAttempt implements RunContext<unknown> {
  readonly run: RunRecord;
  readonly pipeline: Pipeline;
  parameters: unknown = {};
  /** Time it may take from now, ms. */
  readonly timeoutMs: number;
  /** End that the remote executor has reported; `null` for none yet. */
  reported: RemoteState | null = null;
  #onTold: (() => void) | null = null;
  /** It runs remotely and continues there: nothing is recorded of it here. */
  isDetached = false;
  readonly #core: ActiveAttemptCore;
  readonly #scheduler: RunScheduler;
  #trigger: TriggerRecord;
  #isIntervalKnown = false;
  readonly #stopTimer: () => void;
  #onAbort: (() => void)[] | null = null;
  /** Made when somebody looks at the signal: most runs never do, and it costs more than all the rest of an attempt. */
  #controller: AbortController | null = null;
  #reason: HeadgateError | null = null;
  #progress: unknown;
  /** Its remote reference, while no heartbeat has sent it. */
  #reference: unknown;
  #given: unknown;
  /** The current problem, while no heartbeat has reported it; and the last one to report. */
  #problem: RunError | null | undefined;
  #notedProblem: RunError | null;
  #hasTold = false;

  constructor(core: ActiveAttemptCore, scheduler: RunScheduler, { run, trigger, pipeline }: Claimed) {
    this.#core = core;
    this.#scheduler = scheduler;
    this.run = run;
    this.pipeline = pipeline;
    this.#trigger = trigger;
    this.#notedProblem = run.error?.code === "EXECUTOR_UNAVAILABLE" ? run.error : null; // of the node that watched it before
    const { lengthMs, what } = deadlineOf(run, pipeline, core.clock.now());
    this.timeoutMs = lengthMs;
    this.#stopTimer = core.clock.setTimer(lengthMs, () => {
      this.abort(new HeadgateError("RUN_TIMED_OUT", what, { details: { timeoutMs: pipeline.execution.timeoutMs } }));
    });
    if (run.cancelRequest !== null) this.cancel(run.cancelRequest);
  }

  get pipelineId(): string {
    return this.run.pipelineId;
  }

  get runId(): string {
    return this.run.id;
  }

  get attempt(): number {
    return this.run.attempt;
  }

  /** Its parameters are a copy of this attempt's own. */
  get trigger(): Trigger {
    return { ...triggerView(this.triggerRecord), parameters: this.#ownParameters() };
  }

  get interval(): Trigger["interval"] {
    return triggerView(this.triggerRecord).interval;
  }

  /** The trigger as it was claimed, with the span of time that it is for. */
  get triggerRecord(): TriggerRecord {
    if (!this.#isIntervalKnown) this.#trigger = withDataInterval(this.#trigger, this.pipeline);
    this.#isIntervalKnown = true;
    return this.#trigger;
  }

  /** A copy that the run may change: triggers of one backfill share theirs, and a store may keep them as they are. */
  #ownParameters(): unknown {
    const { parameters } = this.#trigger;
    if (parameters === null) return null;
    this.#given ??= structuredClone(parameters);
    return this.#given;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== null && !this.#controller.signal.aborted) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Reason for which it was aborted; `null` while it was not. */
  get abortReason(): HeadgateError | null {
    return this.#reason;
  }

  get clock(): RunClock {
    const { clock } = this.#core;
    return { now: () => clock.now(), sleep: (length) => clock.sleep(durationMs(length, "sleep"), this.signal) };
  }

  get log(): RunLog {
    const ids = { pipelineId: this.pipelineId, triggerId: this.run.triggerId, runId: this.runId };
    const { logger } = this.#core;
    const at = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      logger.log(level, message, { ...fields, ...ids });
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  get scheduler(): RunScheduler {
    return schedulerFor(this.#scheduler, this.#core, this);
  }

  /** Bound, like `heartbeat`. */
  get upstream(): () => Promise<Run | null> {
    const { store, clock } = this.#core;
    return async () => {
      const runId = upstreamRunId(this.#trigger);
      if (runId === null) return null;
      const reading = store.run(runId);
      clock.track?.(reading, "work");
      const run = await reading;
      return run === null ? null : runView(run);
    };
  }

  /** Bound, so that it can be taken out of the context by destructuring. */
  get heartbeat(): (progress?: unknown) => void {
    return (progress) => {
      if (progress === undefined) return;
      const kept = jsonCopy(progress, PROGRESS_LIMIT, `progress of run ${this.runId}`, this.#core.redact);
      this.#progress = kept;
      this.#core.events.emit("run.progress", () => ({ pipelineId: this.pipelineId, runId: this.runId, progress: kept }));
    };
  }

  /** Progress that an earlier attempt reported last. */
  get lastProgress(): unknown {
    return this.run.progress;
  }

  /** The parameters, made by the pipeline's schema. */
  async makeParameters(): Promise<unknown> {
    const { parameters: schema } = this.pipeline;
    const given = this.#ownParameters() ?? {};
    if (schema === null) this.parameters = given;
    else {
      const parsed = await schema.safeParseAsync(given);
      if (!parsed.success) throw new NonRetryableError(`parameters: ${issuesOf(parsed.error)}`);
      this.parameters = parsed.data;
    }
    return this.parameters;
  }

  /** Calls the pipeline's function with its parameters. */
  async call(): Promise<unknown> {
    if (this.pipeline.parameters === null) this.parameters = this.#ownParameters() ?? {};
    else await this.makeParameters();
    return this.pipeline.run(this);
  }

  abort(reason: HeadgateError): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    const listeners = this.#onAbort ?? [];
    this.#onAbort = null;
    for (const listener of listeners) listener();
  }

  /** Calls `listener` once when the attempt is aborted, at once if it already is. */
  onAbort(listener: () => void): void {
    if (this.#reason !== null) listener();
    else if (this.#onAbort === null) this.#onAbort = [listener];
    else this.#onAbort.push(listener);
  }

  /** Accepts a state that the remote executor reports. */
  report(state: RemoteState): void {
    if (state.status === "running") this.heartbeat(state.progress);
    else {
      this.reported = state;
      this.#onTold?.();
    }
  }

  /** Calls `listener` when its end is reported. */
  onTold(listener: () => void): void {
    this.#onTold = listener;
  }

  cancel(request: CancelRequest): void {
    const by = request.user === null ? "" : ` by ${request.user}`;
    const why = request.reason === null ? "" : `: ${request.reason}`;
    this.abort(new HeadgateError("RUN_CANCELLED", `cancelled${by}${why}`, { details: { user: request.user, reason: request.reason } }));
  }

  /** Sends the newest progress once. */
  takeHeartbeat(): HeartbeatRequest {
    const progress = this.#progress;
    const reference = this.#reference;
    const problem = this.#problem;
    this.#progress = this.#reference = this.#problem = undefined;
    this.#hasTold ||= progress !== undefined || reference !== undefined || problem !== undefined;
    const news = {
      ...(progress === undefined ? {} : { progress }),
      ...(reference === undefined ? {} : { reference }),
      ...(problem === undefined ? {} : { error: problem }),
    };
    return { runId: this.runId, token: this.run.token, ...news };
  }

  /** Takes back what a heartbeat that failed was to send, unless there is newer. */
  putBack(request: HeartbeatRequest | undefined): void {
    this.#progress ??= request?.progress;
    this.#reference ??= request?.reference;
    if (this.#problem === undefined) this.#problem = request?.error;
  }

  /** Stores, with the next heartbeat, where the attempt is executed. */
  keepReference(reference: unknown): void {
    this.#reference = reference;
  }

  /** Stores, with the next heartbeat, the current problem of the attempt; `null`: it is resolved. */
  noteProblem(problem: RunError | null): void {
    if (problem === null && this.#notedProblem === null) return;
    this.#notedProblem = problem;
    this.#problem = problem;
  }

  /** Progress that no heartbeat has sent yet; `undefined` for none. */
  get unsentProgress(): unknown {
    return this.#progress;
  }

  /** True if a heartbeat has said more of it than that it is alive: the record with which it began is out of date then. */
  get hasTold(): boolean {
    return this.#hasTold;
  }

  /** Stops the timeout. */
  end(): void {
    this.#stopTimer();
  }

  /** Returns the outcome of the attempt: an abort takes precedence over what its function then did. An executor that throws `RUN_LOST` has lost it. */
  outcomeOf(error: unknown): AttemptOutcome {
    if (this.#reason === null) return error === null ? "succeeded" : isLost(error) ? "lost" : "failed";
    const { code } = this.#reason;
    return code === "RUN_TIMED_OUT" ? "timed_out" : code === "RUN_CANCELLED" ? "cancelled" : "lost";
  }
}

function isLost(error: unknown): boolean {
  return error instanceof HeadgateError && error.code === "RUN_LOST";
}

/** One attempt as its executor sees it. */
export class AttemptHandle implements RunRequest, RunControl {
  readonly clock: Clock;
  readonly graceMs: number;
  readonly redact: Redact;
  readonly #attempt: ActiveAttempt;
  readonly #emitLate: (run: RunRecord, error: unknown) => void;

  constructor(
    core: Pick<Core, "clock" | "redact" | "settings">,
    attempt: ActiveAttempt,
    emitLate: (run: RunRecord, error: unknown) => void,
  ) {
    this.clock = core.clock;
    this.graceMs = core.settings.graceMs;
    this.redact = core.redact;
    this.#attempt = attempt;
    this.#emitLate = emitLate;
  }

  get trigger(): TriggerRecord {
    return this.#attempt.triggerRecord;
  }

  get runId(): string {
    return this.#attempt.run.id;
  }

  get pipelineId(): string {
    return this.#attempt.run.pipelineId;
  }

  get attempt(): number {
    return this.#attempt.run.attempt;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  call(): Promise<unknown> {
    return this.#attempt.call();
  }

  parameters(): Promise<unknown> {
    return this.#attempt.makeParameters();
  }

  get heartbeat(): (progress?: unknown) => void {
    return this.#attempt.heartbeat;
  }

  onAbort(listener: () => void): void {
    this.#attempt.onAbort(listener);
  }

  onLateEnd(error: unknown): void {
    this.#emitLate(this.#attempt.run, error);
  }
}

/** When an attempt must end: its own timeout, or what the run as a whole has left. One that was taken over has begun before. */
function deadlineOf(
  run: RunRecord,
  { execution: { timeoutMs, totalTimeoutMs } }: Pipeline,
  now: number,
): { lengthMs: number; what: string } {
  const own = timeoutMs - Math.max(0, now - run.attemptStartedAt);
  const all = totalTimeoutMs === null ? Number.POSITIVE_INFINITY : totalTimeoutMs - Math.max(0, now - run.startedAt);
  const what =
    totalTimeoutMs !== null && all < own
      ? `the run took longer than ${formatDuration(totalTimeoutMs)} in total`
      : `attempt ${run.attempt} took longer than ${formatDuration(timeoutMs)}`;
  return { lengthMs: Math.max(0, Math.min(own, all)), what };
}
