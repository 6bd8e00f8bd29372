import { HeadgateError } from "../base/errors.js";
import type { FinishRequest, FinishResult } from "../ports/store.js";
import { retryDelay, runErrorOf } from "../run/retry.js";
import { type AttemptOutcome, type CancelRequest, isActive, type RunRecord } from "../run/run.js";
import type { NewTrigger, TriggerRecord } from "../trigger/trigger.js";
import { ActiveAttempt, AttemptHandle } from "./attempt.js";
import { Batcher } from "./batcher.js";
import type { Core } from "./core.js";
import { jsonCopy } from "./json.js";
import type { Pipeline } from "./pipeline.js";
import { tellAttemptEnd } from "./tell.js";

const OUTPUT_LIMIT = 100_000;
const NONE: readonly never[] = Object.freeze([]);

/** Carries attempts out on the executor, keeps their leases alive, and records how they ended. */
export class Runner {
  readonly #core: Core;
  readonly #active = new Map<string, ActiveAttempt>();
  readonly #finishes: Batcher<FinishRequest, FinishResult>;
  readonly #onEnd: () => void;
  readonly #onRunEnd: (pipelineId: string) => void;
  #onIdle: (() => void)[] = [];
  /** Attempts under way, and those whose end is being recorded. */
  #open = 0;

  /**
   * @param onEnd - called when an attempt has ended
   * @param onRunEnd - called with the pipeline of a run that has ended for good
   */
  constructor(core: Core, onEnd: () => void, onRunEnd: (pipelineId: string) => void) {
    this.#core = core;
    this.#onEnd = onEnd;
    this.#onRunEnd = onRunEnd;
    this.#finishes = new Batcher(core, (requests) => core.store.finish(requests, core.clock.now()));
  }

  /** Attempts under way here. */
  get size(): number {
    return this.#active.size;
  }

