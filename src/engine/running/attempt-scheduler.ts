import type { PipelineRef } from "../../pipeline/pipeline-ref.js";
import type { RunOptions, TriggerOptions, WaitOptions } from "../../pipeline/request-options.js";
import type { RunScheduler } from "../../pipeline/run-scheduler.js";
import type { Trigger } from "../../trigger/view.js";
import type { Core } from "../context/core.js";

/** Longer than any run. */
const FOREVER_MS = 50 * 365 * 86_400_000;

/** A scheduler without the types of its overloads. */
interface Untyped {
  trigger(pipeline: string | PipelineRef, options?: TriggerOptions): Promise<Trigger>;
  run(pipeline: string | PipelineRef, options: RunOptions): Promise<unknown>;
  waitFor(trigger: string | Trigger, options: WaitOptions): Promise<unknown>;
}

/** Returns the scheduler as the function of a run sees it: its waiting ends when the run is aborted. The functions may be taken out of it by destructuring. */
export function schedulerFor(scheduler: RunScheduler, { clock }: Pick<Core, "clock">, run: { readonly signal: AbortSignal }): RunScheduler {
  const untyped = scheduler as Untyped;
  const waiting = async <T>(options: WaitOptions, wait: (options: WaitOptions) => Promise<T>): Promise<T> => {
    const signals = options?.signal === undefined ? [run.signal] : [run.signal, options.signal];
    const over = new AbortController();
    // a clock that is moved by hand moves on while runs sleep: one that waits for another must not hold it up
    if (clock.isSimulated) clock.sleep(FOREVER_MS, over.signal).catch(() => {});
    try {
      return await wait({ ...options, signal: AbortSignal.any(signals) });
    } finally {
      over.abort();
    }
  };
  const bound = {
    trigger: (pipeline: string | PipelineRef, options?: TriggerOptions) => untyped.trigger(pipeline, options),
    run: (pipeline: string | PipelineRef, options: RunOptions = {}) => waiting(options, (own) => untyped.run(pipeline, own)),
    waitFor: (trigger: string | Trigger, options: WaitOptions = {}) => waiting(options, (own) => untyped.waitFor(trigger, own)),
    cancel: (...args: Parameters<RunScheduler["cancel"]>) => scheduler.cancel(...args),
    getTrigger: (id: string) => scheduler.getTrigger(id),
    getRun: (id: string) => scheduler.getRun(id),
  };
  return bound as unknown as RunScheduler;
}
