import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { connect, type SqliteConnection } from "../../src/adapters/shared/sqlite-driver.js";
import { holdsWriteLock, isWriteLockOf } from "./file-locks.js";

const open: SqliteConnection[] = [];
const folder = mkdtempSync(join(tmpdir(), "headgate-locks-"));
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("SQLite's write lock", () => {
  it.runIf(process.platform === "linux")("is seen while a process writes, and only then", () => {
    const database = connect(join(folder, "a.db"));
    open.push(database);
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    expect(holdsWriteLock(process.pid)).toBe(false);
    database.exec("BEGIN; SELECT * FROM t");
    expect(holdsWriteLock(process.pid)).toBe(false);
    database.exec("COMMIT; BEGIN IMMEDIATE");
    expect(holdsWriteLock(process.pid)).toBe(true);
    expect(holdsWriteLock(1)).toBe(false);
    database.exec("COMMIT");
    expect(holdsWriteLock(process.pid)).toBe(false);
  });

  it.each([
    ["1: POSIX  ADVISORY  WRITE 3793 fe:00:1474578 120 120", true],
    ["1: POSIX  ADVISORY  WRITE 3793 fe:00:1474578 120 127", true],
    ["1: POSIX  ADVISORY  WRITE 3794 fe:00:1474578 120 120", false],
    ["1: POSIX  ADVISORY  READ 3793 fe:00:1474578 120 120", false],
    ["1: POSIX  ADVISORY  WRITE 3793 fe:00:1474578 121 122", false],
    ["1: POSIX  ADVISORY  WRITE 3793 fe:00:1474578 0 EOF", false],
    ["1: FLOCK  ADVISORY  WRITE 3793 fe:00:1474578 0 EOF", false],
    ["1: -> POSIX  ADVISORY  WRITE 3793 fe:00:1474578 120 120", false],
  ])("is read from %s: %s", (line, isHeld) => {
    expect(isWriteLockOf(line, 3_793)).toBe(isHeld);
  });
});
