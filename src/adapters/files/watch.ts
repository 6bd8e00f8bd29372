import { resolve } from "node:path";
import PQueue from "p-queue";
import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import type { Scheduler } from "../../index.js";
import { Intake, isPassing, type Outcome } from "./intake.js";
import { Places } from "./places.js";

/** Options of {@link watchTriggerFiles}. */
export interface TriggerFileOptions {
  /** Where trigger files are dropped; made if it is not there. */
  directory: string;
  /** The pipeline that is meant by files that name none. Default: the only one there is. */
  pipeline?: string;
  /** Keeps files that were accepted in `processed/`, instead of removing them. Default false. */
  keepProcessed?: boolean;
  /** Looks at the directory this often instead of waiting to be told: for network file systems, which tell nothing. Default: waits to be told (needs the package `chokidar`). */
  polling?: Duration | false;
  /** How often the directory is looked at all the same. Default `"30s"`. */
  rescan?: Duration;
  /** How long a file that makes no sense must stay as it is before it is set aside: it may still be written. Default `"2s"`. */
  settle?: Duration;
  /** The largest file, bytes. Default 1 MiB. */
  sizeLimit?: number;
}

/** Watches a directory until it is closed, or the scheduler stops. */
export interface TriggerFileWatcher {
  /** Files that were accepted and set aside since it began, and what keeps it from its work now. */
  status(): { readonly accepted: number; readonly rejected: number; readonly lastScanAt: Date | null; readonly error: string | null };
  /** Resolves when all that is there has been looked at. */
  scan(): Promise<void>;
  /** Ends it; resolves when files under way are done with. Twice is harmless. */
  close(): Promise<void>;
}

const FILES_AT_ONCE = 64;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A taken file that is nobody's for so long was left by a process that died. */
const LEFT_MS = 30_000;

/**
 * Makes a trigger of every file `*.trigger` or `*.json` that is dropped into a directory, and removes it: exactly once, by however many processes watch it, wherever they are
 * killed. A file that makes no sense goes to `rejected/`, with a file `….error.json` beside it that says why. Resolves when it watches; files already there are taken.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `MISSING_PEER`
 * @example
 * const watcher = await watchTriggerFiles(scheduler, { directory: "/opt/pipelines/triggers", pipeline: "daily-sales" });
 */
export async function watchTriggerFiles(scheduler: Scheduler, options: TriggerFileOptions): Promise<TriggerFileWatcher> {
  const { directory, polling = false, sizeLimit = 1_048_576 } = options;
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) throw bad("directory: give a path");
  if (!Number.isInteger(sizeLimit) || sizeLimit < 1) throw bad(`sizeLimit: ${sizeLimit} must be a whole number from 1`);
  const places = new Places(resolve(directory));
  const keepsProcessed = options.keepProcessed ?? false;
  const settleMs = durationMs(options.settle ?? "2s", "watchTriggerFiles: settle");
  const rescanMs =
    polling === false
      ? durationMs(options.rescan ?? "30s", "watchTriggerFiles: rescan")
      : durationMs(polling, "watchTriggerFiles: polling");
  if (rescanMs < 10) throw bad("polling and rescan must be at least 10 ms");
  try {
    await places.make(keepsProcessed);
  } catch (cause) {
    throw new HeadgateError("INVALID_ARGUMENT", `watchTriggerFiles: ${directory} cannot be used (${(cause as Error).message})`, { cause });
  }
  const intake = new Intake(scheduler, places, { pipeline: options.pipeline ?? null, keepsProcessed, sizeLimit, settleMs });
  const watcher = new Watcher(scheduler, places, intake, { settleMs, rescanMs });
  if (polling === false) await watcher.listen();
  watcher.begin();
  return watcher;
}

class Watcher implements TriggerFileWatcher {
  readonly #scheduler: Scheduler;
  readonly #places: Places;
  readonly #intake: Intake;
  readonly #lengths: { readonly settleMs: number; readonly rescanMs: number };
  readonly #queue = new PQueue({ concurrency: FILES_AT_ONCE });
  /** Taken files that are not this process's, since when it has seen them; epoch ms. */
  readonly #left = new Map<string, number>();
  #stopListening: (() => Promise<void>) | null = null;
  #stopTimer: (() => void) | null = null;
  #scanning: Promise<void> | null = null;
  #again = false;
  #isClosed = false;
  #isFirst = true;
  #waitMs = FIRST_WAIT_MS;
  #accepted = 0;
  #rejected = 0;
  #lastScanAt: number | null = null;
  #error: string | null = null;

