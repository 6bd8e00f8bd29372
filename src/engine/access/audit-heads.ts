import { HeadgateError } from "../../base/errors.js";
import type { AuditHead } from "../../monitor/audit.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import { type AuditVerifier, anchorProblem } from "./audit-verifier.js";

type AuditHeadsCore = Pick<Core, "audit" | "clock" | "events" | "logger" | "store">;

/**
 * Reports the newest hash of the audit log, as an event and in the log, where somebody who can write to the database cannot take it back; and looks whether the one reported before is
 * still there.
 */
export class AuditHeads {
  readonly #core: AuditHeadsCore;
  readonly #verifier: AuditVerifier;
  #known: AuditHead | null = null;
  #stopTimer: (() => void) | null = null;
  #isOpen = false;
  #hasNews = false;

  constructor(core: AuditHeadsCore, verifier: AuditVerifier) {
    this.#core = core;
    this.#verifier = verifier;
  }

  /** The head reported last. */
  get known(): AuditHead | null {
    return this.#known;
  }

  start(): void {
    this.#isOpen = true;
    if (this.#hasNews) this.changed();
  }

  /** There are new records: the head is reported within the interval, once the scheduler has started; before, no timer keeps a process alive. */
  changed(): void {
    this.#hasNews = true;
    if (!this.#isOpen) return;
    const { clock, audit } = this.#core;
    this.#stopTimer ??= clock.setTimer(audit.headIntervalMs, () => {
      this.#stopTimer = null;
      const reported = this.#report();
      clock.track?.(reported, "work");
    });
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
    if (this.#hasNews) await this.#report();
  }

  async #report(): Promise<void> {
    const { store, events, logger } = this.#core;
    this.#hasNews = false;
    try {
      const { seq, hash } = await store.auditHead();
      const problem = this.#known === null ? null : anchorProblem(await this.#verifier.anchorState(this.#known), this.#known);
      if (problem !== null) {
        const { seq: lost, problem: text } = problem;
        events.report(new HeadgateError("AUDIT_CHANGED", text, { details: { seq: lost } }), "checking the audit log");
      } else if (seq > 0) this.#known = { seq, hash };
      logger.log("info", "head of the audit log", { seq, hash });
      events.emit("audit.head", () => ({ seq, hash }));
    } catch (error) {
      if (!isUnavailable(error)) events.report(error, "reporting the head of the audit log");
      this.changed();
    }
  }
}