  start(run: RunRecord, trigger: TriggerRecord, pipeline: Pipeline): void {
    const { executor, clock } = this.#core;
    const attempt = new ActiveAttempt(this.#core, run, trigger, pipeline);
    this.#active.set(run.id, attempt);
    this.#open++;
    const handle = new AttemptHandle(this.#core, attempt, trigger, this.#tellLate);
    const work = executor.execute(handle, handle).then(
      (output) => this.#ended(attempt, output, null),
      (error: unknown) => this.#ended(attempt, null, error ?? new Error("the run threw nothing")),
    );
    clock.track?.(work, "run");
  }

  /** Passes on a wish to end a run, if it is under way here. */
  cancel(run: RunRecord): void {
    const attempt = this.#active.get(run.id);
    if (run.cancelRequest !== null) attempt?.cancel(run.cancelRequest as CancelRequest);
  }

  /** Extends the leases of everything under way; what is no longer ours is aborted, what somebody wants ended is cancelled. */
  async heartbeat(now: number): Promise<void> {
    const attempts = [...this.#active.values()];
    if (attempts.length === 0) return;
    const { store, settings } = this.#core;
    const answers = await store.heartbeat(
      attempts.map((attempt) => attempt.takeHeartbeat()),
      now + settings.leaseMs,
      now,
    );
    for (const [index, attempt] of attempts.entries()) {
      const run = answers[index] ?? null;
      if (run === null && this.#active.get(attempt.runId) === attempt) {
        attempt.abort(new HeadgateError("RUN_LOST", "another node has taken the run over: this node was silent for longer than its lease"));
      } else if (run !== null) this.cancel(run);
    }
  }

  abortAll(reason: HeadgateError): void {
    for (const attempt of this.#active.values()) attempt.abort(reason);
  }

  /** Stops trying to record ends in a store that is unavailable: their leases run out, and another node closes them. */
  giveUp(): void {
    this.#finishes.giveUp();
  }

  /** Resolves when nothing is under way and every end is recorded. */
  idle(): Promise<void> {
    return this.#open === 0 ? Promise.resolve() : new Promise((resolve) => this.#onIdle.push(resolve));
  }

  async #ended(attempt: ActiveAttempt, output: unknown, error: unknown): Promise<void> {
    attempt.end();
    if (this.#active.get(attempt.runId) === attempt) this.#active.delete(attempt.runId);
    const { run, pipeline } = attempt;
    const { events } = this.#core;
    if (error instanceof HeadgateError && error.code === "RUN_UNRESPONSIVE") {
      events.tell("run.unresponsive", () => ({ pipelineId: run.pipelineId, runId: run.id, attempt: run.attempt }));
      this.#core.logger.log("error", error.message, { pipelineId: run.pipelineId, runId: run.id });
    }
    try {
      const outcome = attempt.outcomeOf(error);
      const isSuccess = outcome === "succeeded";
      const why = isSuccess ? null : (attempt.abortReason ?? error);
      const request = this.#finishRequest(run, pipeline, outcome, isSuccess ? this.#kept(output, run) : null, why);
      const result = await this.#finishes.add(request);
      if (result.isAccepted) this.#tellEnd(outcome, result);
      else this.#tellLate(run, why);
      const watchers = isSuccess ? this.#core.registry.watchersOf(run.pipelineId) : [];
      if (watchers.length > 0) await this.#core.store.recheck(watchers, this.#core.clock.now());
    } catch (problem) {
      events.report(problem, `recording the end of run ${run.id}`);
    } finally {
      if (--this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
      this.#onEnd();
    }
  }

  /** Closes the attempt of a node that died. */
  async closeLost(run: RunRecord, pipeline: Pipeline): Promise<void> {
    const error = new HeadgateError("RUN_LOST", `node ${run.node} was silent for longer than its lease`, { details: { node: run.node } });
    const request = this.#finishRequest(run, pipeline, "lost", null, error);
    const result = await this.#finishes.add({ ...request, onlyIfExpired: true });
    if (result.isAccepted) this.#tellEnd("lost", result);
  }

  #tellEnd(outcome: AttemptOutcome, result: FinishResult): void {
    tellAttemptEnd(this.#core, outcome, result);
    if (result.run !== null && !isActive(result.run)) this.#onRunEnd(result.run.pipelineId);
  }

  #finishRequest(run: RunRecord, pipeline: Pipeline, outcome: AttemptOutcome, output: unknown, error: unknown): FinishRequest {
    const { clock, random } = this.#core;
    const now = clock.now();
    const delayMs = outcome === "succeeded" ? null : this.#delayOf(pipeline, run, outcome, error, random());
    return {
      runId: run.id,
      token: run.token,
      end: { outcome, output, error: error === null ? null : runErrorOf(error), retryAt: delayMs === null ? null : now + delayMs },
      follow: outcome === "succeeded" ? this.#followers(run, now) : NONE,
      onlyIfExpired: false,
    };
  }

  /** A backoff of one's own may throw; then the plain delay holds. */
  #delayOf(pipeline: Pipeline, run: RunRecord, outcome: AttemptOutcome, error: unknown, random: number): number | null {
    const { execution } = pipeline;
    try {
      return retryDelay(execution, run.attempt, outcome, error, random);
    } catch (problem) {
      this.#core.events.report(problem, `the backoff of pipeline ${pipeline.id}`);
      return retryDelay({ ...execution, backoff: "fixed" }, run.attempt, outcome, error, random);
    }
  }

  /** An output that cannot be kept does not undo the work: the run has succeeded, and the output says what was wrong. */
  #kept(output: unknown, run: RunRecord): unknown {
    try {
      return jsonCopy(output, OUTPUT_LIMIT, `output of run ${run.id}`);
    } catch (problem) {
      this.#core.events.report(problem, `run ${run.id} succeeded, its output was not kept`);
      return { notKept: (problem as Error).message };
    }
  }

  #followers(run: RunRecord, now: number): readonly NewTrigger[] {
    const followers = this.#core.registry.followersOf(run.pipelineId);
    if (followers.length === 0) return NONE;
    return followers.map(({ id, execution }) => ({
      id: this.#core.newId(now),
      pipelineId: id,
      kind: "dependency",
      priority: execution.priority,
      scheduledFor: null,
      key: `run:${run.id}`,
      reason: `${run.pipelineId} succeeded`,
      user: null,
      parameters: null,
      notBefore: null,
      isForced: false,
    }));
  }

  readonly #tellLate = (run: RunRecord, error: unknown): void => {
    const message = error === null ? null : runErrorOf(error).message;
    const { id: runId, pipelineId, attempt } = run;
    this.#core.events.tell("run.late_result", () => ({ pipelineId, runId, attempt, error: message }));
    this.#core.logger.log("warn", "a result came after its attempt was closed, and was refused", { pipelineId, runId, attempt });
  };
}
