import { sqliteProblem } from "../../src/adapters/shared/sqlite-driver.js";

/** Whether this Node can open SQLite files. Tests that fail for want of it are skipped by themselves (runner.ts); others ask. */
export const hasSqlite = sqliteProblem() === null;
