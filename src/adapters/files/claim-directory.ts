import { constants } from "node:fs";
import { access, mkdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { HeadgateError } from "../../base/errors.js";
import { canUseHandles, HeldDirectory, unsafeDirectory } from "./held-directory.js";
import { isGone, OpenDirectories } from "./open-directories.js";

const CLAIMED = ".claimed";
const PROCESSED = "processed";
const REJECTED = "rejected";

/** Where trigger files are dropped and kept; absolute paths. */
export interface ClaimDirectoryOptions {
  /** The drop directory. */
  readonly directory: string;
  /** Holds `.claimed`, `rejected` and `processed`; `null`: the drop directory itself. */
  readonly workDirectory: string | null;
  /** Accepted files are moved to `processed`, not removed. */
  readonly keepsProcessed: boolean;
  /** Default: where the system can, see {@link HeldDirectory}. */
  readonly usesHandles?: boolean;
}

/**
 * The drop directory, which others may write, and the working directories, which only the service may: `.claimed`, `rejected` and, if asked for, `processed`. They are made with mode 0700, and
 * before each use opened without following links and checked: type, owner, mode, and that each is still the directory it was.
 */
export class ClaimDirectory {
  readonly directory: string;
  readonly claimed: string;
  readonly processed: string;
  readonly rejected: string;
  readonly #options: ClaimDirectoryOptions;
  #usesHandles = false;
  /** Identities of working directories by path, as they were when they were first opened. */
  readonly #identities = new Map<string, string>();

  constructor(options: ClaimDirectoryOptions) {
    const base = options.workDirectory ?? options.directory;
    this.#options = options;
    this.directory = options.directory;
    this.claimed = join(base, CLAIMED);
    this.processed = join(base, PROCESSED);
    this.rejected = join(base, REJECTED);
  }

  /**
   * Makes what is not there, and checks all of it.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`, `UNSAFE_DIRECTORY`; errors of the file system
   */
  async make(): Promise<void> {
    const { directory, workDirectory, usesHandles } = this.#options;
    this.#usesHandles = usesHandles ?? (await canUseHandles());
    await mkdir(directory, { recursive: true });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    if (workDirectory !== null) {
      await mkdir(workDirectory, { recursive: true, mode: 0o700 });
      await checkApart(directory, workDirectory);
    }
    const places = await this.open();
    try {
      await places.checkMoves();
    } finally {
      await places.close();
    }
  }

  /**
   * Opens the directories for one scan.
   *
   * @throws HeadgateError `UNSAFE_DIRECTORY` when a working directory is not safe, or is another than before: reported once, then checked like a new one
   */
  async open(): Promise<OpenDirectories> {
    const { workDirectory, keepsProcessed } = this.#options;
    const held: HeldDirectory[] = [];
    const keep = (directory: HeldDirectory) => {
      held.push(directory);
      return directory;
    };
    try {
      const drop = keep(await HeldDirectory.open(this.directory, this.#usesHandles));
      const base = workDirectory === null ? drop : keep(await this.#private(workDirectory, workDirectory));
      const work = async (name: string) => keep(await this.#made(base, name));
      const claimed = await work(CLAIMED);
      const rejected = await work(REJECTED);
      const processed = keepsProcessed ? await work(PROCESSED) : null;
      return new OpenDirectories({ drop, claimed, rejected, processed }, held);
    } catch (error) {
      await Promise.all(held.map((one) => one.close()));
      throw error;
    }
  }

  /** A directory that disappears while in use is reported before it is created again: somebody has moved or deleted it with its contents. */
  async #made(base: HeldDirectory, name: string): Promise<HeldDirectory> {
    const path = join(base.path, name);
    try {
      return await this.#private(path, base.at(name));
    } catch (error) {
      if (!isGone(error)) throw error;
      if (this.#identities.delete(path)) throw unsafeDirectory(path, "was moved away or deleted while it was in use");
    }
    await base.make(name);
    return this.#private(path, base.at(name));
  }

  async #private(path: string, at: string): Promise<HeldDirectory> {
    const directory = await HeldDirectory.openPrivate(path, at, this.#usesHandles);
    const before = this.#identities.get(path);
    if (before === undefined || before === directory.identity) {
      this.#identities.set(path, directory.identity);
      return directory;
    }
    this.#identities.delete(path);
    await directory.close();
    throw unsafeDirectory(path, "was replaced while it was in use");
  }
}

/** A user who may write one of the two must not be able to move the other. @throws HeadgateError `INVALID_ARGUMENT` */
async function checkApart(directory: string, workDirectory: string): Promise<void> {
  const [drop, work] = await Promise.all([realpath(directory), realpath(workDirectory)]);
  const isWithin = (inner: string, outer: string) => inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : `${outer}${sep}`);
  if (!isWithin(work, drop) && !isWithin(drop, work)) return;
  throw new HeadgateError(
    "INVALID_ARGUMENT",
    `watchTriggerFiles: workDirectory: ${workDirectory} must be neither inside directory (${directory}) nor a parent of it`,
  );
}
