import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, rename, unlink } from "node:fs/promises";
import { extname, join } from "node:path";
import { HeadgateError } from "../../base/errors.js";
import type { HeldDirectory } from "./held-directory.js";

/** Longest name that is kept whole, bytes: file systems allow 255, and ids and endings are added. */
const NAME_LIMIT = 180;
const NUMBERED = 20;
const ENDING = ".error.json";
/** Names that this class gives to claimed files. */
const OWN_NAME = /^[0-9a-f]{24}~./s;
/** Makes a file that was not there; never one that a planted link points to. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/** Returns true for an error that says that something is not there. */
export function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === "ENOENT";
}

/** The id and the original name of a claimed file. */
export function splitClaimed(claimed: string): { id: string; name: string } {
  return { id: claimed.slice(0, 24), name: claimed.slice(25) };
}

interface Directories {
  readonly drop: HeldDirectory;
  readonly claimed: HeldDirectory;
  readonly rejected: HeldDirectory;
  readonly processed: HeldDirectory | null;
}

/** A file in one of the directories. */
export interface FilePlace {
  readonly directory: HeldDirectory;
  readonly name: string;
}

/**
 * The directories of trigger files during one scan, and how files move: drop directory ──► `.claimed` ──► removed, or `processed`; or ──► `rejected`. Each move is one rename between open
 * directories, so that a file is in one place at any instant, of two processes that want it one gets it, and no link or directory that somebody plants meanwhile redirects it.
 */
export class OpenDirectories {
  readonly #directories: Directories;
  readonly #held: readonly HeldDirectory[];
  #syncing: Promise<void> | null = null;
  #waiting: Promise<void> | null = null;

  constructor(directories: Directories, held: readonly HeldDirectory[]) {
    this.#directories = directories;
    this.#held = held;
  }

  async close(): Promise<void> {
    await Promise.all(this.#held.map((one) => one.close()));
  }

  /** @throws HeadgateError `INVALID_ARGUMENT` when a rename cannot move files between the directories */
  async checkMoves(): Promise<void> {
    const { drop, claimed, rejected, processed } = this.#directories;
    const mount = await drop.mount();
    for (const one of [claimed, rejected, ...(processed === null ? [] : [processed])]) {
      if (one.device === drop.device && (await one.mount()) === mount) continue;
      throw new HeadgateError(
        "INVALID_ARGUMENT",
        `watchTriggerFiles: workDirectory: ${one.path} must be on the same file system and mount as ${drop.path}, since files are claimed by renaming; put both on one volume`,
      );
    }
  }

  /** Names of trigger files that nobody has claimed, in batches. */
  arrived(): AsyncGenerator<readonly string[]> {
    return this.#directories.drop.batches((name) => /\.(?:trigger|json)$/i.test(name) && !name.startsWith("."));
  }

  /** Names of files that are claimed and not yet done with, and of what is not of this class's making there. */
  async claimed(): Promise<{ readonly own: readonly string[]; readonly foreign: readonly string[] }> {
    const names = await this.#directories.claimed.names();
    return { own: names.filter((name) => OWN_NAME.test(name)), foreign: names.filter((name) => !OWN_NAME.test(name)) };
  }

  /** Where an arrived file is. */
  dropped(name: string): FilePlace {
    return { directory: this.#directories.drop, name };
  }

  /** Where a claimed file is. */
  inClaimed(name: string): FilePlace {
    return { directory: this.#directories.claimed, name };
  }

  /** Claims a file; returns its new name: an id that nobody has used, and the end of its old name. The id becomes the key of its trigger. */
  async claim(name: string): Promise<string> {
    const { drop, claimed } = this.#directories;
    const tail = Buffer.from(name)
      .subarray(-NAME_LIMIT)
      .toString("utf8")
      .replace(/^\uFFFD+/, "");
    const taken = `${randomBytes(12).toString("hex")}~${tail}`;
    await move({ directory: drop, name }, { directory: claimed, name: taken });
    await this.#sync();
    return taken;
  }

  /** Removes a claimed file, or keeps it. One that is gone was done with by another process. */
  async finish(name: string): Promise<void> {
    const { claimed, processed } = this.#directories;
    try {
      if (processed !== null) await move({ directory: claimed, name }, { directory: processed, name });
      else {
        await claimed.verify();
        await unlink(claimed.at(name));
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /**
   * Moves a bad file to `rejected`, under a name that is free, with a report of the reasons beside it; returns where, `null` when the file is gone. The report is a new file always, and reserves the
   * name: one that a process left which was killed before the move stays as it is.
   */
  async reject(from: FilePlace, name: string, reasons: Readonly<Record<string, unknown>>): Promise<string | null> {
    const { rejected } = this.#directories;
    await rejected.verify();
    for (const free of freeNames(name)) {
      if (!(await this.#reserve(free, reasons))) continue;
      try {
        await move(from, { directory: rejected, name: free });
        return join(rejected.path, free);
      } catch (error) {
        const report = rejected.at(`${free}${ENDING}`);
        await rejected.verify().then(
          () => unlink(report).catch(() => {}), // the next attempt writes another
          () => {}, // it is not where it was: nothing there is touched
        );
        if (isGone(error)) return null;
        throw error;
      }
    }
    throw new Error(`${rejected.path} has no free name for ${name}; delete files from it`);
  }

  /** Replaces the paths of open handles in a message by those that people know. */
  readable(message: string): string {
    return this.#held.reduce((text, one) => one.readable(text), message);
  }

  async #reserve(name: string, report: Readonly<Record<string, unknown>>): Promise<boolean> {
    const { rejected } = this.#directories;
    if (await isThere(rejected.at(name))) return false;
    try {
      const handle = await open(rejected.at(`${name}${ENDING}`), NEW_FILE, 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(report, null, 2)}\n`);
      } finally {
        await handle.close();
      }
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }

  /** Makes renames outlive a power cut before a trigger is made of them; many at once share one. */
  #sync(): Promise<void> {
    if (this.#syncing === null) {
      this.#syncing = this.#syncNow().finally(() => {
        this.#syncing = null;
      });
      return this.#syncing;
    }
    this.#waiting ??= this.#syncing.then(() => {
      this.#waiting = null;
      return this.#sync();
    });
    return this.#waiting;
  }

  async #syncNow(): Promise<void> {
    await this.#directories.claimed.sync();
    await this.#directories.drop.sync();
  }
}

async function move(from: FilePlace, to: FilePlace): Promise<void> {
  await from.directory.verify();
  await to.directory.verify();
  await rename(from.directory.at(from.name), to.directory.at(to.name));
  await to.directory.verify();
}

/** Names for a bad file: its own, shortened if it is long, then numbered, then random. None ends like a report, so that no file takes a report's place. */
function* freeNames(name: string): Generator<string> {
  const ending = extname(name);
  const whole = name.slice(0, name.length - ending.length);
  const stem = Buffer.from(whole)
    .subarray(0, NAME_LIMIT)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
  const first = `${stem}${ending}`;
  if (!first.toLowerCase().endsWith(ENDING)) yield first;
  for (let n = 2; n <= NUMBERED; n++) yield `${stem}-${n}${ending}`;
  for (let n = 0; n < NUMBERED; n++) yield `${stem}-${randomBytes(6).toString("hex")}${ending}`;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}
