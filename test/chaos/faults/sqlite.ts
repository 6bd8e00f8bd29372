import { appendFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect, type SqliteConnection } from "../../../src/adapters/shared/sqlite-driver.js";
import { HeadgateError } from "../../../src/index.js";
import type { Environment } from "../environment.js";
import type { Fault } from "./fault.js";

const BASE = { family: "sqlite", on: ["sqlite"], aim: "all", aftermathMs: 3_000 } as const;
/** The longest that others may hold the lock, ms: a stopped node goes on before that. */
const LOCK_MS = 15_000;
const PIECE = Buffer.alloc(65_536);

/** Fills a disk to its last byte. */
function fill(path: string): void {
  for (const piece of [PIECE, PIECE.subarray(0, 1_024)])
    for (;;) {
      try {
        appendFileSync(path, piece);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        break;
      }
    }
}

function fileOf({ file }: Environment): string {
  if (file === null) throw new HeadgateError("INVALID_ARGUMENT", "there is no SQLite file to break");
  return file;
}

/** Takes the lock when it is free. A node that another fault has stopped may hold it, and this process, which lets that node go on, must not stand still meanwhile. */
async function begun(database: SqliteConnection): Promise<void> {
  for (const from = Date.now(); ; ) {
    try {
      database.exec("BEGIN IMMEDIATE");
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== "SQLITE_BUSY" || Date.now() - from > LOCK_MS) throw error;
      await wait(10);
    }
  }
}

export const SQLITE_FAULTS: readonly Fault[] = [
  {
    ...BASE,
    name: "locked file",
    weight: 4,
    holdMs: [200, 3_000],
    inject: async (environment) => {
      const other = connect(fileOf(environment));
      other.exec("PRAGMA busy_timeout = 0");
      await begun(other);
      return async () => {
        other.exec("ROLLBACK");
        other.close();
      };
    },
  },
  {
    ...BASE,
    name: "full disk",
    weight: 3,
    holdMs: [200, 2_000],
    unavailable: ({ disk }) => (disk === null ? "a disk of its own takes the right to mount one" : null),
    inject: async ({ disk }) => {
      const ballast = join(disk as string, "ballast");
      fill(ballast);
      return async () => rmSync(ballast, { force: true });
    },
  },
  {
    ...BASE,
    name: "moved file",
    weight: 1,
    holdMs: [200, 1_500],
    inject: async (environment) => {
      const file = fileOf(environment);
      const parts = ["", "-wal", "-shm"].filter((part) => existsSync(`${file}${part}`));
      for (const part of parts) renameSync(`${file}${part}`, `${file}${part}.away`);
      return async () => {
        for (const part of parts) renameSync(`${file}${part}.away`, `${file}${part}`);
      };
    },
  },
];
