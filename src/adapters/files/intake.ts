import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { HeadgateError } from "../../base/errors.js";
import type { Scheduler, Trigger } from "../../index.js";
import { BadFile, type FileRequest, requestIn } from "./content.js";
import { isGone, Places } from "./places.js";
import { readWithin } from "./read.js";

/** What a file is taken by. */
export interface IntakeOptions {
  readonly pipeline: string | null;
  readonly keepsProcessed: boolean;
  readonly sizeLimit: number;
  /** How long a file that makes no sense must stay as it is before it is bad and not unfinished, ms. */
  readonly settleMs: number;
}

/** What became of a file. `unfinished`: it may still be written; `gone`: somebody else has it. */
export type Outcome = "accepted" | "rejected" | "unfinished" | "gone";

/** What passes when somebody mends it: the file waits. */
const PASSING: ReadonlySet<string> = new Set(["STORE_UNAVAILABLE", "STORE_FULL", "STORE_READ_ONLY", "SCHEDULER_STOPPED"]);

/** Whether a file must wait for a store or a scheduler that is not there. */
export function isPassing(error: unknown): boolean {
  return error instanceof HeadgateError && PASSING.has(error.code);
}

/**
 * The life of one trigger file: read, taken (renamed to a name that nobody has used, which is the key of its trigger), accepted, removed. Killed in between, whoever finds it
 * in `.claimed` goes on: its name is the same, so the trigger is the same.
 */
export class Intake {
  readonly #scheduler: Scheduler;
  readonly #places: Places;
  readonly #options: IntakeOptions;
  /** Files that make no sense yet: as they were seen, and since when. */
  readonly #unfinished = new Map<string, { readonly signature: string; readonly since: number }>();

  constructor(scheduler: Scheduler, places: Places, options: IntakeOptions) {
    this.#scheduler = scheduler;
    this.#places = places;
    this.#options = options;
  }

  /** A file that has arrived. @throws HeadgateError that {@link isPassing}, or an error of the file system */
  async arrived(name: string): Promise<Outcome> {
    const path = join(this.#places.directory, name);
    try {
      const { request, signature } = await this.#read(path, name);
      this.#unfinished.delete(name);
      const taken = await this.#places.take(name);
      if (!(await this.#isAsRead(join(this.#places.claimed, taken), signature))) return await this.taken(taken);
      return await this.#accept(taken, name, request);
    } catch (error) {
      if (isGone(error)) return "gone";
      if (!(error instanceof BadFile)) throw error;
      return this.#isStillWritten(name, error) ? "unfinished" : await this.#reject(path, name, error);
    }
  }

  /** A file that was taken, by this process or by one that died. */
  async taken(taken: string): Promise<Outcome> {
    const path = join(this.#places.claimed, taken);
    const { name } = Places.split(taken);
    try {
      const { request } = await this.#read(path, name);
      return await this.#accept(taken, name, request);
    } catch (error) {
      if (isGone(error)) return "gone";
      if (error instanceof BadFile) return this.#isStillWritten(taken, error) ? "unfinished" : await this.#reject(path, name, error);
      throw error;
    }
  }

  async #read(path: string, name: string): Promise<{ request: FileRequest; signature: string }> {
    const { bytes, signature } = await readWithin(path, this.#places.directory, this.#options.sizeLimit);
    try {
      return { request: requestIn(bytes, name), signature };
    } catch (error) {
      if (!(error instanceof BadFile) || !error.isUnfinished) throw error;
      throw new BadFile(error.message, { isUnfinished: true, details: { ...error.details, signature } });
    }
  }

  /** What was written after it was read is read again. A link is moved, not what it points to. */
  async #isAsRead(path: string, signature: string): Promise<boolean> {
    const found = await lstat(path);
    return found.isSymbolicLink() || signature.startsWith(`${found.mtimeMs}:${found.size}:`);
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

  async #accept(taken: string, name: string, { pipeline, options }: FileRequest): Promise<Outcome> {
    const { id } = Places.split(taken);
    let trigger: Trigger;
    try {
      trigger = await this.#scheduler.trigger(this.#pipelineOf(pipeline), { ...options, idempotencyKey: `file:${id}` });
    } catch (error) {
      if (!(error instanceof HeadgateError) || isPassing(error)) throw error;
      return this.#reject(join(this.#places.claimed, taken), name, error);
    }
    await this.#places.finish(taken, this.#options.keepsProcessed);
    this.#scheduler.host.tell("file.accepted", { file: name, pipelineId: trigger.pipelineId, triggerId: trigger.id });
    return "accepted";
  }

  #pipelineOf(named: string | null): string {
    const known = named ?? this.#options.pipeline;
    if (known !== null) return known;
    const all = this.#scheduler.pipelines();
    const [only] = all;
    if (all.length === 1 && only !== undefined) return only.id;
    const listed = all.slice(0, 20).map(({ id }) => id);
    throw new BadFile(`it names no pipeline; give one in the field pipeline: ${listed.join(", ")}${all.length > 20 ? " …" : ""}`);
  }

  async #reject(path: string, name: string, error: HeadgateError): Promise<Outcome> {
    this.#unfinished.delete(name);
    const { host } = this.#scheduler;
    const { signature, ...details } = error.details;
    const why = { file: name, code: error.code, error: error.message, ...details, rejected_at: new Date(host.clock.now()).toISOString() };
    const movedTo = await this.#places.reject(path, name, why);
    if (movedTo === null) return "gone";
    host.tell("file.rejected", { file: name, movedTo, error });
    return "rejected";
  }
}
