import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const SRC = new URL("../../src/", import.meta.url);
const ROOMS = [
  "engine",
  ...readdirSync(new URL("engine/", SRC), { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [`engine/${one.name}`] : [])),
  "pipeline",
  "ports",
  "ports/scheduler-api",
  "entry",
];

describe.each(ROOMS)("the header of src/%s", (room) => {
  const text = readFileSync(new URL(`${room}/README.md`, SRC), "utf8");
  const files = readdirSync(new URL(`${room}/`, SRC)).filter((name) => name.endsWith(".ts"));

  test("names every file of the room", () => {
    expect(files.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  test("names no file that is not there", () => {
    const named = [...text.matchAll(/`([a-z-]+(?:\/[a-z-]+)*\.ts)`/g)].flatMap(([, name]) => name ?? []);
    const known = (name: string) =>
      files.includes(name) ||
      ROOMS.some((other) => other.startsWith(room) && exists(`${other}/${name}`)) ||
      exists(`${room}/${name}`) ||
      exists(`engine/${name}`) ||
      exists(name);
    expect(named.filter((name) => name !== "tsup.config.ts" && !known(name))).toEqual([]);
  });

  if (room.startsWith("engine/"))
    test("says who lives there, who calls it, and what always holds", () => {
      expect(text).toMatch(/^# engine\/[a-z]+\n\n[A-Z].*\. /);
      expect(text).toContain("## Invariants");
      if (room !== "engine/firing" && room !== "engine/reading") expect(text).toContain("──►");
    });
});

function exists(path: string): boolean {
  const url = new URL(path, SRC);
  try {
    readFileSync(url);
    return true;
  } catch {
    return false;
  }
}
