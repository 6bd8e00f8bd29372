import { HeadgateError } from "../base/errors.js";
import type { Executor, RemoteState } from "../ports/executor.js";
import type { FinishRequest, FinishResult } from "../ports/store.js";
import { retryDelay, runErrorOf } from "../run/retry.js";
import { type AttemptOutcome, type CancelRequest, isActive, type RunRecord } from "../run/run.js";
import type { NewTrigger, TriggerRecord } from "../trigger/trigger.js";
import { ActiveAttempt, AttemptHandle } from "./attempt.js";
import { Batcher } from "./batcher.js";
import { type Core, executorOf } from "./core.js";
import { jsonCopy } from "./json.js";
import type { Pipeline } from "./pipeline.js";
import { failureOf, watchElsewhere } from "./remote.js";
import { ofRun, tellAttemptEnd } from "./tell.js";

const OUTPUT_LIMIT = 100_000;
const PROGRESS_LIMIT = 10_000;
const NONE: readonly never[] = Object.freeze([]);

/** Carries attempts out on the executor, keeps their leases alive, and records how they ended. */
export class Runner {
  readonly #core: Core;
  readonly #active = new Map<string, ActiveAttempt>();
  readonly #byExecutor = new Map<Executor, number>();
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

  /** How many attempts an executor has here. */
  sizeOf(executor: Executor): number {
    return this.#byExecutor.get(executor) ?? 0;
  }

