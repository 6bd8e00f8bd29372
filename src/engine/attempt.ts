import { durationMs } from "../base/duration.js";
import { HeadgateError, NonRetryableError } from "../base/errors.js";
import type { Clock } from "../ports/clock.js";
import type { RunControl, RunRequest } from "../ports/executor.js";
import type { LogLevel } from "../ports/logger.js";
import type { HeartbeatRequest } from "../ports/store.js";
import type { AttemptOutcome, CancelRequest, RunRecord } from "../run/run.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import type { Core } from "./core.js";
import { jsonCopy } from "./json.js";
import { issuesOf, type Pipeline, type RunClock, type RunContext, type RunLog } from "./pipeline.js";
import { type Trigger, triggerView } from "./views.js";

const PROGRESS_LIMIT = 10_000;

/** One attempt under way in this process: its signal, its timeout, and what its function is handed. */
export class ActiveAttempt implements RunContext<unknown> {
  readonly run: RunRecord;
  readonly pipeline: Pipeline;
  parameters: unknown = {};
  readonly #core: Core;
  readonly #trigger: TriggerRecord;
  readonly #stopTimer: () => void;
  #onAbort: (() => void)[] | null = null;
  /** Made when somebody looks at the signal: most runs never do, and it costs more than all the rest of an attempt. */
  #controller: AbortController | null = null;
  #reason: HeadgateError | null = null;
  #progress: unknown;

  constructor(core: Core, run: RunRecord, trigger: TriggerRecord, pipeline: Pipeline) {
    this.#core = core;
    this.run = run;
    this.pipeline = pipeline;
    this.#trigger = trigger;
    const { timeoutMs } = pipeline.execution;
    this.#stopTimer = core.clock.setTimer(timeoutMs, () => {
      this.abort(new HeadgateError("RUN_TIMED_OUT", `attempt ${run.attempt} took longer than ${timeoutMs} ms`, { details: { timeoutMs } }));
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

  get trigger(): Trigger {
    return triggerView(this.#trigger);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== null && !this.#controller.signal.aborted) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Why it was aborted; `null` while it was not. */
  get abortReason(): HeadgateError | null {
    return this.#reason;
  }

  get clock(): RunClock {
    const { clock } = this.#core;
    return { now: () => clock.now(), sleep: (length) => clock.sleep(durationMs(length, "sleep"), this.signal) };
  }

  get log(): RunLog {
    const ids = { pipelineId: this.pipelineId, triggerId: this.run.triggerId, runId: this.runId };
    const at = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
      this.#core.logger.log(level, message, { ...fields, ...ids });
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  /** Bound, so that it can be taken out of the context by destructuring. */
  get heartbeat(): (progress?: unknown) => void {
    return (progress) => {
      if (progress === undefined) return;
      const kept = jsonCopy(progress, PROGRESS_LIMIT, `progress of run ${this.runId}`);
      this.#progress = kept;
      this.#core.events.tell("run.progress", () => ({ pipelineId: this.pipelineId, runId: this.runId, progress: kept }));
    };
  }

  /** Calls the pipeline's function with its parameters, made by its schema. */
  async call(): Promise<unknown> {
    const { parameters: schema } = this.pipeline;
    const given = this.#trigger.parameters ?? {};
    if (schema === null) this.parameters = given;
    else {
      const parsed = await schema.safeParseAsync(given);
      if (!parsed.success) throw new NonRetryableError(`parameters: ${issuesOf(parsed.error)}`);
      this.parameters = parsed.data;
    }
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

  cancel(request: CancelRequest): void {
    const by = request.user === null ? "" : ` by ${request.user}`;
    const why = request.reason === null ? "" : `: ${request.reason}`;
    this.abort(new HeadgateError("RUN_CANCELLED", `cancelled${by}${why}`, { details: { user: request.user, reason: request.reason } }));
  }

  /** Sends the newest progress once. */
  takeHeartbeat(): HeartbeatRequest {
    const progress = this.#progress;
    this.#progress = undefined;
    return { runId: this.runId, token: this.run.token, ...(progress === undefined ? {} : { progress }) };
  }

  /** Stops the timeout. */
  end(): void {
    this.#stopTimer();
  }

  /** How the attempt ended: what aborted it says more than what its function then did. */
  outcomeOf(error: unknown): AttemptOutcome {
    if (this.#reason === null) return error === null ? "succeeded" : "failed";
    const { code } = this.#reason;
    return code === "RUN_TIMED_OUT" ? "timed_out" : code === "RUN_CANCELLED" ? "cancelled" : "lost";
  }
}

/** One attempt as its executor sees it. */
export class AttemptHandle implements RunRequest, RunControl {
  readonly trigger: TriggerRecord;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly #attempt: ActiveAttempt;
  readonly #tellLate: (run: RunRecord, error: unknown) => void;

  constructor(core: Core, attempt: ActiveAttempt, trigger: TriggerRecord, tellLate: (run: RunRecord, error: unknown) => void) {
    this.trigger = trigger;
    this.clock = core.clock;
    this.graceMs = core.settings.graceMs;
    this.#attempt = attempt;
    this.#tellLate = tellLate;
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

  onAbort(listener: () => void): void {
    this.#attempt.onAbort(listener);
  }

  onLateEnd(error: unknown): void {
    this.#tellLate(this.#attempt.run, error);
  }
}
