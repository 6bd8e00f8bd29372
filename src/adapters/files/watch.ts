import { resolve } from "node:path";
import PQueue from "p-queue";
import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError, isError, messageOf } from "../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import type { Scheduler } from "../../index.js";
import { ClaimDirectory } from "./claim-directory.js";
import { FileFailures } from "./file-failures.js";
import type { OpenDirectories } from "./open-directories.js";
import { isPassing, type Outcome, TriggerFileProcessor } from "./trigger-file-processor.js";

/** Options of {@link watchTriggerFiles}. */
export interface TriggerFileOptions {
  /** Where trigger files are dropped; made if it is not there. */
  directory: string;
  /**
   * Where claimed, rejected and processed files are kept (`.claimed/`, `rejected/`, `processed/`); made with mode 0700 if it is not there. Set it when others may write `directory`: outside of what
   * they may write, on the same file system and mount, one for each drop directory. Default: `directory`.
   */
  workDirectory?: string;
  /** The pipeline that is meant by files that name none. Default: the only one there is. */
  pipeline?: string;
  /** Keeps files that were accepted in `processed/`, instead of removing them. Default false. */
  keepProcessed?: boolean;
  /** Polling interval, for network file systems without notifications. Default: no polling, notifications of the file system (needs the package `chokidar`). */
  polling?: Duration | false;
  /** Interval at which the directory is scanned regardless of notifications. Default `"30s"`. */
  rescan?: Duration;
  /** Time a file that makes no sense must stay as it is before it is set aside: it may still be written. Default `"2s"`. */
  settle?: Duration;
  /** The largest file, bytes. Default 1 MiB. */
  sizeLimit?: number;
}

/** Watches a directory until it is closed, or the scheduler stops. */
export interface TriggerFileWatcher {
  /** Files that were accepted and set aside since it began, and what keeps it, or single files, from being done with now. */
  status(): { readonly accepted: number; readonly rejected: number; readonly lastScanAt: Date | null; readonly error: string | null };
  /** Resolves when all that is there has been looked at. */
  scan(): Promise<void>;
  /** Stops watching; resolves when files being processed are done. Twice is harmless. */
  close(): Promise<void>;
}

const FILES_AT_ONCE = 64;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A claimed file that is nobody's for so long was left by a process that died. */
const LEFT_MS = 30_000;

/**
 * Makes a trigger of every file `*.trigger` or `*.json` that is dropped into a directory, and removes it: exactly once, by however many processes watch it, wherever they are
 * killed. A file that makes no sense goes to `rejected/`, with a file `….error.json` beside it that says why. Resolves when it watches; files already there are taken.
 *
 * Links are never followed, and working directories that others own or may write are never used.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `UNSAFE_DIRECTORY`, `MISSING_PEER`
 * @example
 * const watcher = await watchTriggerFiles(scheduler, {
 *   directory: "/opt/pipelines/triggers/drop",
 *   workDirectory: "/opt/pipelines/triggers/work",
 *   pipeline: "daily-sales",
 * });
 */
