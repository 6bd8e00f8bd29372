/**
 * The benchmark's short version: what a run costs, in counts, which are the same on a busy machine. A bound is what was counted when it was written, and about half as much again: it lets pass a change that
 * costs a little, and catches one that doubles something.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { memoryStore, type Store } from "../../src/index.js";
import { collectSqlite } from "../plans/statements.js";
import { type Cost, expectAtMost, perRun } from "./cost.js";
import { runBatches, runThroughScheduler } from "./workload.js";

const PATIENCE = { timeout: 300_000 };
/** A turn of the loop may start this many runs: the slots of the default executor. */
const SLOTS = 100;

const folder = mkdtempSync(join(tmpdir(), "headgate-counts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a run on SQLite", PATIENCE, () => {
  const open = (name: string) => sqliteStore({ file: join(folder, `${name}.db`), synchronous: "normal" });

  async function costOf(work: (store: Store) => Promise<void>, name: string): Promise<Cost> {
    const statements = await collectSqlite(() => work(open(name)));
    return { statements: statements.sent(), commits: statements.sent(/^COMMIT/) };
  }

  it.each([
    ["one by one", 10, 1, { statements: 22, commits: 4.5 }],
    ["a hundred at once", 5, 100, { statements: 9, commits: 0.045 }],
  ] as const)("%s", async (_, batches, size, bounds) => {
    const idle = await costOf((store) => runBatches(store, 0, size), `idle-${size}`);
    expectAtMost(perRun(batches * size, await costOf((store) => runBatches(store, batches, size), `${size}`), idle), bounds);
  });

  it("through the scheduler, five hundred accepted at once", async () => {
    const idle = await costOf((store) => runThroughScheduler(store, 0), "idle");
    const cost = await costOf((store) => runThroughScheduler(store, 500), "scheduler");
    expectAtMost(perRun(500, cost, idle), { statements: 9, commits: 0.06 });
  });
});

describe("a backlog of functions that return at once", PATIENCE, () => {
  it("lets the event loop turn before more have begun than there are slots", async () => {
    const ranAt: number[] = [0];
    await runThroughScheduler(memoryStore(), 1_000, (ran) => ranAt.push(ran));
    const between = ranAt.map((ran, turn) => ran - (ranAt[turn - 1] ?? 0));
    expect(ranAt.at(-1)).toBe(1_000);
    expect(Math.max(...between)).toBeLessThanOrEqual(2 * SLOTS); // a turn is looked at before its round or after it
  });
});
