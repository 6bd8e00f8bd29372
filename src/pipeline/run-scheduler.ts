import type { Run } from "../run/view.js";
import type { Trigger } from "../trigger/view.js";
import type { IdOf, OutputOf, ParametersOf, PipelineRef } from "./pipeline-ref.js";
import type { ActionContext, RunArguments, TriggerArguments, WaitOptions } from "./request-options.js";
import type { RunOutcome } from "./run-outcome.js";

/** The part of a scheduler that starts runs, waits for them and ends them: all of it is in the context of a run, too. */
export interface RunScheduler<P extends PipelineRef = PipelineRef> {
  /**
   * Requests a run of a pipeline. Resolves when the trigger is accepted.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_PARAMETERS`, `PAUSED` (immediate, not forced), `IDEMPOTENCY_CONFLICT` (the key
   *   was used for something else), `SCHEDULER_STOPPED`
   * @example
   * await scheduler.trigger(dailySales, { parameters: { full: true }, reason: "prices corrected", user: "ana", idempotencyKey: "fix-4711" });
   */
  trigger<Parameters, Output>(
    pipeline: PipelineRef<string, Parameters, Output>,
    ...options: TriggerArguments<NoInfer<Parameters>>
  ): Promise<Trigger<Output>>;
  /** The same by the pipeline's id: what the types know of it is checked. */
  trigger<Id extends IdOf<P>>(pipelineId: Id, ...options: TriggerArguments<ParametersOf<P, Id>>): Promise<Trigger<OutputOf<P, Id>>>;

  /**
   * Requests a run and waits for its end: {@link RunScheduler.trigger}, then {@link RunScheduler.waitFor}.
   *
   * @throws HeadgateError as both
   * @example
   * const outcome = await scheduler.run(dailySales, { user: "ana", signal: AbortSignal.timeout(60_000) });
   * if (outcome.status === "succeeded") console.log(outcome.output);
   */
  run<Parameters, Output>(
    pipeline: PipelineRef<string, Parameters, Output>,
    ...options: RunArguments<NoInfer<Parameters>>
  ): Promise<RunOutcome<Output>>;
  /** The same by the pipeline's id: what the types know of it is checked. */
  run<Id extends IdOf<P>>(pipelineId: Id, ...options: RunArguments<ParametersOf<P, Id>>): Promise<RunOutcome<OutputOf<P, Id>>>;

  /**
   * Waits for the end of a trigger, whatever node runs it, and resolves with how it ended: failures are outcomes, too. It waits as long as the trigger does: through pauses, holds and retries.
   *
   * @param trigger - the trigger, or its id
   * @throws HeadgateError `NOT_FOUND` when there is no such trigger, or no longer, `SCHEDULER_STOPPED` when the scheduler stops first; the signal's reason when that aborts
   */
  waitFor<Output = unknown>(trigger: Trigger<Output> | string, options?: WaitOptions): Promise<RunOutcome<Output>>;

  /**
   * Ends a waiting trigger, or requests the end of a run (its function's signal aborts).
   *
   * @param id - of a trigger or a run
   * @throws HeadgateError `NOT_FOUND`, `ALREADY_FINISHED`
   */
  cancel(id: string, act?: ActionContext): Promise<{ trigger: Trigger | null; run: Run | null }>;

  /** Returns one trigger; `null` when there is none, or no longer. */
  getTrigger(id: string): Promise<Trigger | null>;

  /** Returns one run; `null` when there is none, or no longer. */
  getRun(id: string): Promise<Run | null>;
}