export async function watchTriggerFiles(scheduler: Scheduler, options: TriggerFileOptions): Promise<TriggerFileWatcher> {
  checkOptions(
    options,
    {
      directory: true,
      workDirectory: true,
      pipeline: true,
      keepProcessed: true,
      polling: true,
      rescan: true,
      settle: true,
      sizeLimit: true,
    },
    "watchTriggerFiles",
  );
  const { directory, workDirectory = null, polling = false, sizeLimit = 1_048_576 } = options;
  if (!isPath(directory)) throw bad("directory: must be a non-empty path");
  if (workDirectory !== null && !isPath(workDirectory)) throw bad("workDirectory: must be a non-empty path");
  checkInteger(sizeLimit, { least: 1 }, "sizeLimit", invalidArgument("watchTriggerFiles"));
  const places = new ClaimDirectory({
    directory: resolve(directory),
    workDirectory: workDirectory === null ? null : resolve(workDirectory),
    keepsProcessed: options.keepProcessed ?? false,
  });
  const settleMs = durationMs(options.settle ?? "2s", "watchTriggerFiles: settle");
  const rescanMs =
    polling === false
      ? durationMs(options.rescan ?? "30s", "watchTriggerFiles: rescan")
      : durationMs(polling, "watchTriggerFiles: polling");
  if (rescanMs < 10) throw bad("polling and rescan must be at least 10 ms");
  try {
    await places.make();
  } catch (cause) {
    if (cause instanceof HeadgateError) throw cause;
    throw new HeadgateError("INVALID_ARGUMENT", `watchTriggerFiles: ${directory} cannot be used (${(cause as Error).message})`, { cause });
  }
  const intake = new TriggerFileProcessor(scheduler, { pipeline: options.pipeline ?? null, sizeLimit, settleMs });
  const watcher = new Watcher(scheduler, places, intake, { settleMs, rescanMs });
  if (polling === false) await watcher.listen();
  watcher.begin();
  return watcher;
}

class Watcher implements TriggerFileWatcher {
  readonly #scheduler: Scheduler;
  readonly #places: ClaimDirectory;
  readonly #intake: TriggerFileProcessor;
  readonly #lengths: { readonly settleMs: number; readonly rescanMs: number };
  readonly #queue = new PQueue({ concurrency: FILES_AT_ONCE });
  readonly #failures = new FileFailures();
  /** Claimed files that are not this process's, since when it has seen them; epoch ms. */
  readonly #left = new Map<string, number>();
  /** Names of others among the claimed files, which have been reported. */
  #foreign: ReadonlySet<string> = new Set();
  #stopListening: (() => Promise<void>) | null = null;
  #stopTimer: (() => void) | null = null;
  #scanning: Promise<void> | null = null;
  #again = false;
  #isClosed = false;
  /** The next scan takes up all claimed files: it is the first, or the one before has failed at something. */
  #takesAll = true;
  #waitMs = FIRST_WAIT_MS;
  #accepted = 0;
  #rejected = 0;
  #lastScanAt: number | null = null;
  #error: string | null = null;

  constructor(
    scheduler: Scheduler,
    places: ClaimDirectory,
    intake: TriggerFileProcessor,
    lengths: { readonly settleMs: number; readonly rescanMs: number },
  ) {
    this.#scheduler = scheduler;
    this.#places = places;
    this.#intake = intake;
    this.#lengths = lengths;
    scheduler.once("stopped", () => this.close());
  }

