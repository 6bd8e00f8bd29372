import { afterAll, expect, it } from "vitest";
import { HeadgateError, memoryStore } from "../../src/index.js";
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

it.each([1, 3])(
  "a world whose store was not to be had %i times is played again twice, and then judged with what went wrong",
  async (times) => {
    const places = { make: (name: StoreName) => failingOnce(name, made++ < times) };
    let made = 0;
    const { reports } = await judged(worldOf(1, SMALL), ["memory"], places);
    const outages =
      reports.get("memory")?.violations.filter(({ check, text }) => check === "errors" && /away for a while/.test(text)) ?? [];
    expect({ made, outages: outages.length }).toEqual({ made: times === 1 ? 2 : 3, outages: times === 1 ? 0 : 1 });
  },
);

function failingOnce(name: StoreName, fails: boolean) {
  const store = memoryStore({ retention: { count: 1_000_000, maxAge: "36500d" } });
  let claims = 0;
  const open = () =>
    new Proxy(store, {
      get: (target, key) => {
        if (key === "claim" && fails && ++claims === 20)
          return () => Promise.reject(new HeadgateError("STORE_UNAVAILABLE", "away for a while"));
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return { name, open };
}