  start(run: RunRecord, trigger: TriggerRecord, pipeline: Pipeline): void {
    const executor = executorOf(this.#core, pipeline);
    const attempt = new ActiveAttempt(this.#core, run, trigger, pipeline);
    this.#active.set(run.id, attempt);
    this.#open++;
    this.#count(executor, 1);
    const handle = new AttemptHandle(this.#core, attempt, trigger, this.#tellLate);
    const carriedOut = executor.kind === "local" ? executor.execute(handle, handle) : watchElsewhere(this.#core, executor, attempt, handle);
    const work = carriedOut
      .then(
        (output) => this.#ended(attempt, output, null),
        (error: unknown) => this.#ended(attempt, null, error ?? new Error("the run threw nothing")),
      )
      .finally(() => this.#count(executor, -1));
    this.#core.clock.track?.(work, "run", `attempt ${run.attempt} of run ${run.id} of pipeline ${run.pipelineId}`);
  }

  #count(executor: Executor, by: number): void {
    this.#byExecutor.set(executor, this.sizeOf(executor) + by);
  }

  /** Goes on watching an attempt that is carried out elsewhere, and that its node watches no more. Gives false when another node was quicker. */
  async adopt(run: RunRecord, pipeline: Pipeline): Promise<boolean> {
    const { store, clock, node, settings, events } = this.#core;
    const now = clock.now();
    const trigger = await store.trigger(run.triggerId);
    if (trigger === null) return false;
    const adopted = await store.adopt(run.id, run.token, node, now + settings.leaseMs, now);
    if (adopted === null) return false;
    events.tell("run.adopted", ofRun, adopted);
    this.start(adopted, trigger, pipeline);
    return true;
  }

  /**
   * Takes the end of an attempt, or its progress, from whoever carries it out: watched here or on another node.
   *
   * @throws HeadgateError `NOT_FOUND`, `ALREADY_FINISHED` when it is another attempt, or none
   */
  async complete(runId: string, attempt: number, state: Exclude<RemoteState, { status: "lost" }>): Promise<void> {
    const own = this.#active.get(runId);
    if (own !== undefined && own.attempt === attempt && own.told === null) return own.tell(state);
    const { store, clock, registry } = this.#core;
    const run = await store.run(runId);
    if (run === null) throw new HeadgateError("NOT_FOUND", `there is no run ${runId}, or no longer`, { details: { runId } });
    const pipeline = registry.get(run.pipelineId)?.pipeline;
    if (own !== undefined || run.status !== "running" || run.attempt !== attempt || pipeline === undefined)
      throw new HeadgateError("ALREADY_FINISHED", `attempt ${attempt} of run ${runId} has ended`, { details: { runId, attempt } });
    if (state.status === "running") {
      const progress = jsonCopy(state.progress, PROGRESS_LIMIT, `progress of run ${runId}`, this.#core.redact);
      await store.heartbeat([{ runId, token: run.token, progress }], run.leaseUntil, clock.now());
      return;
    }
    const isSuccess = state.status === "succeeded";
    const output = isSuccess ? this.#kept(state.output, run) : null;
    const request = this.#finishRequest(run, pipeline, state.status, output, isSuccess ? null : failureOf(state));
    const result = await this.#finishes.add(request);
    if (!result.isAccepted)
      throw new HeadgateError("ALREADY_FINISHED", `attempt ${attempt} of run ${runId} has ended`, { details: { runId, attempt } });
    this.#tellEnd(state.status, result);
    this.#onEnd();
  }

  /** Lets go of what is carried out elsewhere: it goes on there, and whoever starts next watches it. */
  async detach(): Promise<void> {
    const { store, clock } = this.#core;
    const elsewhere = [...this.#active.values()].filter(({ pipeline }) => executorOf(this.#core, pipeline).kind === "remote");
    if (elsewhere.length === 0) return;
    for (const attempt of elsewhere) {
      attempt.isDetached = true;
      attempt.abort(new HeadgateError("RUN_LOST", "the scheduler stopped; the run goes on elsewhere"));
    }
    const now = clock.now();
    try {
      await store.heartbeat(
        elsewhere.map((attempt) => attempt.takeHeartbeat()),
        now,
        now,
      );
    } catch (error) {
      this.#core.events.report(error, "letting go of runs that are carried out elsewhere"); // their leases run out
    }
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
        attempt.isDetached = executorOf(this.#core, attempt.pipeline).kind === "remote"; // another node has it, or was told of its end
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
    if (attempt.isDetached) {
      if (--this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
      return;
    }
    if (error instanceof HeadgateError && error.code === "RUN_UNRESPONSIVE") {
      events.tell("run.unresponsive", () => ({ pipelineId: run.pipelineId, runId: run.id, attempt: run.attempt }));
      this.#core.logger.log("error", error.message, { pipelineId: run.pipelineId, runId: run.id });
    }
    try {
      const outcome = attempt.outcomeOf(error);
      const isSuccess = outcome === "succeeded";
      const why = isSuccess ? null : (attempt.abortReason ?? error);
      const request = this.#finishRequest(run, pipeline, outcome, isSuccess ? this.#kept(output, run) : null, why, attempt.unsentProgress);
      const result = withParameters(await this.#finishes.add(request), attempt.triggerRecord);
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

  #finishRequest(
    run: RunRecord,
    pipeline: Pipeline,
    outcome: AttemptOutcome,
    output: unknown,
    error: unknown,
    progress?: unknown,
  ): FinishRequest {
    const { clock, random, redact } = this.#core;
    const now = clock.now();
    const wantedMs = outcome === "succeeded" ? null : this.#delayOf(pipeline, run, outcome, error, random(run.pipelineId, run.id));
    const { totalTimeoutMs } = pipeline.execution;
    const isTooLate = wantedMs !== null && totalTimeoutMs !== null && now + wantedMs >= run.startedAt + totalTimeoutMs;
    const delayMs = isTooLate ? null : wantedMs;
    const kept = error === null ? null : runErrorOf(error);
    return {
      runId: run.id,
      token: run.token,
      end: {
        outcome,
        output,
        error: kept === null ? null : { ...kept, message: redact(kept.message, "end") },
        retryAt: delayMs === null ? null : now + delayMs,
        ...(progress === undefined ? {} : { progress }),
      },
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
      return jsonCopy(output, OUTPUT_LIMIT, `output of run ${run.id}`, this.#core.redact);
    } catch (problem) {
      this.#core.events.report(problem, `run ${run.id} succeeded, its output was not kept`);
      return { notKept: this.#core.redact((problem as Error).message) };
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
      requestedBy: null,
      parameters: null,
      size: 0,
      notBefore: null,
      isForced: false,
    }));
  }

  readonly #tellLate = (run: RunRecord, error: unknown): void => {
    const message = error === null ? null : this.#core.redact(runErrorOf(error).message, "end");
    const { id: runId, pipelineId, attempt } = run;
    this.#core.events.tell("run.late_result", () => ({ pipelineId, runId, attempt, error: message }));
    this.#core.logger.log("warn", "a result came after its attempt was closed, and was refused", { pipelineId, runId, attempt });
  };
}

/** A result whose trigger has its parameters, which a store does not read again to record an end. */
function withParameters(result: FinishResult, { parameters, omitted: isUnknown }: TriggerRecord): FinishResult {
  if (result.trigger?.omitted === undefined || isUnknown !== undefined) return result;
  const { omitted: _, ...rest } = result.trigger;
  return { ...result, trigger: { ...rest, parameters } };
}