  /** Listens to the file system's notifications: they only say that it is worth a look. */
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
        waitMs = await this.#once();
      } while (this.#again && !this.#isClosed);
      this.#waitMs = FIRST_WAIT_MS;
      this.#error = this.#failures.message();
    } catch (error) {
      waitMs = this.#waitMs;
      this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
      this.#error = messageOf(error);
      this.#takesAll = true;
      if (!isPassing(error) && !this.#isClosed) this.#scheduler.host.report(error, `trigger files in ${this.#places.directory}`);
    } finally {
      this.#scanning = null;
      if (!this.#isClosed) this.#stopTimer = this.#scheduler.host.clock.setTimer(waitMs, () => void this.scan());
    }
  }

  /** Looks at everything that is there; returns when to look again, ms. Stops at the first thing that passes by itself, such as a store that is away; what fails at one file delays no other. */
  async #once(): Promise<number> {
    const { host } = this.#scheduler;
    this.#lastScanAt = host.clock.now();
    this.#intake.beginScan();
    this.#failures.beginScan();
    const places = await this.#places.open();
    let isUnfinished = false;
    const handle = async (work: readonly (readonly [file: string, work: () => Promise<Outcome>])[]) => {
      if (await this.#handle(places, work)) isUnfinished = true;
    };
    try {
      await handle((await this.#leftBehind(places)).map((name) => [name, () => this.#intake.claimed(places, name)]));
      for await (const names of places.arrived()) {
        if (this.#isClosed) break;
        await handle(names.map((name) => [name, () => this.#intake.arrived(places, name)]));
      }
    } finally {
      await places.close();
    }
    if (!this.#isClosed) {
      this.#intake.endScan();
      this.#failures.endScan();
    }
    const { rescanMs, settleMs } = this.#lengths;
    const waitMs = isUnfinished ? Math.min(rescanMs, Math.max(10, settleMs)) : rescanMs;
    return Math.min(waitMs, Math.max(10, this.#failures.waitMs(host.clock.now()) ?? waitMs));
  }

  /** Does work on files, 64 at once; returns true when some of them may still be written. @throws what {@link isPassing} */
  async #handle(places: OpenDirectories, work: readonly (readonly [file: string, work: () => Promise<Outcome>])[]): Promise<boolean> {
    const { host } = this.#scheduler;
    const passing: unknown[] = [];
    let isUnfinished = false;
    const one = async (file: string, outcomeOf: () => Promise<Outcome>) => {
      if (this.#isClosed || passing.length > 0 || this.#failures.mustWait(file, host.clock.now())) return;
      try {
        const outcome = await outcomeOf();
        this.#failures.succeeded(file);
        if (outcome === "accepted") this.#accepted++;
        else if (outcome === "rejected") this.#rejected++;
        else if (outcome === "unfinished") isUnfinished = true;
      } catch (error) {
        if (isPassing(error)) passing.push(error);
        else {
          this.#takesAll = true; // it may have failed after it was claimed
          const readable = readableOf(error, places);
          this.#failures.failed(file, readable, messageOf(readable), host.clock.now());
        }
      }
    };
    await Promise.all(work.map(([file, outcomeOf]) => this.#queue.add(() => one(file, outcomeOf))));
    this.#failures.report(host.clock.now(), (error, where) => host.report(error, `${where} in ${this.#places.directory}`));
    if (passing.length > 0) throw passing[0];
    return isUnfinished;
  }

  /** Claimed files to go on with: all at first and after a failure, then those that nobody has been done with for long. */
  async #leftBehind(places: OpenDirectories): Promise<readonly string[]> {
    const now = this.#scheduler.host.clock.now();
    const { own, foreign } = await places.claimed();
    this.#reportForeign(foreign);
    const takesAll = this.#takesAll;
    this.#takesAll = false;
    const there = new Set(own);
    for (const name of this.#left.keys()) if (!there.has(name)) this.#left.delete(name);
    for (const name of own) if (!this.#left.has(name)) this.#left.set(name, now);
    return own.filter((name) => takesAll || this.#failures.has(name) || now - (this.#left.get(name) ?? now) >= LEFT_MS);
  }

  /** Once for each name. */
  #reportForeign(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.#foreign.has(name));
    this.#foreign = new Set(names);
    if (unknown.length === 0) return;
    const shown = unknown.slice(0, 5).map((name) => JSON.stringify(name));
    const more = unknown.length > shown.length ? ` and ${unknown.length - shown.length} more` : "";
    const problem = `${this.#places.claimed} contains files that headgate did not claim: ${shown.join(", ")}${more}; they were not touched, move them elsewhere`;
    this.#scheduler.host.report(new HeadgateError("UNSAFE_DIRECTORY", problem), `trigger files in ${this.#places.directory}`);
  }
}

function isPath(path: unknown): path is string {
  return typeof path === "string" && path !== "" && !path.includes("\0");
}

/** An error of the file system, with the paths that people know instead of those of open handles. */
function readableOf(error: unknown, places: OpenDirectories): unknown {
  if (!isError(error)) return error;
  const message = places.readable(error.message);
  return message === error.message ? error : Object.assign(new Error(message), { code: (error as NodeJS.ErrnoException).code });
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `watchTriggerFiles: ${problem}`);
}
