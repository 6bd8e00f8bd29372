import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { folder, manifest, ROOT, run, write } from "./consumer.js";

const LOCKS = ["package-lock.json", "bench/peers/external/package-lock.json"];

it("npm ci of the package asks for no newer Node than the package itself, which a warning would say", async () => {
  const project = folder("engines");
  const copies = ["package.json", "package-lock.json", ".npmrc", "build/sqlite/package.json"];
  write(project, Object.fromEntries(copies.map((name) => [name, readFileSync(join(ROOT, name), "utf8")])));
  const { stderr } = await run("npm", ["ci", "--dry-run", "--offline", "--ignore-scripts", "--engine-strict"], { cwd: project });
  expect(stderr).toBe("");
});

it.each(LOCKS)("%s names no registry", (name) => {
  expect(readFileSync(join(ROOT, name), "utf8")).not.toMatch(/https?:\/\/(?!github\.com|opencollective\.com)[^"]*\.tgz|"resolved": "http/);
});

it("better-sqlite3 is an optional peer, of one version with the tests'", () => {
  const { peerDependencies, devDependencies } = manifest;
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, "build/sqlite/package.json"), "utf8"));
  const whole = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(peerDependencies["better-sqlite3"]).toBe("^12.0.0");
  expect(optionalDependencies["better-sqlite3"]).toMatch(/^\^12\./);
  expect(whole.peerDependenciesMeta["better-sqlite3"]).toEqual({ optional: true });
  expect([whole.optionalDependencies, devDependencies["better-sqlite3"]]).toEqual([undefined, undefined]);
});
