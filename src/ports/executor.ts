import type { ErrorFacts } from "../base/error-facts.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import type { Clock } from "./clock.js";

/** One attempt of a run, as an executor gets it. */
export interface RunRequest {
  readonly runId: string;
  readonly pipelineId: string;
  readonly attempt: number;
  readonly trigger: TriggerRecord;
  /** The trigger's parameters, as the pipeline's schema makes them. @throws HeadgateError `NON_RETRYABLE` when it refuses them */
  parameters(): Promise<unknown>;
  /** Calls the pipeline's own function with its typed context. */
  call(): Promise<unknown>;
}

/** Controls of a run for its executor. */
export interface RunControl {
  /** Aborts on timeout, cancellation and shutdown; its reason is a `HeadgateError` with the matching code. */
  readonly signal: AbortSignal;
  /** Calls `listener` once when the signal aborts, at once if it has; cheaper than the signal, which is made when it is looked at. */
  onAbort(listener: () => void): void;
  readonly clock: Clock;
  /** Time a run may go on after the signal before the executor gives it up, ms. */
  readonly graceMs: number;
  /** Keeps progress, or a part of the result, for those who ask and for the next attempt; at most 10 kB of JSON. */
  heartbeat(progress?: unknown): void;
  /** Reports what a run that was given up did in the end. */
  onLateEnd(error: unknown): void;
  /** Takes secrets out of a text, before it is cut short; of one that is cut, also the part of a secret that is left at that end. */
  redact(text: string, cut?: "start" | "end"): string;
}

/**
 * The port that executes a run in this process.
 */
export interface LocalExecutor {
  readonly kind: "local";
  /** Values that it holds and that must not be kept or shown: the engine hides them, if they are long enough not to be usual words. */
  readonly secrets?: readonly string[];
  /** The most runs at once; the engine claims no more than it has room for. */
  readonly concurrency: number;
  /**
   * Executes one attempt and returns its output, or throws. Settles at most `graceMs` after the signal aborts, with
   * `RUN_UNRESPONSIVE` if the run itself has not ended by then. A `HeadgateError` with the code `RUN_LOST` says that what ran it is gone: the
   * attempt is closed as lost, and tried again whatever the pipeline's `retryOn` says.
   */
  execute(run: RunRequest, control: RunControl): Promise<unknown>;
  /** Releases what it holds, when the scheduler stops. */
  close?(): Promise<void>;
}

/** An attempt to be executed remotely. */
export interface RemoteRun {
  /** Of run and attempt: what is submitted twice under it must start once. Letters, digits, `-` and `_`. */
  readonly submissionId: string;
  readonly runId: string;
  readonly pipelineId: string;
  readonly attempt: number;
  readonly trigger: TriggerRecord;
  /** As the pipeline's schema makes them. */
  readonly parameters: unknown;
  /** Time the attempt may take, ms. */
  readonly timeoutMs: number;
}

/** Error of a remote run: stored with the run, cut to the lengths of {@link ErrorFacts}. */
export interface RemoteError {
  readonly message: string;
  /** Default `"REMOTE_RUN_FAILED"`. */
  readonly code?: string | null;
  readonly stack?: string;
  readonly cause?: ErrorFacts;
}

/** State of a remote run. */
export type RemoteState =
  | { readonly status: "running"; readonly progress?: unknown }
  | { readonly status: "succeeded"; readonly output?: unknown }
  | { readonly status: "failed"; readonly error: RemoteError; readonly isRetryable?: boolean }
  /** Nobody knows of it any more: it is started again under the retry policy. */
  | { readonly status: "lost"; readonly reason?: string };

/** Argument of each call of a remote executor. */
export interface RemoteCall {
  /** Aborts when the call takes too long, or nobody waits for it any more. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Takes secrets out of a text, before it is cut short. */
  redact(text: string): string;
}

/**
 * The port that hands a run to an engine elsewhere and watches it. A node that stops or dies leaves the run where it is; another goes on watching by the reference.
 */
export interface RemoteExecutor {
  readonly kind: "remote";
  /** Values that it holds and that must not be kept or shown: the engine hides them, if they are long enough not to be usual words. */
  readonly secrets?: readonly string[];
  /** For people. */
  readonly name: string;
  /** Polling interval of a run without a notification, ms. */
  readonly pollMs: number;
  /** Time a call may take, ms. Default 30,000. */
  readonly callMs?: number;
  /** Hands an attempt over and gives a reference to it, JSON of at most 10,000 characters. Submitting it twice starts it once. What it throws is an attempt that failed, unless it is `EXECUTOR_UNAVAILABLE`: then it is submitted again. */
  submit(run: RemoteRun, call: RemoteCall): Promise<unknown>;
  /** Returns the run's state. A throw means only that the state is unknown: it is called again. */
  poll(reference: unknown, call: RemoteCall): Promise<RemoteState>;
  /** Requests the cancellation of a run; must succeed if the run has already ended or is unknown. */
  cancel(reference: unknown, call: RemoteCall): Promise<void>;
  /** Calls `onChange` when a run may have ended, instead of waiting for the next poll; the function returned ends it. */
  watch?(reference: unknown, onChange: () => void): () => void;
  /** Releases what it holds, when the scheduler stops. */
  close?(): Promise<void>;
}

export type Executor = LocalExecutor | RemoteExecutor;
