import { lstat } from "node:fs/promises";
import { HeadgateError } from "../../base/errors.js";
import type { Scheduler, Trigger } from "../../index.js";
import { KnownFiles } from "./known-files.js";
import { type FilePlace, isGone, type OpenDirectories, splitClaimed } from "./open-directories.js";
import { BadFile, type FileRequest, requestIn } from "./parse-trigger-file.js";
import { readTriggerFile, signatureOf } from "./read-file.js";

/** Options of the trigger file processor. */
export interface ProcessorOptions {
  /** The pipeline of files that name none; `null`: they must name one. */
  readonly pipeline: string | null;
  /** Bytes that a file has at most. */
  readonly sizeLimit: number;
  /** Time a file that makes no sense must stay as it is before it is bad and not unfinished, ms. */
  readonly settleMs: number;
}

/** Outcome of a file. `unfinished`: it may still be written; `gone`: somebody else has it. */
export type Outcome = "accepted" | "rejected" | "unfinished" | "gone";

/** Errors that pass once somebody fixes their cause: the file waits. */
const PASSING: ReadonlySet<string> = new Set(["STORE_UNAVAILABLE", "STORE_FULL", "STORE_READ_ONLY", "SCHEDULER_STOPPED"]);

/** Returns true if a file must wait for a store or a scheduler that is not there. */
export function isPassing(error: unknown): boolean {
  return error instanceof HeadgateError && PASSING.has(error.code);
}

/**
 * The life of one trigger file: read, taken (renamed to a name that nobody has used, which is the key of its trigger), accepted, removed. Killed in between, the process that finds it
 * in `.claimed` goes on: its name is the same, so the trigger is the same.
 */
export class TriggerFileProcessor {
  readonly #scheduler: Scheduler;
  readonly #options: ProcessorOptions;
  /** Files that make no sense yet: as they were seen, and since when. */
  readonly #unfinished = new KnownFiles<{ readonly signature: string; readonly since: number }>();

  constructor(scheduler: Scheduler, options: ProcessorOptions) {
    this.#scheduler = scheduler;
    this.#options = options;
  }

  beginScan(): void {
    this.#unfinished.beginScan();
  }

  endScan(): void {
    this.#unfinished.endScan();
  }

  /** A file that has arrived. @throws HeadgateError that {@link isPassing}, or an error of the file system */
  async arrived(places: OpenDirectories, name: string): Promise<Outcome> {
    const file = places.dropped(name);
    try {
      const { request, signature } = await this.#read(file, name);
      this.#unfinished.delete(name);
      const claimed = await places.claim(name);
      if (!(await isAsRead(places.inClaimed(claimed), signature))) return await this.claimed(places, claimed);
      return await this.#accept(places, claimed, name, request);
    } catch (error) {
      if (isGone(error) && name.includes("\uFFFD")) throw new Error(`${name}: its name is not UTF-8, so it cannot be opened; rename it`);
      return this.#settle(places, file, name, error);
    }
  }

  /** A file that was claimed, by this process or by one that died. */
  async claimed(places: OpenDirectories, claimed: string): Promise<Outcome> {
    const file = places.inClaimed(claimed);
    const { name } = splitClaimed(claimed);
    try {
      const { request } = await this.#read(file, name);
      return await this.#accept(places, claimed, name, request);
    } catch (error) {
      return this.#settle(places, file, name, error);
    }
  }

  async #settle(places: OpenDirectories, file: FilePlace, name: string, error: unknown): Promise<Outcome> {
    if (isGone(error)) return "gone";
    if (!(error instanceof BadFile)) throw error;
    return this.#isStillWritten(file.name, error) ? "unfinished" : await this.#reject(places, file, name, error);
  }

  async #read({ directory, name: at }: FilePlace, name: string): Promise<{ request: FileRequest; signature: string }> {
    const { bytes, signature } = await readTriggerFile(directory.at(at), this.#options.sizeLimit);
    try {
      return { request: requestIn(bytes, name), signature };
    } catch (error) {
      if (!(error instanceof BadFile) || !error.isUnfinished) throw error;
      throw new BadFile(error.message, { isUnfinished: true, details: { ...error.details, signature } });
    }
  }

  /** By the clock of the scheduler, since the file's own may be anything. */
  #isStillWritten(name: string, { isUnfinished, details }: BadFile): boolean {
    if (!isUnfinished) return false;
    const now = this.#scheduler.host.clock.now();
    const signature = String(details.signature);
    const before = this.#unfinished.get(name);
    if (before?.signature !== signature) {
      this.#unfinished.set(name, { signature, since: now });
      return this.#options.settleMs > 0;
    }
    return now - before.since < this.#options.settleMs;
  }

  async #accept(places: OpenDirectories, claimed: string, name: string, { pipeline, options }: FileRequest): Promise<Outcome> {
    const { id } = splitClaimed(claimed);
    let trigger: Trigger;
    try {
      trigger = await this.#scheduler.trigger(this.#pipelineOf(pipeline), { ...options, idempotencyKey: `file:${id}` });
    } catch (error) {
      if (!(error instanceof HeadgateError) || isPassing(error)) throw error;
      return this.#reject(places, places.inClaimed(claimed), name, error);
    }
    await places.finish(claimed);
    this.#scheduler.host.emit("file.accepted", { file: name, pipelineId: trigger.pipelineId, triggerId: trigger.id });
    return "accepted";
  }

  #pipelineOf(named: string | null): string {
    const known = named ?? this.#options.pipeline;
    if (known !== null) return known;
    const all = this.#scheduler.pipelines();
    const [only] = all;
    if (all.length === 1 && only !== undefined) return only.id;
    const listed = all.slice(0, 20).map(({ id }) => id);
    throw new BadFile(`it names no pipeline; set the field pipeline to one of ${listed.join(", ")}${all.length > 20 ? " …" : ""}`);
  }

  async #reject(places: OpenDirectories, file: FilePlace, name: string, error: HeadgateError): Promise<Outcome> {
    this.#unfinished.delete(file.name);
    const { host } = this.#scheduler;
    const { signature, ...details } = error.details;
    const why = { file: name, code: error.code, error: error.message, ...details, rejected_at: new Date(host.clock.now()).toISOString() };
    const movedTo = await places.reject(file, name, why);
    if (movedTo === null) return "gone";
    host.emit("file.rejected", { file: name, movedTo, error });
    return "rejected";
  }
}

/** Returns false for a file that was written to, or replaced, after it was read. */
async function isAsRead({ directory, name }: FilePlace, signature: string): Promise<boolean> {
  return signatureOf(await lstat(directory.at(name))) === signature;
}
