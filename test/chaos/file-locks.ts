import { readFileSync } from "node:fs";

/** The byte of a database's shared-memory file that is locked by who writes: WAL_WRITE_LOCK in https://sqlite.org/walformat.html#wal_locks */
const WRITE_LOCK_BYTE = 120;

/**
 * Whether a process holds SQLite's one write lock of a file in WAL mode, as far as Linux says (`/proc/locks`); `false` elsewhere. Such a lock ends with its process, and nobody
 * can take it away from one that stands still.
 */
export function holdsWriteLock(pid: number): boolean {
  if (process.platform !== "linux") return false;
  return readFileSync("/proc/locks", "utf8")
    .split("\n")
    .some((line) => isWriteLockOf(line, pid));
}

/** Reads a line of `/proc/locks`: `1: POSIX  ADVISORY  WRITE 3793 fe:00:1474578 120 120`. Waiting locks have `->` after the number. */
export function isWriteLockOf(line: string, pid: number): boolean {
  const [, kind, , mode, holder, , from, to] = line.split(/\s+/);
  if (kind !== "POSIX" || mode !== "WRITE" || Number(holder) !== pid) return false;
  return Number(from) <= WRITE_LOCK_BYTE && (to === "EOF" || Number(to) >= WRITE_LOCK_BYTE) && Number(from) > 0;
}
