import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { HeadgateError } from "../../base/errors.js";

const DIRECTORY = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);
const NO_LINK = constants.O_NOFOLLOW ?? 0;
/** Names handed out at once. */
const BATCH = 1_000;
/** Group and others may write. */
const WRITABLE_BY_OTHERS = 0o022;

interface DirectoryStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly uid: bigint;
  readonly mode: bigint;
}

/**
 * A directory that is open. On Linux `at(name)` leads through the open handle (`/proc/self/fd/…`), so that renaming the directory, or putting a link in its place, redirects nothing: the
 * path goes on to mean the directory that was checked. Elsewhere it is the plain path, and {@link verify} compares the directory before and after each move.
 */
export class HeldDirectory {
  readonly path: string;
  /** Device and inode: another directory at the same path has another identity. */
  readonly identity: string;
  readonly device: bigint;
  readonly #handle: FileHandle | null;
  readonly #prefix: string;

  private constructor(path: string, handle: FileHandle | null, { dev, ino }: DirectoryStats) {
    this.path = path;
    this.identity = `${dev}:${ino}`;
    this.device = dev;
    this.#handle = handle;
    this.#prefix = handle === null ? path : `/proc/self/fd/${handle.fd}`;
  }

  /** Opens a directory that others may write, such as one where files are dropped. */
  static async open(path: string, usesHandles: boolean): Promise<HeldDirectory> {
    if (!usesHandles) return new HeldDirectory(path, null, await lstatOf(path));
    return HeldDirectory.#opened(path, await open(path, DIRECTORY), () => {});
  }

  /**
   * Opens a directory that nobody but this process's user (or root) may write. `at` is where it is found, `path` what messages call it.
   *
   * @throws HeadgateError `UNSAFE_DIRECTORY`; the error of the file system (`ENOENT`: it is gone)
   */
  static async openPrivate(path: string, at: string, usesHandles: boolean): Promise<HeldDirectory> {
    const found = await lstat(at, { bigint: true });
    if (found.isSymbolicLink()) throw unsafeDirectory(path, "is a symbolic link, not a directory");
    if (!found.isDirectory()) throw unsafeDirectory(path, "is not a directory");
    if (!usesHandles) {
      checkPrivate(path, found);
      return new HeldDirectory(path, null, found);
    }
    const handle = await open(at, DIRECTORY | NO_LINK).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOTDIR" || error.code === "ELOOP") throw unsafeDirectory(path, "was replaced while it was opened");
      throw error;
    });
    return HeldDirectory.#opened(path, handle, (stats) => checkPrivate(path, stats));
  }

  static async #opened(path: string, handle: FileHandle, check: (stats: DirectoryStats) => void): Promise<HeldDirectory> {
    try {
      const stats = await handle.stat({ bigint: true });
      check(stats);
      return new HeldDirectory(path, handle, stats);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Path of an entry, for one call of the file system. */
  at(name: string): string {
    return join(this.#prefix, name);
  }

  /** Replaces the paths of handles in a message by those that people know. */
  readable(message: string): string {
    return this.#handle === null
      ? message
      : message.replaceAll(`${this.#prefix}/`, `${this.path}/`).replaceAll(`'${this.#prefix}'`, `'${this.path}'`);
  }

  names(): Promise<string[]> {
    return readdir(this.#prefix);
  }

  /** Names in batches, however many there are. */
  async *batches(isWanted: (name: string) => boolean): AsyncGenerator<readonly string[]> {
    let batch: string[] = [];
    for await (const { name } of await opendir(this.#prefix, { bufferSize: BATCH })) {
      if (!isWanted(name)) continue;
      batch.push(name);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  /** Makes a directory in it that only this process's user may enter, unless there is something of that name. */
  async make(name: string): Promise<void> {
    await mkdir(this.at(name), { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }

  /** Where no handle is held: the directory is still the one that was checked. @throws HeadgateError `UNSAFE_DIRECTORY` */
  async verify(): Promise<void> {
    if (this.#handle !== null) return;
    const found = await lstatOf(this.path);
    if (`${found.dev}:${found.ino}` !== this.identity) throw unsafeDirectory(this.path, "was replaced while it was in use");
  }

  /** Number of its mount, `null` where the system does not say: within one, a rename is possible. */
  async mount(): Promise<string | null> {
    if (this.#handle === null) return null;
    const text = await readFile(`/proc/self/fdinfo/${this.#handle.fd}`, "utf8").catch(() => "");
    return /^mnt_id:\s*(\d+)$/m.exec(text)?.[1] ?? null;
  }

  /** Makes renames outlive a power cut. Where directories cannot be synced (Windows, some network file systems) one may bring a file back. */
  async sync(): Promise<void> {
    try {
      if (this.#handle !== null) return await this.#handle.sync();
      const handle = await open(this.path, DIRECTORY);
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (!UNSYNCED.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

const UNSYNCED = new Set(["EISDIR", "EPERM", "EINVAL", "EACCES", "ENOTSUP"]);

/** Returns true where a path may lead through an open handle. */
export async function canUseHandles(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const handle = await open("/", DIRECTORY);
  try {
    const { dev, ino } = await lstat(`/proc/self/fd/${handle.fd}/.`, { bigint: true });
    const root = await handle.stat({ bigint: true });
    return dev === root.dev && ino === root.ino;
  } catch {
    return false; // /proc is not mounted
  } finally {
    await handle.close();
  }
}

async function lstatOf(path: string): Promise<DirectoryStats> {
  return lstat(path, { bigint: true });
}

/** Windows has neither users' numbers nor modes: the rights of the folder above are inherited. */
function checkPrivate(path: string, { uid, mode }: DirectoryStats): void {
  const user = process.geteuid?.();
  if (user === undefined) return;
  if (uid !== BigInt(user) && uid !== 0n) throw unsafeDirectory(path, `belongs to user ${uid}, not to the service (user ${user}) or root`);
  if ((mode & BigInt(WRITABLE_BY_OTHERS)) !== 0n)
    throw unsafeDirectory(path, `is writable by others (mode 0${(mode & 0o7777n).toString(8)}; run chmod go-w)`);
}

/** Returns the error for a directory that must not be used. */
export function unsafeDirectory(path: string, problem: string): HeadgateError {
  return new HeadgateError(
    "UNSAFE_DIRECTORY",
    `${path} ${problem}; nothing in it was used. Remove or repair it, or set workDirectory to a directory that only the service can write to`,
    { details: { path } },
  );
}
