import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as rules from "../../src/entry/store-rules.js";
import { memoryStore } from "../../src/index.js";

const page = readFileSync(new URL("../../docs/extending/store.md", import.meta.url), "utf8");
const named = new Set([...page.matchAll(/`(\w+)`/g)].map(([, name]) => name));

describe("the page on writing a store", () => {
  it("names every rule that stores call", () => {
    expect(Object.keys(rules).filter((name) => !named.has(name))).toEqual([]);
  });

  it("names every operation", () => {
    const store = memoryStore();
    const names = [...Object.keys(store), ...Object.getOwnPropertyNames(Object.getPrototypeOf(store))];
    const operations = names.filter((name) => name !== "constructor" && typeof store[name as keyof typeof store] === "function");
    expect(operations.length).toBeGreaterThan(50);
    expect(operations.filter((name) => !named.has(name))).toEqual(["pruneFinished"]); // of the memory store alone
  });
});
