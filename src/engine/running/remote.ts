import { formatDuration } from "../../base/duration.js";
import { errorOfFacts } from "../../base/error-facts.js";
import { HeadgateError, messageOf, NonRetryableError } from "../../base/errors.js";
import type { RemoteCall, RemoteExecutor, RemoteState } from "../../ports/executor.js";
import { jsonCopy } from "../../run/json-copy.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import type { ActiveAttempt, AttemptHandle } from "./attempt.js";

const DEFAULT_CALL_MS = 30_000;
const REFERENCE_LIMIT = 10_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const CANCEL_TRIES = 3;
/** Characters of what a run says is wrong while it runs. */
const MESSAGE_LIMIT = 500;

/** Ends that somebody wants: they are passed on. Other aborts leave the run where it is. */
const WANTED: ReadonlySet<string> = new Set(["RUN_TIMED_OUT", "RUN_CANCELLED"]);

/**
 * Executes an attempt remotely: submits it unless that was done before, stores its reference, and watches it until it ends. Returns its output, or throws. An unreachable engine is polled again until
 * the attempt's timeout.
 */
export async function watchElsewhere(
  core: Pick<Core, "clock" | "events" | "logger" | "redact" | "settings" | "store">,
  executor: RemoteExecutor,
  attempt: ActiveAttempt,
  handle: AttemptHandle,
): Promise<unknown> {
  const watch = new Watch(core, executor, attempt, handle);
  try {
    return await watch.end();
  } finally {
    watch.close();
  }
}

type WatchCore = Pick<Core, "clock" | "events" | "logger" | "redact" | "settings" | "store">;

class Watch {
  readonly #core: WatchCore;
  readonly #executor: RemoteExecutor;
  readonly #attempt: ActiveAttempt;
  readonly #handle: AttemptHandle;
  #wake: (() => void) | null = null;
  #isChanged = false;
  #endCall: ((reason: HeadgateError) => void) | null = null;
  #unwatch: (() => void) | null = null;

