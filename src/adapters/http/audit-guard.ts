import type { Scheduler } from "../../index.js";
import { Problem } from "./problem.js";

/** While the log cannot be written, it is tried no more often than this. */
const TRIED_EVERY_MS = 1_000;
const RETRY_AFTER_S = "5";
const WRITING = "writing requests to the audit log";

/**
 * Remembers whether the audit log can be written. While it cannot, nothing is done that must be in it: each such request first tries the log, with a record that says how
 * many are missing.
 */
export class AuditGuard {
  readonly #scheduler: Scheduler;
  /** When the log could not be written for the first time; `null` while it can be. */
  #failedAt: number | null = null;
  #triedAt = Number.NEGATIVE_INFINITY;
  #missing = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Counts a record that could not be written. */
  failed(error: unknown, requestId: string): void {
    const now = this.#scheduler.host.clock.now();
    this.#failedAt ??= now;
    this.#triedAt = now;
    this.#missing++;
    this.#scheduler.host.reportFailure(WRITING, error, `${WRITING} (request ${requestId})`);
  }

  /** A record was written: the next failure is another outage. */
  written(): void {
    if (this.#failedAt !== null) this.#scheduler.host.reportSuccess(WRITING);
  }

  /** @throws Problem `AUDIT_UNAVAILABLE` while the log cannot be written */
  async require(): Promise<void> {
    if (this.#failedAt === null) return;
    const now = this.#scheduler.host.clock.now();
    if (Math.abs(now - this.#triedAt) < TRIED_EVERY_MS) throw unavailable();
    this.#triedAt = now;
    const since = new Date(this.#failedAt).toISOString();
    const missing = this.#missing;
    try {
      await this.#scheduler.audit.append({
        kind: "change",
        action: "audit.resume",
        pipelineId: null,
        user: null,
        token: null,
        role: null,
        address: null,
        requestId: null,
        outcome: "done",
        reason: `the log could not be written since ${since}; ${missing} ${missing === 1 ? "record is" : "records are"} missing`,
        before: null,
        after: null,
      });
    } catch (error) {
      this.#scheduler.host.reportFailure(WRITING, error);
      throw unavailable();
    }
    this.written();
    this.#failedAt = null;
    this.#missing -= missing;
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function unavailable(): Problem {
  return new Problem(503, "AUDIT_UNAVAILABLE", "the audit log is unavailable, so the request was not processed; try again later", {
    headers: { "retry-after": RETRY_AFTER_S },
  });
}
