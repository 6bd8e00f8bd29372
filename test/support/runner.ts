import { type RunnerTestCase, type RunnerTestSuite, TestRunner } from "vitest";
import { sqliteProblem } from "../../src/adapters/shared/sqlite-driver.js";

interface Thrown {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly actual?: unknown;
  readonly cause?: unknown;
}

const problem = sqliteProblem();
/** Of `MISSING_PEER`, as it is thrown, logged and printed. */
const NEEDS_SQLITE = /\bbetter-sqlite3\b/;

/**
 * Skips the tests that fail for want of SQLite, where this Node can open no SQLite file: it is older than 22.13, and better-sqlite3 was not built. They are counted as skipped, and the run says why when it begins. Everywhere else, such an
 * error fails a test like any other.
 */
export default class Runner extends TestRunner {
  /** Called once the tries of a test are over, before its result is taken. */
  onAfterRetryTask({ result }: RunnerTestCase): void {
    if (problem === null || result?.state !== "fail" || !forWantOfSqlite(result.errors)) return;
    Object.assign(result, { pending: true, note: "needs SQLite" });
  }

  /** What is set up before tests fails as a whole; the tests have been skipped then. */
  override async onAfterRunSuite(suite: RunnerTestSuite): Promise<void> {
    const { result } = suite;
    if (problem !== null && result?.state === "fail" && forWantOfSqlite(result.errors)) {
      suite.mode = "skip";
      const { errors: _, ...others } = result;
      suite.result = { ...others, state: "skip" };
    }
    await super.onAfterRunSuite(suite);
  }
}

function forWantOfSqlite(errors: readonly Thrown[] | undefined): boolean {
  return errors !== undefined && errors.length > 0 && errors.every((one) => names(one));
}

/** Whether an error, what caused it, or what a test got instead of what it expected names the driver. */
function names({ message, actual, cause }: Thrown): boolean {
  if (NEEDS_SQLITE.test(`${String(message)}\n${String(actual)}`)) return true;
  return typeof cause === "object" && cause !== null && names(cause);
}