  constructor(core: WatchCore, executor: RemoteExecutor, attempt: ActiveAttempt, handle: AttemptHandle) {
    this.#core = core;
    this.#executor = executor;
    this.#attempt = attempt;
    this.#handle = handle;
    attempt.onTold(() => this.#changed());
    attempt.onAbort(() => {
      this.#endCall?.(new HeadgateError("EXECUTOR_UNAVAILABLE", "call aborted: no longer needed"));
      this.#changed();
    });
  }

  close(): void {
    this.#unwatch?.();
  }

  async end(): Promise<unknown> {
    const reference = this.#attempt.run.reference ?? (await this.#submitted());
    this.#unwatch = this.#executor.watch?.(reference, () => this.#changed()) ?? null;
    let waitMs = FIRST_WAIT_MS;
    for (;;) {
      await this.#endIfWanted(reference);
      let state: RemoteState;
      try {
        state = this.#attempt.reported ?? (await this.#call((call) => this.#executor.poll(reference, call)));
        waitMs = FIRST_WAIT_MS;
        this.#attempt.noteProblem(null);
      } catch (error) {
        this.#warn("cannot be queried", error);
        await this.#wait(waitMs);
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
        continue;
      }
      if (state.status === "succeeded") return state.output;
      if (state.status === "failed") throw failureOf(state);
      if (state.status === "lost") {
        const lost = new HeadgateError(
          "RUN_LOST",
          `${this.#executor.name} no longer knows it${state.reason === undefined ? "" : `: ${state.reason}`}`,
        );
        this.#attempt.abort(lost);
        throw lost;
      }
      if (state.progress !== undefined) this.#handle.heartbeat(state.progress);
      await this.#wait(this.#executor.pollMs);
    }
  }

  /** Hands it over, again while the engine cannot be reached, and writes down where it is. */
  async #submitted(): Promise<unknown> {
    const { run, pipeline, timeoutMs } = this.#attempt;
    const parameters = await this.#handle.parameters();
    const request = {
      submissionId: `${run.id}-${run.attempt}`,
      runId: run.id,
      pipelineId: pipeline.id,
      attempt: run.attempt,
      trigger: this.#handle.trigger,
      parameters,
      timeoutMs,
    };
    let reference: unknown;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      await this.#endIfWanted(null);
      try {
        reference = jsonCopy(
          await this.#call((call) => this.#executor.submit(request, call), true), // not cut short: what may have been taken must be known, to be ended
          REFERENCE_LIMIT,
          `${this.#executor.name}: reference`,
        );
        break;
      } catch (error) {
        if (!(error instanceof HeadgateError) || error.code !== "EXECUTOR_UNAVAILABLE") throw error;
        this.#warn("cannot be reached", error);
        await this.#wait(waitMs);
      }
    }
    this.#attempt.noteProblem(null);
    await this.#remember(reference);
    return reference;
  }

  async #remember(reference: unknown): Promise<void> {
    const { store, clock, settings, events } = this.#core;
    const now = clock.now();
    const { id: runId, token } = this.#attempt.run;
    try {
      await store.heartbeat([{ runId, token, reference }], now + settings.leaseMs, now);
    } catch (error) {
      this.#attempt.keepReference(reference); // sent with the next heartbeat; a node that takes over without knowing it submits the run again, which does not start it a second time
      if (!isUnavailable(error)) events.report(error, `recording where run ${runId} is executed`);
    }
  }

  async #endIfWanted(reference: unknown): Promise<void> {
    const { abortReason, runId } = this.#attempt;
    if (abortReason === null) return;
    for (let tries = 1; reference !== null && WANTED.has(abortReason.code) && tries <= CANCEL_TRIES; tries++) {
      try {
        await this.#call((call) => this.#executor.cancel(reference, call), true);
        break;
      } catch (error) {
        if (tries === CANCEL_TRIES) this.#core.events.report(error, `ending run ${runId} at ${this.#executor.name}`);
        else await this.#core.clock.sleep(FIRST_WAIT_MS);
      }
    }
    throw abortReason;
  }

  /** One call within its time; an abort of the attempt ends it, unless it is the one that passes the abort on. */
  #call<T>(make: (call: RemoteCall) => Promise<T>, isLast = false): Promise<T> {
    const { clock } = this.#core;
    const callMs = this.#executor.callMs ?? DEFAULT_CALL_MS;
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      const end = (reason: HeadgateError) => {
        controller.abort(reason);
        reject(reason);
      };
      const late = () =>
        end(new HeadgateError("EXECUTOR_UNAVAILABLE", `${this.#executor.name}: no response within ${formatDuration(callMs)}`));
      const stopTimer = clock.setTimer(callMs, late);
      if (!isLast) this.#endCall = end;
      make({ signal: controller.signal, clock, redact: (text) => this.#core.redact(text) })
        .then(resolve, reject)
        .finally(() => {
          stopTimer();
          this.#endCall = null;
        });
    });
  }

  /** Waits until a change is reported, or a time has passed. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isChanged) {
        this.#isChanged = false;
        resolve();
        return;
      }
      const stopTimer = this.#core.clock.setTimer(ms, () => this.#wake?.());
      this.#wake = () => {
        stopTimer();
        this.#wake = null;
        this.#isChanged = false;
        resolve();
      };
    });
  }

  #changed(): void {
    this.#isChanged = true;
    this.#wake?.();
  }

  #warn(what: string, error: unknown): void {
    if (this.#attempt.abortReason !== null) return;
    const { runId, pipelineId } = this.#attempt;
    const message = this.#core.redact(messageOf(error));
    const problem = `${this.#executor.name} ${what}, it will be retried: ${message}`;
    this.#attempt.noteProblem({ message: problem.slice(0, MESSAGE_LIMIT), code: "EXECUTOR_UNAVAILABLE" });
    this.#core.logger.log("warn", `${this.#executor.name} ${what}, retrying: ${message}`, { pipelineId, runId });
  }
}

/** Converts a remote failure to an error of this process. */
export function failureOf({ error, isRetryable = true }: Extract<RemoteState, { status: "failed" }>): Error {
  if (!isRetryable) return errorOfFacts({ ...error, code: null }, new NonRetryableError(error.message));
  return errorOfFacts({ ...error, code: error.code ?? "REMOTE_RUN_FAILED" });
}
