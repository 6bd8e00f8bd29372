import { existsSync, realpathSync, statSync } from "node:fs";

/** Real paths of the database files that stores of this process have open; one per store. */
const open: string[] = [];
const SUFFIXES = ["", "-wal", "-shm", "-journal"];

/** Notes the database file that a store has opened; the function returned takes it off again. A database in memory has none. */
export function addOwnFile(file: string): () => void {
  if (!existsSync(file)) return () => {};
  const path = realpathSync(file);
  open.push(path);
  return () => {
    const index = open.indexOf(path);
    if (index !== -1) open.splice(index, 1);
  };
}

/** Returns true for a database file of a store of this process, or a file that SQLite keeps beside it, under whatever name (links of both kinds). */
export function isOwnFile(path: string): boolean {
  const files = open.flatMap((one) => SUFFIXES.map((suffix) => one + suffix));
  if (files.includes(path)) return true;
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return files.some((one) => {
    const own = statSync(one, { bigint: true, throwIfNoEntry: false });
    return stat !== undefined && own !== undefined && own.ino === stat.ino && own.dev === stat.dev;
  });
}
