import { afterAll, expect, it } from "vitest";
import { SMALL, worldOf } from "./generate/world.js";
import { failedChecks, judged } from "./judge.js";
import { NOT_YET } from "./not-yet.js";
import { Places, type StoreName } from "./places.js";

/** The short form: every seed in memory, some on SQLite too. */
const SEEDS = Array.from({ length: 24 }, (_, index) => index + 1);
const ON_SQLITE = new Set([9, 13, 22]);
const places = new Places(null);
afterAll(() => places.close());

it.each(SEEDS)("world %i is as the oracle says", async (seed) => {
  const stores: StoreName[] = ON_SQLITE.has(seed) ? ["memory", "sqlite"] : ["memory"];
  const result = await judged(worldOf(seed, SMALL), stores, places);
  const failed = new Set([...failedChecks(result)].filter((name) => NOT_YET[name] === undefined));
  const violations = [...result.reports].flatMap(([store, { violations: all }]) =>
    all.filter(({ check }) => failed.has(check)).map(({ check, text }) => `${store}: ${check}: ${text}`),
  );
  expect(violations.slice(0, 5), `again: npm run test:worlds -- --small --seed ${seed}`).toEqual([]);
  expect([...result.reports.values()].every(({ counts }) => counts.answers > 0)).toBe(true);
});
