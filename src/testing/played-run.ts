import type { RunStatus } from "../run/run.js";

/** A run as both sides have it. Instants are epoch ms. */
export interface PlayedRun {
  readonly status: RunStatus;
  readonly scheduledFor: number | null;
  readonly startedAt: number;
  readonly endedAt: number;
  /** Number of its last attempt. */
  readonly attempt: number;
}
