import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { entries } from "../../build/entries.js";
import { adaptive, every, HeadgateError, performanceBased, pipeline, type Scheduler } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { ENTRIES, METHODS, PARTS, type Table, tryOn } from "./factories.js";

/** Every entry point of the package by name, and its source. */
const SOURCES = Object.entries(entries);
const WRONG_KINDS = { text: "sales", array: [], null: null, number: 7, function: () => {}, date: new Date(0), map: new Map() };

async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    const result: unknown = await call();
    if (typeof (result as { close?: unknown } | null)?.close === "function") await (result as { close(): unknown }).close();
    return "accepted";
  } catch (error) {
    return error;
  }
}

function tryAll(table: () => Table | Promise<Table>): void {
  const rows = async () =>
    Object.entries(await table()).flatMap(([name, takers]) =>
      typeof takers === "string" ? [] : takers.map((taker) => ({ label: `${name}, ${taker.of ?? "options"}`, name, ...taker })),
    );

  test("takes what it should", async () => {
    const problems: string[] = [];
    for (const { label, valid, call, opens } of await rows()) {
      const outcome = opens === true ? "accepted" : await outcomeOf(() => call(valid));
      if (outcome !== "accepted") problems.push(`${label}: ${String(outcome)}`);
    }
    expect(problems).toEqual([]);
  });

  test("refuses an option that does not exist, by its name", async () => {
    const problems: string[] = [];
    for (const { label, valid, call } of await rows()) {
      const outcome = await outcomeOf(() => call({ ...valid, __bogus: 1 }));
      if (!(outcome instanceof HeadgateError && outcome.message.includes("__bogus"))) problems.push(`${label}: ${String(outcome)}`);
    }
    expect(problems).toEqual([]);
  });

  test("refuses what is no object of options", async () => {
    const problems: string[] = [];
    for (const { label, call, accepts } of await rows())
      for (const [kind, wrong] of Object.entries(WRONG_KINDS)) {
        if (accepts?.some((one) => one === kind)) continue;
        const outcome = await outcomeOf(() => call(wrong));
        if (!(outcome instanceof HeadgateError)) problems.push(`${label}: ${kind}: ${String(outcome)}`);
      }
    expect(problems).toEqual([]);
  });
}

describe.each(SOURCES)("the entry point %s", (name, source) => {
  const load = () => import(`../../${source}`) as Promise<Record<string, unknown>>;
  const tableOf = async (): Promise<Table> => ENTRIES[name]?.(await load()) ?? {};

  test("has its functions in the table: none without a check of its options", async () => {
    const functions = Object.entries(await load()).flatMap(([own, value]) => (typeof value === "function" ? [own] : []));
    expect(Object.keys(await tableOf()).sort()).toEqual(functions.sort());
  });

  tryAll(tableOf);
});

describe("a scheduler's methods", () => {
  let scheduler: Scheduler;
  beforeAll(async () => {
    const tuned = adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased() });
    const pipelines = [
      pipeline({ id: "a", schedule: every("1h"), run: () => {} }),
      pipeline({ id: "b", run: () => {} }),
      pipeline({ id: "adaptive", schedule: tuned, run: () => {} }),
    ];
    ({ scheduler } = await harness(pipelines));
    tryOn(scheduler);
  });
  afterAll(() => scheduler.stop());

  const methodsOf = (object: object) =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter(
      (name) => name !== "constructor" && typeof (object as Record<string, unknown>)[name] === "function",
    );

  test("are all in the table, and those of its parts", () => {
    expect(Object.keys(METHODS).sort()).toEqual(methodsOf(scheduler).sort());
    for (const [part, table] of Object.entries(PARTS))
      expect(Object.keys(table).sort(), part).toEqual(methodsOf(scheduler[part as "settings"]).sort());
  });

  tryAll(() => METHODS);
  describe.each(Object.entries(PARTS))("of %s", (_, table) => {
    tryAll(() => table);
  });
});
