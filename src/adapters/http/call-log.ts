import type { Scheduler } from "../../index.js";
import { nameOf } from "./acting.js";
import type { AuditGuard } from "./audit-guard.js";
import { addressKey } from "./client-address.js";
import type { HttpRequest } from "./http-request.js";
import type { Answer, Call, Caller, Route } from "./route.js";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** One answered call, as the audit log records it. */
export interface AnsweredCall extends Pick<Call, "address" | "requestId"> {
  readonly route: Pick<Route, "method" | "path">;
  /** `null` when the call was refused before its caller was known. */
  readonly caller: Caller | null;
  readonly answer: Answer;
  /** The status, and the code of a problem. */
  readonly outcome: string;
}

/** Records the calls of an API in the audit log. */
export class CallLog {
  readonly #scheduler: Scheduler;
  readonly #guard: AuditGuard;

  constructor(scheduler: Scheduler, guard: AuditGuard) {
    this.#scheduler = scheduler;
    this.#guard = guard;
  }

  /** Records a call; returns the error when that cannot be done. Calls without a known caller, and those that were too many, are added up. */
  async write({ route, caller, answer, outcome, address, requestId }: AnsweredCall): Promise<unknown> {
    const { audit } = this.#scheduler;
    const action = `${route.method} ${route.path}`;
    const by = { user: caller === null ? null : nameOf(caller), token: caller?.id ?? null, role: caller?.role ?? null };
    if (caller === null || answer.status === 429) {
      audit.count({ action, address: networkOf(address), outcome, ...by });
      return null;
    }
    const { pipelineId = null, ids = [] } = answer;
    const unchanged = { reason: null, before: null, after: null };
    try {
      await audit.append({ kind: "call", action, pipelineId, ...by, ids, address, requestId, outcome, ...unchanged });
      this.#guard.written();
      return null;
    } catch (error) {
      this.#guard.failed(error, requestId);
      return error;
    }
  }

  /** Adds up a call to a path that does not exist, or with a method that its path does not have. */
  countUnknown({ method }: Pick<HttpRequest, "method">, address: string | null, outcome: string): void {
    const action = `${METHODS.has(method) ? method : "other method"} unknown path`;
    this.#scheduler.audit.count({ action, address: networkOf(address), outcome });
  }
}

function networkOf(address: string | null): string | null {
  return address === null ? null : addressKey(address);
}
