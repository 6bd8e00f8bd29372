import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/security.md", ROOT), "utf8");

/** Sections whose every row is a promise, with the test that would fail if it were not kept. */
const PROMISES = /^## (?:Who gets in|What a caller can cost|What a caller can reach|What is kept, and what is hidden|What is recorded)$/;
const REFERENCE = /^`((?:test|src\/testing\/contract)\/[\w./-]+\.ts)`: (.+)$/;

interface Promised {
  readonly promise: string;
  readonly references: readonly string[];
}

function promised(): readonly Promised[] {
  let isPromise = false;
  return page.split("\n").flatMap((line): Promised[] => {
    if (line.startsWith("## ")) isPromise = PROMISES.test(line);
    if (!isPromise || !line.startsWith("| ") || /^\|[ -]+\|/.test(line) || line.includes("| Test")) return [];
    const cells = line.split("|").map((cell) => cell.trim());
    return [{ promise: cells[1] ?? "", references: (cells.at(-2) ?? "").split(/ *<br> */).map((one) => one.trim()) }];
  });
}

describe("docs/security.md", () => {
  const all = promised();

  it("has promises", () => expect(all.length).toBeGreaterThan(40));

  it.each(all)("names a test that is there: $promise", ({ references }) => {
    for (const reference of references) {
      const [, file, title] = REFERENCE.exec(reference) ?? [];
      expect(file, `not a reference such as \`test/http/net.test.ts\`: name of the test (got ${reference})`).toBeDefined();
      const source = readFileSync(new URL(file ?? "", ROOT), "utf8");
      expect(source.includes(title ?? "?"), `${file} has no test "${title}"`).toBe(true);
    }
  });
});
