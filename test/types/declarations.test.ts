import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const DIST = new URL("../../dist/", import.meta.url);
const declarations = readdirSync(DIST, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".d.cts"))
  .map((name) => readFileSync(new URL(name, DIST), "utf8"))
  .join("\n");

describe("the published declarations", () => {
  it("have no classes but errors: parts of the engine are interfaces with what callers may use", () => {
    const classes = [...declarations.matchAll(/^(?:declare|export declare) class (\w+)/gm)].map(([, name]) => name);
    expect(classes.sort()).toEqual(["ApiError", "ConfigError", "HeadgateError", "NonRetryableError"]);
  });

  it("have nothing that is private, protected or internal", () => {
    expect(declarations.match(/^\s*(?:#\w+|private|protected)\b.*$/gm)).toBeNull();
    expect(declarations.match(/interface (?:Core|Registry|HeapEntry)\b/g)).toBeNull();
  });
});
