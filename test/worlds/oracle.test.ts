import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { cronFires } from "./oracle/cron.js";

const ROOT = dirname(fileURLToPath(import.meta.url));

/** Files that a file imports, by any form of import, and packages by their names. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const found = [...text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+|require\s*\(\s*)["']([^"']+)["']/g)].map(
    (match) => match[1] as string,
  );
  return found.map((name) => (name.startsWith(".") ? normalize(join(dirname(file), name.replace(/\.js$/, ".ts"))) : name));
}

describe("the oracle", () => {
  const own = ["oracle", "check", "generate"].flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name)));
  const files = [...own, join(ROOT, "spec.ts"), join(ROOT, "seen.ts"), join(ROOT, "random.ts")];

  it.each(files.map((file) => relative(ROOT, file)))("%s shares no code with src", (name) => {
    const foreign = importsOf(join(ROOT, name)).filter((one) => !files.includes(one));
    expect(foreign).toEqual([]);
  });

  it("knows the hours that do not exist, and those that come twice", () => {
    const at = (expression: string, day: string) =>
      cronFires(expression, "Europe/Berlin", Date.parse(`${day}T00:00:00Z`), Date.parse(`${day}T02:00:00Z`)).map((one) =>
        new Date(one).toISOString().slice(11, 16),
      );
    expect(at("30 2 * * *", "2026-03-29")).toEqual(["01:00"]);
    expect(at("*/30 * * * *", "2026-03-29")).toEqual(["00:00", "00:30", "01:00", "01:30"]);
    expect(at("30 2 * * *", "2026-10-25")).toEqual(["00:30"]);
    expect(at("30 * * * *", "2026-10-25")).toEqual(["00:30", "01:30"]);
  });
});
