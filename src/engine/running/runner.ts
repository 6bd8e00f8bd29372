import { HeadgateError } from "../../base/errors.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { RunScheduler } from "../../pipeline/run-scheduler.js";
import type { Executor, RemoteState } from "../../ports/executor.js";
import type { FinishRequest, FinishResult } from "../../ports/store.js";
import { jsonCopy } from "../../run/json-copy.js";
import { printedOf, runErrorOf } from "../../run/retry.js";
import { type AttemptOutcome, type CancelRequest, isActive, type RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import { Batcher } from "../context/batcher.js";
import type { Core } from "../context/core.js";
import { emitAttemptEnd, ofRun } from "../context/event-payloads.js";
import { FailureReports } from "../context/failure-reports.js";
import { isUnavailable } from "../context/store-health.js";
import { ActiveAttempt, AttemptHandle } from "./attempt.js";
import { endRequest, keptOutput } from "./end-request.js";
import { sendHeartbeats } from "./heartbeats.js";
import { failureOf, watchElsewhere } from "./remote.js";
import { EndRecorder } from "./unrecorded-ends.js";

const PROGRESS_LIMIT = 10_000;

/** Capacity and use of an executor. */
interface Places {
  attempts: number;
  /** Ended, and being recorded. */
  ends: number;
}

type RunnerCore = Pick<
  Core,
  "clock" | "events" | "executors" | "fireQueue" | "logger" | "newId" | "node" | "random" | "redact" | "settings" | "signals" | "store"
>;

/** Runs attempts on the executor, keeps their leases alive, and records how they ended. */
export class Runner {
  readonly #core: RunnerCore;
  readonly #scheduler: RunScheduler;
  readonly #active = new Map<string, ActiveAttempt>();
  readonly #places = new Map<Executor, Places>();
  /** Ends of attempts of this node. */
  readonly ends: EndRecorder;
  /** Ends of other attempts: of nodes that died, and those reported from outside, whose senders repeat them. */
  readonly #closings: Batcher<FinishRequest, FinishResult>;
  readonly #failures: FailureReports;
  #onIdle: (() => void)[] = [];
  #onQuiet: (() => void)[] = [];
  /** Active attempts, those whose end is being recorded, and claims that are being started. */
  #open = 0;
  /** Reason for which every attempt is aborted, including those yet to start. */
  #abortReason: HeadgateError | null = null;

  /** @param scheduler - what functions get of the scheduler */
  constructor(core: RunnerCore, scheduler: RunScheduler) {
    this.#core = core;
    this.#scheduler = scheduler;
    this.ends = new EndRecorder(core);
    this.#closings = new Batcher(core, (requests) => core.store.finish(requests, () => core.clock.now()), { isPatient: false });
    this.#failures = new FailureReports(core);
  }

  /** Active attempts on this node. */
  get size(): number {
    return this.#active.size;
  }

  /** True if an attempt runs here, or its end is being recorded, or a claim is being handed out. */
  get isBusy(): boolean {
    return this.#open > 0;
  }

  /** Returns true if an attempt runs here, or has ended here and is not recorded yet: its lease is extended. */
  holds({ id, token }: Pick<RunRecord, "id" | "token">): boolean {
    return this.#active.get(id)?.run.token === token || this.ends.has(id, { token });
  }

  /** True if there are leases to extend. */
  get hasLeases(): boolean {
    return this.#active.size > 0 || this.ends.size > 0;
  }

  /** Returns how many places of an executor are taken: by attempts, and by ends that are being recorded as far as there are more of these than places. */
  placesOf(executor: Exclude<Executor, { readonly kind: "remote" }>): number {
    const { attempts, ends } = this.#placesOf(executor);
    return attempts + Math.max(0, ends - executor.concurrency);
  }

  /** Waits, when the scheduler stops, for what a claim is about to begin. */
  async handOut(work: () => Promise<void>): Promise<void> {
    this.#open++;
    try {
      await work();
    } finally {
      this.#close();
    }
  }

  #close(): void {
    if (--this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  start(run: RunRecord, trigger: TriggerRecord, pipeline: Pipeline): void {
    const executor = this.#core.executors.of(pipeline);
    const attempt = new ActiveAttempt(this.#core, this.#scheduler, { run, trigger, pipeline });
    if (this.#abortReason !== null) attempt.abort(this.#abortReason);
    this.#active.set(run.id, attempt);
    this.#open++;
    const places = this.#placesOf(executor);
    places.attempts++;
    const handle = new AttemptHandle(this.#core, attempt, this.#emitLate);
    const carriedOut = executor.kind === "local" ? executor.execute(handle, handle) : watchElsewhere(this.#core, executor, attempt, handle);
    const work = carriedOut
      .then(
        (output) => this.#ended(attempt, places, output, null),
        (error: unknown) => this.#ended(attempt, places, null, error ?? new Error("the run rejected without a reason")),
      )
      .finally(() => places.ends--);
    this.#core.clock.track?.(work, "run", `attempt ${run.attempt} of run ${run.id} of pipeline ${run.pipelineId}`);
  }

  #placesOf(executor: Executor): Places {
    const known = this.#places.get(executor);
    if (known !== undefined) return known;
    const places = { attempts: 0, ends: 0 };
    this.#places.set(executor, places);
    return places;
  }

  /** Takes over watching a remote attempt that its node no longer watches. Returns false when another node was quicker. */
  async adopt(run: RunRecord, pipeline: Pipeline): Promise<boolean> {
    const { store, clock, node, settings, events } = this.#core;
    const now = clock.now();
    const trigger = await store.trigger(run.triggerId);
    if (trigger === null) return false;
    const adopted = await store.adopt(run.id, run.token, node, now + settings.leaseMs, now);
    if (adopted === null) return false;
    events.emit("run.adopted", ofRun, adopted);
    this.start(adopted, trigger, pipeline);
    return true;
  }

  /**
   * Accepts the end of an attempt, or its progress, from its remote executor: watched here or on another node.
   *
   * @throws HeadgateError `NOT_FOUND`, `ALREADY_FINISHED` when it is another attempt, or none
   */
  async complete(runId: string, attempt: number, state: Exclude<RemoteState, { status: "lost" }>): Promise<void> {
    const own = this.#active.get(runId);
    if (own !== undefined && own.attempt === attempt && own.reported === null) return own.report(state);
    const { store, clock, fireQueue } = this.#core;
    const isOpen = this.ends.has(runId, { attempt });
    const run = await store.run(runId);
    if (run === null) throw new HeadgateError("NOT_FOUND", `no such run: ${runId} (it may have been pruned)`, { details: { runId } });
    const pipeline = fireQueue.get(run.pipelineId)?.pipeline;
    if (own !== undefined || isOpen || run.status !== "running" || run.attempt !== attempt || pipeline === undefined)
      throw new HeadgateError("ALREADY_FINISHED", `attempt ${attempt} of run ${runId} has ended`, { details: { runId, attempt } });
    if (state.status === "running") {
      const progress = jsonCopy(state.progress, PROGRESS_LIMIT, `progress of run ${runId}`, this.#core.redact);
      await store.heartbeat([{ runId, token: run.token, progress }], run.leaseUntil, clock.now());
      return;
    }
    const isSuccess = state.status === "succeeded";
    const output = isSuccess ? keptOutput(this.#core, state.output, run) : null;
    const error = isSuccess ? null : failureOf(state);
    const result = await this.#closings.add(endRequest(this.#core, run, pipeline, { outcome: state.status, output, error }));
    if (!result.isAccepted)
      throw new HeadgateError("ALREADY_FINISHED", `attempt ${attempt} of run ${runId} has ended`, { details: { runId, attempt } });
    this.#emitEnd(state.status, result);
    this.#core.signals.wake.emit();
  }

  /** Detaches from remote runs: they continue there, and the next node to start watches them. */
  async detach(): Promise<void> {
    const { store, clock } = this.#core;
    const elsewhere = [...this.#active.values()].filter(({ pipeline }) => this.#core.executors.of(pipeline).kind === "remote");
    if (elsewhere.length === 0) return;
    for (const attempt of elsewhere) {
      attempt.isDetached = true;
      attempt.abort(new HeadgateError("RUN_LOST", "the scheduler stopped; the run continues elsewhere"));
    }
    const now = clock.now();
    try {
      await store.heartbeat(
        elsewhere.map((attempt) => attempt.takeHeartbeat()),
        now,
        now,
      );
    } catch (error) {
      this.#core.events.report(error, "releasing remote runs"); // their leases run out
    }
  }

  /** Passes on a request to cancel a run, if it is active here. */
  cancel(run: RunRecord): void {
    const attempt = this.#active.get(run.id);
    if (run.cancelRequest !== null) attempt?.cancel(run.cancelRequest as CancelRequest);
  }

  /** Extends the leases of all active attempts, and of those that ended and are not recorded yet; those of other nodes are aborted, those with a cancel request are cancelled. */
  async heartbeat(): Promise<void> {
    const attempts = [...this.#active.values()];
    const own = attempts.map((attempt) => attempt.takeHeartbeat());
    const requests = [...own, ...this.ends.heartbeats()];
    if (requests.length === 0) return;
    let answers: Awaited<ReturnType<typeof sendHeartbeats>>;
    try {
      answers = await sendHeartbeats(this.#core, requests, this.#failures);
    } catch (error) {
      for (const [index, attempt] of attempts.entries()) attempt.putBack(own[index]);
      throw error;
    }
    for (const [index, attempt] of attempts.entries()) {
      const run = answers[index];
      if (run === undefined) continue;
      if (run === null && this.#active.get(attempt.runId) === attempt) {
        attempt.isDetached = this.#core.executors.of(attempt.pipeline).kind === "remote"; // another node has it, or received its end
        attempt.abort(new HeadgateError("RUN_LOST", "another node has taken over the run: this node did not extend its lease in time"));
      } else if (run !== null) this.cancel(run);
    }
  }

  abortAll(reason: HeadgateError): void {
    this.#abortReason = reason;
    for (const attempt of this.#active.values()) attempt.abort(reason);
  }

  /**
   * Resolves when nothing runs and every end is recorded; ends that the store does not take within a time after the last attempt has ended are given up: their leases run out, and another node
   * closes them.
   */
  async idle(recordingMs: number): Promise<void> {
    if (this.#active.size > 0) await new Promise<void>((resolve) => this.#onQuiet.push(resolve));
    this.ends.hurry();
    const stopTimer = this.#core.clock.setTimer(recordingMs, () => this.ends.giveUp());
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    stopTimer();
  }

  /** Waits for the store no more: what it has not taken is logged. */
  giveUp(): void {
    this.ends.giveUp();
  }

  async #ended(attempt: ActiveAttempt, places: Places, output: unknown, error: unknown): Promise<void> {
    attempt.end();
    places.attempts--;
    places.ends++;
    const { run, pipeline } = attempt;
    const { events, logger, fireQueue, store, clock } = this.#core;
    const isOver = attempt.isDetached;
    if (error instanceof HeadgateError && error.code === "RUN_UNRESPONSIVE" && !isOver) {
      events.emit("run.unresponsive", () => ({ pipelineId: run.pipelineId, runId: run.id, attempt: run.attempt }));
      logger.log("error", error.message, { pipelineId: run.pipelineId, runId: run.id });
    }
    try {
      const outcome = attempt.outcomeOf(error);
      const isSuccess = outcome === "succeeded";
      const why = isSuccess ? null : (attempt.abortReason ?? error);
      const kept = isSuccess && !isOver ? keptOutput(this.#core, output, run) : null;
      const printed = isSuccess ? null : printedOf(error, output);
      const ended = { outcome, output: kept, error: why, printed, progress: attempt.unsentProgress };
      const request = { ...endRequest(this.#core, run, pipeline, ended), ...this.#knownOf(attempt) };
      const recording = isOver ? null : this.ends.record(run, request);
      this.#leave(attempt);
      if (!isOver) this.#core.signals.placeFreed.emit();
      const found = await recording;
      if (found === null) return;
      const result = withParameters(found, attempt.triggerRecord);
      if (result.isAccepted) this.#emitEnd(outcome, result);
      else this.#emitLate(run, why, outcome);
      const watchers = isSuccess ? fireQueue.watchersOf(run.pipelineId) : [];
      if (watchers.length > 0) await store.recheck(watchers, clock.now());
    } catch (problem) {
      if (!isUnavailable(problem)) events.report(problem, `following up on the end of run ${run.id}`);
    } finally {
      this.#leave(attempt);
      this.#close();
      if (!isOver) this.#core.signals.wake.emit();
    }
  }

  /** Returns the records that the store need not read again. Remote runs are also announced to other nodes. */
  #knownOf(attempt: ActiveAttempt): Pick<FinishRequest, "known"> {
    const isOwn = this.#core.executors.of(attempt.pipeline).kind === "local" && !attempt.hasTold;
    return isOwn ? { known: { run: attempt.run, trigger: attempt.triggerRecord } } : {};
  }

  /** The attempt runs no more; its end is being recorded. */
  #leave(attempt: ActiveAttempt): void {
    if (this.#active.get(attempt.runId) !== attempt) return;
    this.#active.delete(attempt.runId);
    if (this.#active.size === 0) for (const resolve of this.#onQuiet.splice(0)) resolve();
  }

  /**
   * Closes the attempt of a node that died.
   *
   * @throws the store's error; it is tried again with the next round
   */
  async closeLost(run: RunRecord, pipeline: Pipeline): Promise<void> {
    const error = new HeadgateError("RUN_LOST", `node ${run.node} did not extend its lease in time`, { details: { node: run.node } });
    const request = endRequest(this.#core, run, pipeline, { outcome: "lost", output: null, error });
    const result = await this.#closings.add({ ...request, onlyIfExpired: true });
    if (result.isAccepted) this.#emitEnd("lost", result);
  }

  #emitEnd(outcome: AttemptOutcome, result: FinishResult): void {
    emitAttemptEnd(this.#core, outcome, result);
    if (result.run !== null && !isActive(result.run)) this.#core.signals.runEnded.emit(result.run.pipelineId);
  }

  readonly #emitLate = (run: RunRecord, error: unknown, outcome: AttemptOutcome = error === null ? "succeeded" : "failed"): void => {
    const message = error === null ? null : this.#core.redact(runErrorOf(error).message, "end");
    const { id: runId, pipelineId, attempt } = run;
    this.#core.events.emit("run.late_result", () => ({ pipelineId, runId, attempt, outcome, error: message }));
    const what = outcome === "succeeded" ? "a success" : "a result";
    this.#core.logger.log("warn", `${what} arrived after its attempt was closed, and was rejected`, {
      pipelineId,
      runId,
      attempt,
      outcome,
    });
  };
}

/** A result whose trigger has its parameters, which a store does not read again to record an end. */
function withParameters(result: FinishResult, { parameters, omitted: isUnknown }: TriggerRecord): FinishResult {
  if (result.trigger?.omitted === undefined || isUnknown !== undefined) return result;
  const { omitted: _, ...rest } = result.trigger;
  return { ...result, trigger: { ...rest, parameters } };
}
