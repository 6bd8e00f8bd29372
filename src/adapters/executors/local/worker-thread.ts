import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { type ResourceLimits, Worker } from "node:worker_threads";
import PQueue from "p-queue";
import { HeadgateError, NonRetryableError } from "../../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../../../base/options.js";
import type { LocalExecutor, RunControl, RunRequest } from "../../../ports/executor.js";
import { triggerView } from "../../../trigger/view.js";

/** Argument of a function in a thread. */
export interface ThreadContext<P = unknown> {
  readonly pipelineId: string;
  readonly runId: string;
  readonly attempt: number;
  readonly parameters: P;
  readonly scheduledFor: Date | null;
  /** The span of time that it is for; `null` when nothing was scheduled. */
  readonly interval: { readonly start: Date; readonly end: Date } | null;
  /** Aborts on timeout, cancellation and shutdown. A function that never looks at it is ended with its thread when the grace has passed. */
  readonly signal: AbortSignal;
  heartbeat(progress?: unknown): void;
}

/** Options of {@link workerThreadExecutor}. */
export interface WorkerThreadOptions {
  /** A JavaScript module. It exports a function by the name of each pipeline, or one as `default` for all; each gets a {@link ThreadContext}. */
  module: string | URL;
  /** Threads, made when they are needed and kept. Default: one less than there are processors, at least 1. */
  concurrency?: number;
  /** Limits of each thread, as `node:worker_threads` has them. Default: Node's. */
  resourceLimits?: ResourceLimits;
}

/** Runs in the thread: one run at a time. */
const SOURCE = `
const { parentPort, workerData } = require("node:worker_threads");
let controller = null;
parentPort.on("message", async (message) => {
  if (message.abort !== undefined) return controller?.abort(Object.assign(new Error(message.abort.message), { code: message.abort.code }));
  controller = new AbortController();
  const { signal } = controller;
  const { run } = message;
  try {
    const exports = await import(workerData.module);
    const work = Object.hasOwn(exports, run.pipelineId) ? exports[run.pipelineId] : (exports.default?.[run.pipelineId] ?? exports.default);
    if (typeof work !== "function") throw Object.assign(new Error("the module exports neither a function " + JSON.stringify(run.pipelineId) + " nor a default function"), { name: "NonRetryableError" });
    const heartbeat = (progress) => parentPort.postMessage({ progress });
    parentPort.postMessage({ output: await work({ ...run, signal, heartbeat }) });
  } catch (error) {
    parentPort.postMessage({ error: shapeOf(error, 1) });
  }
});
function shapeOf(error, depth) {
  if (!(error instanceof Error)) return { message: String(error), name: "Error" };
  const cause = error.cause ?? error.errors?.[0];
  return {
    message: error.message || error.name,
    name: error.name,
    code: typeof error.code === "string" ? error.code : undefined,
    stack: typeof error.stack === "string" ? error.stack.slice(0, 20000) : undefined,
    cause: cause === undefined || depth === 5 ? undefined : shapeOf(cause, depth + 1),
  };
}
`;

type Answer = { readonly progress: unknown } | { readonly output: unknown } | { readonly error: ThrownShape };

/** An error that was thrown in a thread: of an error that is copied, only message and stack would be left. */
interface ThrownShape {
  readonly message: string;
  readonly name: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ThrownShape;
}

/**
 * Executes runs in threads, so that work that takes the processor holds up neither fire times nor other runs.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 * @example
 * pipeline({ id: "render", executor: workerThreadExecutor({ module: new URL("./render.js", import.meta.url) }) });
 */
