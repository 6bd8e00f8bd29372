import { HeadgateError } from "../../base/errors.js";
import type { Core } from "./core.js";

/** Errors that pass once somebody fixes their cause. */
const RETRYABLE: ReadonlySet<string> = new Set(["STORE_UNAVAILABLE", "STORE_FULL", "STORE_READ_ONLY"]);

/** Returns true if the store may answer when asked again. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof HeadgateError && RETRYABLE.has(error.code);
}

const FIRST_WAIT_MS = 250;
/** Also the longest that a node takes to notice that the store is back. */
const LONGEST_WAIT_MS = 5_000;

/** Returns true if an error is one of the store itself, and not of what was to be written. */
export function isStoreError(error: unknown): error is HeadgateError {
  return error instanceof HeadgateError && error.code.startsWith("STORE_") && error.code !== "STORE_REJECTED";
}

/** Knows whether the store can be used, says when that changes, and how long to wait before it is asked again. */
export class StoreHealth {
  readonly #core: Pick<Core, "clock" | "events" | "logger">;
  #since: number | null = null;
  #error: Error | null = null;
  #waitMs = FIRST_WAIT_MS;

  constructor(core: Pick<Core, "clock" | "events" | "logger">) {
    this.#core = core;
  }

  get error(): Error | null {
    return this.#error;
  }

  get since(): number | null {
    return this.#since;
  }

  /** Returns how long the store has been unavailable, ms; 0 while it is available. */
  lengthMs(now: number): number {
    return this.#since === null ? 0 : Math.max(0, now - this.#since);
  }

  /** The store failed; gives how long to wait, ms. */
  failed(error: Error): number {
    const { events, clock } = this.#core;
    if (this.#since === null) {
      this.#since = clock.now();
      events.emit("store.unavailable", () => ({ error }));
      this.#core.logger.log("error", `the store is unavailable, retrying: ${error.message}`, { error });
    }
    this.#error = error;
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    return waitMs;
  }

  /** The store answered. */
  recovered(): void {
    if (this.#since === null) return;
    const downMs = this.#core.clock.now() - this.#since;
    this.#since = null;
    this.#error = null;
    this.#waitMs = FIRST_WAIT_MS;
    this.#core.logger.log("info", "the store is available again", { downMs });
    this.#core.events.emit("store.recovered", () => ({ downMs }));
  }
}
