import type { ExecutionPolicy } from "./policy.js";
import { retryDelay } from "./retry.js";

/**
 * Returns the longest that a run may take from the start of one of its attempts, ms: every attempt times out, and every wait is as long as the policy allows. Waits for slots, pauses and outages are
 * not in it.
 *
 * @param attempt - the attempt that starts, from 1
 * @param graceMs - how long an attempt may go on after its timeout
 */
export function longestRunMs(policy: ExecutionPolicy, attempt: number, graceMs: number): number {
  const attemptMs = policy.timeoutMs + graceMs;
  let totalMs = attemptMs;
  for (let failed = attempt; failed <= policy.retries; failed++) totalMs += longestDelayMs(policy, failed) + attemptMs;
  return policy.totalTimeoutMs === null ? totalMs : Math.min(totalMs, policy.totalTimeoutMs + graceMs);
}

/** The wait after a lost attempt, which every policy retries, with the most jitter. */
function longestDelayMs(policy: ExecutionPolicy, failed: number): number {
  try {
    return retryDelay(policy, failed, "lost", null, 1) ?? 0;
  } catch {
    return retryDelay({ ...policy, backoff: "fixed" }, failed, "lost", null, 1) ?? 0; // as the engine does with a backoff that throws
  }
}
