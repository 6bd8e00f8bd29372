import { statSync } from "node:fs";
import { HeadgateError, quote } from "../../../base/errors.js";
import { addOwnFile } from "../../shared/own-files.js";
import { connect, type Prepared, prepare, type SqliteConnection } from "../../shared/sqlite-driver.js";
import { type Database, newerSchema, type Session } from "../sql/database.js";
import { migrations } from "../sql/schema.js";
import { turns } from "../sql/turns.js";
import { DIALECT, endAll, type Prepare, sessionOf, TYPES } from "./dialect.js";
import { isLocked, translated } from "./errors.js";
import { FileQueue } from "./file-queue.js";
import type { SqliteStoreOptions } from "./options.js";

/**
 * SQLite's own wait for another process's lock holds up this whole process: it is cut into slices, and what else is due happens in between. After all of them the store
 * counts as unavailable, and the caller tries again later.
 */
const BUSY_SLICE_MS = 20;
const BUSY_SLICES = 50;
const POLL_MS = 1_000;

export function sqliteDatabase({ file, synchronous = "full" }: SqliteStoreOptions): Database {
  if (typeof file !== "string" || file === "") throw new HeadgateError("INVALID_ARGUMENT", "sqliteStore: file must be a path");
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new HeadgateError("INVALID_ARGUMENT", `sqliteStore: synchronous ${quote(synchronous)} is unknown; allowed: full, normal`);
  }
  let connection: SqliteConnection | null = null;
  let removeOwnFile = () => {};
  /** The file that was opened; `null` while none is, or when it has no name. */
  let opened: Identity | null = null;
  const statements = new Map<string, Prepared>();
  /** One transaction at a time: those of this store share a connection, those of other stores of this process the lock of the file. */
  let queue = new FileQueue();

  const prepared: Prepare = (sql) => {
    if (connection === null) throw new HeadgateError("STORE_UNAVAILABLE", `sqliteStore: ${file} is not open`);
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = prepare(connection, sql);
      if (statements.size > 500) statements.clear();
      statements.set(sql, statement);
    }
    return statement;
  };
  const own = sessionOf(prepared, file);

  /** Fails when the file is not the one that was opened: others would work with another one meanwhile, and what is written here would be lost. */
  const mustBeThere = () => {
    if (opened === null || isSame(opened, identityOf(file))) return;
    throw new HeadgateError(
      "STORE_UNAVAILABLE",
      `sqliteStore: ${file} was deleted or replaced while it was in use; restore it, or restart this process to use the current file`,
      { details: { file } },
    );
  };
  const transaction = async <T>(work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    mustBeThere();
    await inSlices(() => translated(file, () => prepared("BEGIN IMMEDIATE").run()), signal);
    try {
      const answer = await work(own);
      translated(file, () => prepared("COMMIT").run());
      if (turns.isSpent) await turns.next(); // a commit may take long
      return answer;
    } catch (error) {
      try {
        prepared("ROLLBACK").run();
      } catch {
        // a failed statement may have rolled back already; the first error is the one to report
      }
      throw error;
    }
  };
  const inLine = <T>(work: () => Promise<T>): Promise<T> => queue.run(work);

  return {
    name: "sqlite",
    pollMs: POLL_MS,
    open: async (signal) => {
      if (connection !== null) return;
      signal?.throwIfAborted();
      connection = translated(file, () => connect(file));
      try {
        translated(file, () => connection?.exec(`PRAGMA busy_timeout = ${BUSY_SLICE_MS}`));
        await inSlices(() => translated(file, () => connection?.exec("PRAGMA journal_mode = WAL")), signal);
        translated(file, () => connection?.exec(`PRAGMA synchronous = ${synchronous.toUpperCase()}`));
        opened = identityOf(file);
        queue = opened === null ? new FileQueue() : FileQueue.of(`${opened.dev}:${opened.ino}`);
        await inLine(() => transaction((session) => migrate(session, file), signal));
        removeOwnFile = addOwnFile(file);
      } catch (error) {
        connection.close();
        connection = opened = null;
        statements.clear();
        throw error;
      }
    },
    close: async () => {
      await queue.idle();
      statements.clear();
      connection?.close();
      connection = opened = null;
      removeOwnFile();
    },
    newerSchema: () =>
      inLine(async () => {
        mustBeThere();
        return newerSchema(file, await versionOf(own), migrations(DIALECT.name, TYPES).length);
      }),
    transaction: (work) => inLine(() => transaction(work)),
    claiming: (work) => inLine(() => transaction(work)),
    leasing: (work) => inLine(() => transaction(work)),
    session: {
      dialect: DIALECT,
      query: (sql, values) => inLine(() => own.query(sql, values)),
      insert: (table, records, options) => inLine(() => transaction((session) => session.insert(table, records, options))),
      write: (steps) => inLine(() => transaction((session) => session.write(steps))),
      endRunning: (make) => inLine(() => transaction(async () => endAll(prepared, file, make()))),
      ...(own.yield === undefined ? {} : { yield: own.yield }),
    },
    joined: () => {
      throw new HeadgateError("INVALID_ARGUMENT", "transaction: only the PostgreSQL store can join your transaction");
    },
    notify: () => {}, // other processes look once a second
    subscribe: () => () => {},
    serverTime: async () => null, // the same machine, the same clock
  };
}

interface Identity {
  readonly dev: number;
  readonly ino: number;
}

/** `null` for a database in memory, or a file that is not there. */
function identityOf(file: string): Identity | null {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? null : { dev: found.dev, ino: found.ino };
}

function isSame(one: Identity, other: Identity | null): boolean {
  return one.dev === other?.dev && one.ino === other.ino;
}

/** Tries again what meets another process's lock, and lets the event loop turn in between. */
async function inSlices<T>(work: () => T, signal?: AbortSignal): Promise<T> {
  for (let slice = 1; ; slice++) {
    try {
      return work();
    } catch (error) {
      if (slice >= BUSY_SLICES || !isLocked(error)) throw error;
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
    }
  }
}

async function versionOf(session: Session): Promise<number> {
  const [row] = await session.query("SELECT user_version FROM pragma_user_version");
  return Number(row?.user_version ?? 0);
}

async function migrate(session: Session, file: string): Promise<void> {
  const steps = migrations(DIALECT.name, TYPES);
  const version = await versionOf(session);
  const newer = newerSchema(file, version, steps.length);
  if (newer !== null) throw newer;
  for (const statement of steps.slice(version).flat()) await session.query(statement);
  await session.query(`PRAGMA user_version = ${steps.length}`);
}
