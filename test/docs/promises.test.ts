import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const text = readFileSync(new URL("docs/concepts.md", ROOT), "utf8");
const section = /\n## What is promised\n([\s\S]*?)\n## /.exec(text)?.[1] ?? "";
/** Each item of the list, with its lines joined. */
const promises = section
  .split(/\n(?=- )/)
  .filter((part) => part.startsWith("- "))
  .map((part) => part.replaceAll(/\s+/g, " ").slice(2));

describe("what docs/concepts.md promises", () => {
  it("is a list", () => {
    expect(promises.length).toBeGreaterThanOrEqual(9);
  });

  it.each(promises)("%s", (promise) => {
    const named = [...promise.matchAll(/`(test\/[^`]+\.test\.ts)`/g)].map((match) => match[1] as string);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((file) => !existsSync(fileURLToPath(new URL(file, ROOT))))).toEqual([]);
  });
});