export function workerThreadExecutor(options: WorkerThreadOptions): LocalExecutor {
  checkOptions(options, { module: true, concurrency: true, resourceLimits: true }, "workerThreadExecutor");
  const { concurrency = Math.max(1, availableParallelism() - 1), resourceLimits } = options;
  if (!(options.module instanceof URL) && (typeof options.module !== "string" || options.module === ""))
    throw bad("module: must be a path or a URL");
  checkInteger(concurrency, { least: 1 }, "concurrency", invalidArgument("workerThreadExecutor"));
  const module =
    options.module instanceof URL
      ? options.module.href
      : /^file:/.test(options.module)
        ? options.module
        : pathToFileURL(options.module).href;
  const queue = new PQueue({ concurrency });
  /** Threads without a run, each with the control of the run that it had last. */
  const idle = new Map<Worker, RunControl>();
  const made = () => {
    const worker = new Worker(SOURCE, { eval: true, workerData: { module }, ...(resourceLimits === undefined ? {} : { resourceLimits }) });
    worker.on("error", (error) => {
      const last = idle.get(worker); // what a run has left behind may break its thread later
      idle.delete(worker);
      last?.onLateEnd(error);
    });
    worker.on("exit", () => idle.delete(worker));
    return worker;
  };
  const take = () => {
    const [worker = made()] = idle.keys();
    idle.delete(worker);
    worker.ref();
    return worker;
  };
  const giveBack = (worker: Worker, control: RunControl) => {
    worker.unref();
    idle.set(worker, control);
  };
  return {
    kind: "local",
    concurrency,
    execute: (run, control) => queue.add(() => carriedOut(run, control, take, giveBack)),
    close: async () => {
      const workers = [...idle.keys()];
      idle.clear();
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

async function carriedOut(
  run: RunRequest,
  control: RunControl,
  take: () => Worker,
  giveBack: (worker: Worker, control: RunControl) => void,
): Promise<unknown> {
  const { runId, pipelineId, attempt, trigger } = run;
  const view = triggerView(trigger);
  const message = {
    run: { runId, pipelineId, attempt, scheduledFor: view.scheduledFor, interval: view.interval, parameters: await run.parameters() },
  };
  control.signal.throwIfAborted();
  const worker = take();
  return new Promise((resolve, reject) => {
    let stopTimer: (() => void) | null = null;
    let isOver = false;
    const end = (isReusable: boolean, settle: () => void) => {
      if (isOver) return;
      isOver = true;
      stopTimer?.();
      for (const [name, listener] of listeners) worker.off(name, listener);
      if (isReusable) giveBack(worker, control);
      settle();
    };
    const progressed = (progress: unknown) => {
      try {
        control.heartbeat(progress);
      } catch (error) {
        end(false, () => void worker.terminate().finally(() => reject(error))); // it is too large: thrown into the function, where that is in this process
      }
    };
    const listeners: readonly (readonly [string, (value: unknown) => void])[] = [
      [
        "message",
        (value) => {
          const answer = value as Answer;
          if ("progress" in answer) progressed(answer.progress);
          else if ("output" in answer) end(true, () => resolve(answer.output));
          else end(true, () => reject(errorOf(answer.error)));
        },
      ],
      ["messageerror", (error) => end(true, () => reject(error))],
      ["error", (error) => end(false, () => reject(error))],
      ["exit", (code) => end(false, () => reject(new HeadgateError("RUN_LOST", `its thread exited with ${code}`)))],
    ];
    for (const [name, listener] of listeners) worker.on(name, listener);
    control.onAbort(() => {
      if (isOver) return;
      const { code, message: text } = control.signal.reason as HeadgateError;
      worker.postMessage({ abort: { code, message: text } });
      stopTimer = control.clock.setTimer(control.graceMs, () => {
        const ending = worker.terminate();
        end(false, () => void ending.finally(() => reject(control.signal.reason)));
      });
    });
    try {
      worker.postMessage(message);
    } catch (cause) {
      end(true, () => reject(cause));
    }
  });
}

function errorOf({ message, name, code, stack, cause }: ThrownShape): Error {
  const options = cause === undefined ? undefined : { cause: errorOf(cause) };
  const place = { stack: stack ?? `${name}: ${message}` };
  if (name === "NonRetryableError") return Object.assign(new NonRetryableError(message, options), place);
  const error = Object.assign(new Error(message, options), place, { name });
  return code === undefined ? error : Object.assign(error, { code });
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `workerThreadExecutor: ${problem}`);
}
