import { KnownFiles } from "./known-files.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const REPORT_EVERY_MS = 5_000;

interface Failure {
  readonly message: string;
  readonly waitMs: number;
  /** Epoch ms. */
  readonly retryAt: number;
}

/**
 * Files that could be neither accepted nor set aside, each with a back-off of its own (0.5 s, doubled up to 30 s), so that one of them delays no other. Reports are summed up: one in 5 s, however many fail.
 */
export class FileFailures {
  readonly #files = new KnownFiles<Failure>();
  #unreported: { readonly file: string; readonly error: unknown; count: number } | null = null;
  #reportedAt = Number.NEGATIVE_INFINITY;

  beginScan(): void {
    this.#files.beginScan();
  }

  endScan(): void {
    this.#files.endScan();
  }

  /** Returns true until a file that failed may be tried again. */
  mustWait(file: string, now: number): boolean {
    return (this.#files.get(file)?.retryAt ?? now) > now;
  }

  /** Returns true for a file whose last try failed. */
  has(file: string): boolean {
    return this.#files.get(file) !== undefined;
  }

  failed(file: string, error: unknown, message: string, now: number): void {
    const waitMs = Math.min((this.#files.get(file)?.waitMs ?? FIRST_WAIT_MS / 2) * 2, LONGEST_WAIT_MS);
    this.#files.set(file, { message, waitMs, retryAt: now + waitMs });
    if (this.#unreported === null) this.#unreported = { file, error, count: 1 };
    else this.#unreported.count++;
  }

  succeeded(file: string): void {
    this.#files.delete(file);
  }

  /** Message of a file that waits for its next try; `null` when there is none. */
  message(): string | null {
    const [first, ...more] = this.#files.values();
    return first === undefined ? null : `${first.message}${andMore(more.length)}`;
  }

  /** Time until the first of them may be tried again, ms; `null` when there is none. */
  waitMs(now: number): number | null {
    let next: number | null = null;
    for (const { retryAt } of this.#files.values()) next = Math.min(next ?? retryAt, retryAt);
    return next === null ? null : Math.max(0, next - now);
  }

  /** Hands out what has not been reported, when enough time has passed since the last report. */
  report(now: number, write: (error: unknown, where: string) => void): void {
    if (this.#unreported === null || now - this.#reportedAt < REPORT_EVERY_MS) return;
    const { file, error, count } = this.#unreported;
    this.#unreported = null;
    this.#reportedAt = now;
    write(error, `trigger file ${file}${andMore(count - 1)}`);
  }
}

function andMore(count: number): string {
  return count === 0 ? "" : ` (and ${count} more ${count === 1 ? "file" : "files"})`;
}
