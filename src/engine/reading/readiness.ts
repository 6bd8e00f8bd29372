import { HeadgateError } from "../../base/errors.js";
import { isoUtc } from "../../base/instant.js";
import type { Phase } from "../context/phase.js";
import type { RoundHealth } from "../context/round-health.js";

const NOT_RUNNING: Readonly<Record<Exclude<Phase, "running">, string>> = {
  created: "the scheduler has not been started",
  starting: "the scheduler is starting",
  stopping: "the scheduler is stopping: it lets running work finish and claims nothing more",
  stopped: "the scheduler has stopped",
};

/**
 * Returns why a node does not do its work, `null` when it does: it runs, its last round succeeded, and that was lately. Names codes of errors, and never their messages: it
 * is shown to callers without a token.
 */
export function whyNotReady(phase: Phase, health: Pick<RoundHealth, "lastSuccessAt" | "failure" | "isLate">): string | null {
  if (phase !== "running") return NOT_RUNNING[phase];
  const { failure, lastSuccessAt, isLate } = health;
  if (failure !== null) return `its rounds have failed since ${isoUtc(failure.since)}: ${causeOf(failure.error)}`;
  if (lastSuccessAt === null) return "its first round has not finished";
  return isLate ? `its last successful round was at ${isoUtc(lastSuccessAt)}` : null;
}

const CAUSES: Readonly<Record<string, string>> = {
  STORE_UNAVAILABLE: "the store cannot be reached",
  STORE_FULL: "the store is full",
  STORE_READ_ONLY: "the store is read-only",
  STORE_CORRUPT: "the store's data is damaged",
  STORE_INCOMPATIBLE: "a newer version of headgate has migrated the store; upgrade this node",
};

function causeOf(error: unknown): string {
  if (!(error instanceof HeadgateError)) return "an unexpected error; see the log";
  const known = CAUSES[error.code];
  return known === undefined ? error.code : `${known} (${error.code})`;
}
