import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Scheduler } from "../../index.js";
import type { Reply } from "./http-request.js";
import { Problem, problemBody } from "./problem.js";

/** The part of a scheduler's host that reports errors. */
type Reporter = Pick<Scheduler["host"], "report">;

/** Reports an error that nothing else has answered, and returns the answer: 500 without a word of what went wrong. */
export function failedReply(host: Reporter, error: unknown, where: string): Reply {
  const requestId = randomUUID();
  host.report(error, `${where} (request ${requestId})`);
  const problem = new Problem(500, "INTERNAL", "internal error; see the service's log for details");
  const body = JSON.stringify(problemBody(problem, requestId));
  const headers = {
    "content-type": "application/problem+json",
    "content-length": String(Buffer.byteLength(body)),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
  };
  return { status: 500, headers, body, stream: null };
}

/**
 * Runs what answers a request of a Node server. Never rejects: what it throws is reported and answered with 500, or ends the connection when an answer has begun.
 *
 * @param where - what was being done, for the report
 */
export async function guarded(host: Reporter, response: ServerResponse, where: string, act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    const { status, headers, body } = failedReply(host, error, where);
    try {
      if (response.writableEnded) return;
      if (response.headersSent) response.destroy();
      else response.writeHead(status, headers).end(body);
    } catch (failure) {
      host.report(failure, where);
      response.destroy();
    }
  }
}
