import type { Core } from "./core.js";

/** Kinds of failures that are remembered. */
const MOST = 1_000;

/**
 * Reports what fails over and over once: the first failure of a kind, and another one when it fails for another reason. The rest is counted, and the count is logged when it works
 * again.
 */
export class FailureReports {
  readonly #core: Pick<Core, "clock" | "events" | "logger">;
  readonly #failing = new Map<string, { readonly reason: string; readonly since: number; count: number }>();

  constructor(core: Pick<Core, "clock" | "events" | "logger">) {
    this.#core = core;
  }

  /**
   * @param kind - what failed, in words that are the same each time
   * @param report - the same for the report, or what reports it; default `kind`
   */
  failed(kind: string, error: unknown, report: string | (() => void) = kind): void {
    const reason = reasonOf(error);
    const known = this.#failing.get(kind);
    if (known !== undefined) known.count++;
    if (known?.reason === reason) return;
    if (this.#failing.size >= MOST) this.#failing.clear();
    this.#failing.set(kind, { reason, since: known?.since ?? this.#core.clock.now(), count: known?.count ?? 1 });
    if (typeof report === "string") this.#core.events.report(error, report);
    else report();
  }

  succeeded(kind: string): void {
    const known = this.#failing.get(kind);
    if (known === undefined) return;
    this.#failing.delete(kind);
    const { count, since } = known;
    const times = count === 1 ? "one failure" : `${count} failures`;
    this.#core.logger.log("info", `${kind}: recovered after ${times}`, {
      failures: count,
      downMs: this.#core.clock.now() - since,
    });
  }
}

/** The code of an error that has one: its message may differ each time. */
function reasonOf(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return typeof code === "string" ? code : String(message ?? error);
}
