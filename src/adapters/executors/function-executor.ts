import type PQueue from "p-queue";
import { formatDuration } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import type { LocalExecutor, RunControl, RunRequest } from "../../ports/executor.js";

/** Options of {@link functionExecutor}. */
export interface FunctionExecutorOptions {
  /** Runs at once in this process, 1 to 100,000. Default 100. */
  concurrency?: number;
}

/**
 * The default executor: calls the pipeline's own function in this process. A run that goes on after its signal has aborted and its
 * grace has passed is given up: its slot is free again, and what it does in the end is reported.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a concurrency out of range
 * @example
 * createScheduler({ pipelines, executor: functionExecutor({ concurrency: 8 }) });
 */
export function functionExecutor(options: FunctionExecutorOptions = {}): LocalExecutor {
  checkOptions(options, { concurrency: true }, "functionExecutor");
  const concurrency = options.concurrency ?? 100;
  checkInteger(concurrency, { least: 1, most: 100_000 }, "concurrency", invalidArgument("functionExecutor"));
  let queue: PQueue | null = null;
  /** Loaded with the first run: it takes a tenth of the core's import. */
  const opening = async (): Promise<PQueue> => {
    const { default: Queue } = await import("p-queue");
    queue ??= new Queue({ concurrency });
    return queue;
  };
  return {
    kind: "local",
    concurrency,
    execute: async (run, control) => {
      if (queue === null) {
        const opened = opening();
        control.clock.track?.(opened, "work"); // no part of the run: a clock that is moved by hand waits for it however long it takes
        await opened;
      }
      return (queue as PQueue | null)?.add(() => supervise(run, control));
    },
  };
}

/** The run's own end, or `RUN_UNRESPONSIVE` when it has not come a grace after the signal. */
function supervise(run: RunRequest, control: RunControl): Promise<unknown> {
  const { clock, graceMs } = control;
  return new Promise((resolve, reject) => {
    let isOver = false;
    let stopTimer: (() => void) | null = null;
    control.onAbort(() => {
      if (isOver) return;
      stopTimer = clock.setTimer(graceMs, () => {
        isOver = true;
        const problem = `run ${run.runId} of ${run.pipelineId} ignored its signal for ${formatDuration(graceMs)} and was abandoned; it may still be running`;
        reject(new HeadgateError("RUN_UNRESPONSIVE", problem, { details: { runId: run.runId }, cause: control.signal.reason }));
      });
    });
    const settle = (end: () => void, error: unknown) => {
      if (isOver) return control.onLateEnd(error);
      isOver = true;
      stopTimer?.();
      end();
    };
    run.call().then(
      (output) => settle(() => resolve(output), null),
      (error: unknown) => settle(() => reject(error), error),
    );
  });
}
