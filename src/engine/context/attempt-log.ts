import { errorOfFacts } from "../../base/error-facts.js";
import { isoUtc } from "../../base/instant.js";
import type { Logger } from "../../ports/logger.js";
import type { AttemptOutcome, RunRecord } from "../../run/run.js";

/** Words for an outcome after "attempt 2". */
const WORDS = { failed: "failed", timed_out: "timed out", lost: "was lost" } as const;

/** Logs an attempt that failed, timed out or was lost, once, as a warning with its error. */
export function logAttemptEnd(logger: Logger, outcome: AttemptOutcome, run: RunRecord): void {
  if (outcome === "succeeded" || outcome === "cancelled") return;
  const { id, pipelineId, triggerId, attempt, status, retryAt, error } = run;
  const ids = { pipelineId, runId: id, triggerId, attempt };
  const why = error === null ? "" : `: ${error.message}`;
  const next = retryAt === null ? `, and the run ${status.replace("_", " ")}` : `, and will be retried at ${isoUtc(retryAt)}`;
  logger.log("warn", `attempt ${attempt} of run ${id} of pipeline ${pipelineId} ${WORDS[outcome]}${next}${why}`, {
    ...ids,
    outcome,
    retryAt: retryAt === null ? null : new Date(retryAt).toISOString(),
    ...(error === null ? {} : { error: errorOfFacts(error) }),
  });
}
