import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, extname, join } from "node:path";

const CLAIMED = ".claimed";
const NAME_LIMIT = 180;
const ATTEMPTS = 1_000;

/** Whether an error says that something is not there. */
export function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === "ENOENT";
}

/**
 * Where trigger files are, and how they move: `directory` ──► `.claimed` ──► removed, or `processed`; or ──► `rejected`. Each move is one rename, so that a file is in one place at any
 * instant, and of two processes that want it one gets it.
 */
export class Places {
  readonly directory: string;
  readonly claimed: string;
  readonly processed: string;
  readonly rejected: string;
  #syncing: Promise<void> | null = null;
  #waiting: Promise<void> | null = null;

  constructor(directory: string) {
    this.directory = directory;
    this.claimed = join(directory, CLAIMED);
    this.processed = join(directory, "processed");
    this.rejected = join(directory, "rejected");
  }

  /** Makes the directories that are needed. */
  async make(keepsProcessed: boolean): Promise<void> {
    await mkdir(this.claimed, { recursive: true });
    await mkdir(this.rejected, { recursive: true });
    if (keepsProcessed) await mkdir(this.processed, { recursive: true });
    await access(this.directory, constants.R_OK | constants.W_OK | constants.X_OK);
  }

  /** Names of trigger files that nobody has taken. */
  async arrived(): Promise<readonly string[]> {
    return (await readdir(this.directory)).filter((name) => /\.(?:trigger|json)$/i.test(name) && !name.startsWith("."));
  }

  /** Names of files that somebody has taken and not yet done with. */
  async taken(): Promise<readonly string[]> {
    return readdir(this.claimed);
  }

  /** Takes a file; gives its new name, of an id that nobody has used and its old name. The name is what its trigger is known by. */
  async take(name: string): Promise<string> {
    const tail = Buffer.from(name)
      .subarray(-NAME_LIMIT)
      .toString("utf8")
      .replace(/^\uFFFD+/, "");
    const taken = `${randomBytes(12).toString("hex")}~${tail}`;
    await rename(join(this.directory, name), join(this.claimed, taken));
    await this.#sync();
    return taken;
  }

  /** The id and the old name of a taken file. */
  static readonly split = (taken: string): { id: string; name: string } => {
    const at = taken.indexOf("~");
    return at === -1 ? { id: taken, name: taken } : { id: taken.slice(0, at), name: taken.slice(at + 1) };
  };

  /** Removes a taken file, or keeps it. One that is gone was done with by another process. */
  async finish(taken: string, keepsProcessed: boolean): Promise<void> {
    const from = join(this.claimed, taken);
    try {
      await (keepsProcessed ? rename(from, join(this.processed, taken)) : unlink(from));
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  /** Moves what is bad to `rejected`, under a name that is free, and says beside it why; gives where. `null` when it is gone. */
  async reject(from: string, name: string, why: Readonly<Record<string, unknown>>): Promise<string | null> {
    const stem = basename(name, extname(name));
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const free = attempt === 1 ? name : `${stem}-${attempt}${extname(name)}`;
      const to = join(this.rejected, free);
      if (!(await this.#reserve(`${to}.error.json`, to, why))) continue;
      try {
        await rename(from, to);
        return to;
      } catch (error) {
        if (!isGone(error)) throw error;
        if (!(await isThere(to))) await unlink(`${to}.error.json`).catch(() => {}); // another process has moved it, elsewhere
        return null;
      }
    }
    throw new Error(`${this.rejected} has ${ATTEMPTS} files of the name ${name}; clear it`);
  }

  /** Writes the reason where there is none yet; one without its file was left by a process that died, and is written anew. */
  async #reserve(path: string, file: string, why: Readonly<Record<string, unknown>>): Promise<boolean> {
    if (await isThere(file)) return false;
    const handle = await open(path, "w");
    try {
      await handle.writeFile(`${JSON.stringify(why, null, 2)}\n`);
    } finally {
      await handle.close();
    }
    return true;
  }

  /** Makes renames outlive a power cut before a trigger is made of them; many at once share one. */
  #sync(): Promise<void> {
    if (this.#syncing === null) {
      this.#syncing = syncDirectories([this.claimed, this.directory]).finally(() => {
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
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Where directories cannot be synced (Windows, some network file systems) a power cut may bring a file back. */
const UNSYNCED = new Set(["EISDIR", "EPERM", "EINVAL", "EACCES", "ENOTSUP"]);

async function syncDirectories(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      const handle = await open(path, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (!UNSYNCED.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }
}
