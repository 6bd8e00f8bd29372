import type { TriggerRecord } from "../trigger/trigger.js";
import type { Clock } from "./clock.js";

/** One attempt of a run, as an executor gets it. */
export interface RunRequest {
  readonly runId: string;
  readonly pipelineId: string;
  readonly attempt: number;
  readonly trigger: TriggerRecord;
  /** Calls the pipeline's own function with its typed context. */
  call(): Promise<unknown>;
}

/** What an executor is handed with a run. */
export interface RunControl {
  /** Aborts on timeout, cancellation and shutdown; its reason is a `HeadgateError` with the matching code. */
  readonly signal: AbortSignal;
  /** Calls `listener` once when the signal aborts, at once if it has; cheaper than the signal, which is made when it is looked at. */
  onAbort(listener: () => void): void;
  readonly clock: Clock;
  /** How long a run may go on after the signal before the executor gives it up, ms. */
  readonly graceMs: number;
  /** Reports what a run that was given up did in the end. */
  onLateEnd(error: unknown): void;
}

/**
 * The port that carries a run out in this process.
 */
export interface LocalExecutor {
  readonly kind: "local";
  /** The most runs at once; the engine claims no more than it has room for. */
  readonly concurrency: number;
  /**
   * Carries out one attempt and gives its output, or throws. Settles at most `graceMs` after the signal aborts, with
   * `RUN_UNRESPONSIVE` if the run itself has not ended by then.
   */
  execute(run: RunRequest, control: RunControl): Promise<unknown>;
}

/** Executors for work done elsewhere will join this union. */
export type Executor = LocalExecutor;
