import type { Duration } from "../base/duration.js";
import type { Run } from "../run/view.js";
import type { Trigger } from "../trigger/view.js";
import type { RunScheduler } from "./run-scheduler.js";

/** Argument of a run's function. */
export interface RunContext<Parameters = Record<string, unknown>, Upstream = unknown> {
  readonly pipelineId: string;
  readonly runId: string;
  /** The trigger's parameters, as the pipeline's schema made them. */
  readonly parameters: Parameters;
  readonly trigger: Trigger;
  /** The span of time that the run is for, `end` exclusive: from the fire time before to the one that it stands for, in backfills too, so that the runs of a schedule cover time without a gap. `null` when nothing was scheduled. */
  readonly interval: Trigger["interval"];
  /** From 1. */
  readonly attempt: number;
  /** Aborts on timeout, cancellation and shutdown; its reason is a `HeadgateError`: `RUN_TIMED_OUT`, `RUN_CANCELLED` or `RUN_LOST`. */
  readonly signal: AbortSignal;
  /** Logs with the ids of pipeline, trigger and run. */
  readonly log: RunLog;
  readonly clock: RunClock;
  /** Last progress that an earlier attempt of the run reported by `heartbeat`, to continue from; `null` for none. */
  readonly lastProgress: unknown;
  /** Triggers other pipelines and waits for their runs; waiting ends when this run is aborted. In a worker that has no scheduler its methods reject with `NO_SCHEDULER`. */
  readonly scheduler: RunScheduler;
  /**
   * Returns the run whose success triggered this one (option `after`), with its output; `null` when something else did, or when it is no longer kept. Reads it from the store.
   */
  upstream(): Promise<Run<Upstream> | null>;
  /** Keeps progress, or a part of the result, for those who ask and for the next attempt; at most 10 kB of JSON. */
  heartbeat(progress?: unknown): void;
}

/** The scheduler's clock, for a run: under a fake one its waiting takes no time. */
export interface RunClock {
  /** Epoch ms. */
  now(): number;
  /** Waits; rejects with the signal's reason when the run is aborted. */
  sleep(length: Duration): Promise<void>;
}

/** The logger of one run. */
export type RunLog = Readonly<
  Record<"debug" | "info" | "warn" | "error", (message: string, fields?: Readonly<Record<string, unknown>>) => void>
>;