  constructor(scheduler: Scheduler, places: Places, intake: Intake, lengths: { readonly settleMs: number; readonly rescanMs: number }) {
    this.#scheduler = scheduler;
    this.#places = places;
    this.#intake = intake;
    this.#lengths = lengths;
    scheduler.once("stopped", () => this.close());
  }

  /** Has the file system tell of changes: they only say that it is worth a look. */
  async listen(): Promise<void> {
    const { watch } = await import("chokidar").catch((cause: unknown) => {
      throw new HeadgateError(
        "MISSING_PEER",
        "watchTriggerFiles needs the package chokidar (npm install chokidar), or the option polling",
        { cause },
      );
    });
    const { claimed, directory, processed, rejected } = this.#places;
    const watching = watch(directory, { depth: 0, ignoreInitial: true, ignored: [claimed, processed, rejected] });
    watching.on("add", () => void this.scan()).on("change", () => void this.scan());
    watching.on("addDir", () => void this.scan());
    watching.on("error", (error) => this.#scheduler.host.report(error, `watching ${directory}`));
    this.#stopListening = () => watching.close();
    await new Promise<void>((ready) => watching.once("ready", ready));
  }

  begin(): void {
    void this.scan();
  }

  status(): ReturnType<TriggerFileWatcher["status"]> {
    const lastScanAt = this.#lastScanAt === null ? null : new Date(this.#lastScanAt);
    return { accepted: this.#accepted, rejected: this.#rejected, lastScanAt, error: this.#error };
  }

  /** One scan at a time; what comes meanwhile is looked at by one more. */
  scan(): Promise<void> {
    if (this.#isClosed) return this.#scanning ?? Promise.resolve();
    this.#again = true;
    if (this.#scanning !== null) return this.#scanning;
    this.#scanning = this.#scans();
    this.#scheduler.host.clock.track?.(this.#scanning, "work");
    return this.#scanning;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    this.#stopTimer = null;
    const stop = this.#stopListening;
    this.#stopListening = null;
    await stop?.();
    await this.#scanning;
  }

  async #scans(): Promise<void> {
    this.#stopTimer?.();
    this.#stopTimer = null;
    let waitMs = this.#lengths.rescanMs;
    try {
      do {
        this.#again = false;
        const isUnfinished = await this.#once();
        waitMs = isUnfinished ? Math.min(this.#lengths.rescanMs, Math.max(10, this.#lengths.settleMs)) : this.#lengths.rescanMs;
      } while (this.#again && !this.#isClosed);
      this.#waitMs = FIRST_WAIT_MS;
      this.#error = null;
    } catch (error) {
      waitMs = this.#waitMs;
      this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
      this.#error = error instanceof Error ? error.message : String(error);
      if (!isPassing(error)) this.#scheduler.host.report(error, `trigger files in ${this.#places.directory}`);
    } finally {
      this.#scanning = null;
      if (!this.#isClosed) this.#stopTimer = this.#scheduler.host.clock.setTimer(waitMs, () => void this.scan());
    }
  }

  /** Looks at everything that is there; gives true when some of it may still be written. Stops at the first thing that passes by itself, such as a store that is away. */
  async #once(): Promise<boolean> {
    const now = this.#scheduler.host.clock.now();
    this.#lastScanAt = now;
    const outcomes: Outcome[] = [];
    const problems: unknown[] = [];
    const take = (work: () => Promise<Outcome>) =>
      this.#queue.add(async () => {
        if (this.#isClosed || problems.some(isPassing)) return;
        try {
          outcomes.push(await work());
        } catch (error) {
          problems.push(error);
        }
      });
    const left = await this.#leftBehind(now);
    const arrived = await this.#places.arrived();
    await Promise.all([
      ...left.map((name) => take(() => this.#intake.taken(name))),
      ...arrived.map((name) => take(() => this.#intake.arrived(name))),
    ]);
    for (const outcome of outcomes) {
      if (outcome === "accepted") this.#accepted++;
      else if (outcome === "rejected") this.#rejected++;
    }
    if (problems.length > 0) throw problems.find(isPassing) ?? problems[0];
    return outcomes.includes("unfinished");
  }

  /** Taken files to go on with: all at first and after a failure of one's own, then those that nobody has been done with for long. */
  async #leftBehind(now: number): Promise<readonly string[]> {
    const names = await this.#places.taken();
    const isAll = this.#isFirst || this.#error !== null;
    this.#isFirst = false;
    const there = new Set(names);
    for (const name of this.#left.keys()) if (!there.has(name)) this.#left.delete(name);
    for (const name of names) if (!this.#left.has(name)) this.#left.set(name, now);
    return names.filter((name) => isAll || now - (this.#left.get(name) ?? now) >= LEFT_MS);
  }
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `watchTriggerFiles: ${problem}`);
}
