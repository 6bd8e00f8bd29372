import { HeadgateError, isError } from "../../../base/errors.js";

const LOCKED = /SQLITE_BUSY|SQLITE_LOCKED|is locked/i;

/** Returns true if an error says that another process has the lock. */
export function isLocked(error: unknown): boolean {
  return error instanceof HeadgateError && error.code === "STORE_UNAVAILABLE" && LOCKED.test(error.message);
}

/** SQLite's errors as ours. */
export function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof HeadgateError || !isError(error)) throw error;
    const text = `${(error as { code?: string }).code ?? ""} ${(error as { errstr?: string }).errstr ?? ""} ${error.message}`;
    const as = (code: ConstructorParameters<typeof HeadgateError>[0], advice: string) =>
      new HeadgateError(code, `sqliteStore: ${file}: ${error.message}; ${advice}`, { cause: error, details: { file } });
    if (LOCKED.test(text)) throw as("STORE_UNAVAILABLE", "another process has held its write lock for too long");
    if (/SQLITE_FULL|is full/i.test(text)) throw as("STORE_FULL", "free space on its disk");
    if (/SQLITE_READONLY|readonly/i.test(text))
      throw as("STORE_READ_ONLY", "grant this process write access to the file and its directory");
    if (/SQLITE_NOTADB|not a database|SQLITE_CORRUPT|malformed/i.test(text))
      throw as("STORE_CORRUPT", "restore it from a backup, or choose another file");
    if (/SQLITE_CANTOPEN|SQLITE_IOERR|unable to open|cannot open|disk I\/O/i.test(text))
      throw as("STORE_UNAVAILABLE", "check that its directory exists and is writable");
    if (/SQLITE_CONSTRAINT|SQLITE_TOOBIG|SQLITE_MISMATCH|constraint failed|too big|datatype mismatch/i.test(text))
      throw as("STORE_REJECTED", "the database rejected this data");
    throw error;
  }
}
