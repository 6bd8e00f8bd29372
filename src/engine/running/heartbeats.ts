import type { HeartbeatRequest } from "../../ports/store.js";
import type { RunRecord } from "../../run/run.js";
import type { Core } from "../context/core.js";
import type { FailureReports } from "../context/failure-reports.js";
import { isUnavailable } from "../context/store-health.js";

const LEASES = "extending the lease of a run";

/**
 * Extends leases; progress or a reference that the store does not take, or one run whose row it cannot write, costs no other run its lease. Answers per request: the run, `null` when the
 * attempt is no longer the caller's, `undefined` when nothing is known of it.
 *
 * @throws the store's error when nothing could be sent
 */
export async function sendHeartbeats(
  core: Pick<Core, "clock" | "settings" | "store">,
  requests: readonly HeartbeatRequest[],
  reports: FailureReports,
): Promise<readonly (RunRecord | null | undefined)[]> {
  const send = (some: readonly HeartbeatRequest[]) => {
    const now = core.clock.now();
    return core.store.heartbeat(some, now + core.settings.leaseMs, now);
  };
  try {
    const answers = await send(requests);
    reports.succeeded(LEASES);
    return answers;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return await oneByOne(send, requests, error, reports);
  }
}

async function oneByOne(
  send: (some: readonly HeartbeatRequest[]) => Promise<readonly (RunRecord | null)[]>,
  requests: readonly HeartbeatRequest[],
  first: unknown,
  reports: FailureReports,
): Promise<readonly (RunRecord | null | undefined)[]> {
  const answers: (RunRecord | null | undefined)[] = [];
  let last = first;
  for (const request of requests) {
    const { runId, token } = request;
    const isBare = request.progress === undefined && request.reference === undefined;
    for (const one of isBare ? [request] : [request, { runId, token }]) {
      try {
        const [answer] = await send([one]);
        answers.push(answer ?? null);
        if (one !== request) reports.failed(`progress of run ${runId}, which was not stored`, last);
        break;
      } catch (error) {
        if (isUnavailable(error)) throw error;
        last = error;
        if (isBare || one !== request) {
          reports.failed(LEASES, error, `${LEASES} (${runId})`);
          answers.push(undefined);
        }
      }
    }
  }
  if (answers.every((answer) => answer === undefined)) throw last;
  return answers;
}
