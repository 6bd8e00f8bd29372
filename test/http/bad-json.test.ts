import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonProblemOf, locateJsonProblem } from "../../src/adapters/shared/json-syntax.js";
import { service } from "../support/service.js";

const isJson = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe("a text that is not JSON", () => {
  it.each([
    ["", "unexpected end of the text at line 1, column 1"],
    ['{"a": hunter2}', "expected a value at line 1, column 7"],
    ['{\n  "a": 1\n  "b": 2}', "expected , or } at line 3, column 3"],
    ["[1 2]", "expected , or ] at line 1, column 4"],
    ["{a: 1}", "expected a name in double quotes at line 1, column 2"],
    ['{"a" 1}', "expected : at line 1, column 6"],
    ['{"a": 1,}', "expected a name in double quotes at line 1, column 9"],
    ["[1,]", "expected a value at line 1, column 4"],
    ['"hunter2\\q"', "invalid escape sequence in a string at line 1, column 9"],
    ['"hunter2\n"', "unescaped control character in a string at line 1, column 9"],
    ['{"a": "hunter2', "the text ends within a string at line 1, column 15"],
    ["1 2", "expected the end of the text at line 1, column 3"],
    ["01", "expected a value at line 1, column 1"],
    ["nulll", "expected a value at line 1, column 1"],
  ])("%j is located without being quoted", (text, problem) => {
    expect(jsonProblemOf(text)).toBe(problem);
  });

  it("is found exactly where JSON.parse refuses one, for any text", () => {
    const token = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "\\",
      "1",
      "-",
      "0",
      "1.5e3",
      ".",
      "true",
      "null",
      "x",
      " ",
      "\n",
      "\u0001",
      "\\u00e9",
    );
    const broken = fc.tuple(fc.json(), fc.nat(), token).map(([text, at, piece]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + piece + text.slice(cut + (at % 2));
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          broken,
          fc.array(token).map((tokens) => tokens.join("")),
          fc.string(),
        ),
        (text) => {
          expect(locateJsonProblem(text) === null).toBe(isJson(text));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it("of a megabyte is located in milliseconds, however it is nested", () => {
    const texts = [
      `["${"x".repeat(1_000_000)}`,
      "[".repeat(1_000_000),
      `[${" ".repeat(1_000_000)}x`,
      `[${"1,".repeat(500_000)}`,
      `["${"\\n".repeat(500_000)}`,
    ];
    for (const text of texts) {
      const before = performance.now();
      expect(locateJsonProblem(text)).not.toBeNull();
      expect(performance.now() - before).toBeLessThan(1_000);
    }
  });
});

describe("a body that is not JSON", () => {
  it("is answered with its place, and is never quoted", async () => {
    const { ask, close } = await service();
    for (const body of ['{"token": hunter2}', "hunter2", '{"token": "hunter2', '{"token": "hunter2\\q"}']) {
      const { status, json } = await ask("POST", "/api/v1/trigger/manual", body);
      expect([status, json.code]).toEqual([400, "BAD_JSON"]);
      expect(json.detail).toMatch(/^the body is not JSON: .* at line 1, column \d+$/);
      expect(JSON.stringify(json)).not.toMatch(/hunt|unter|nter2/);
    }
    await close();
  });
});
