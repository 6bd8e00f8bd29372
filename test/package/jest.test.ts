import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { folder, link, manifest, pack, ROOT, run, unpack } from "./consumer.js";

const project = folder("jest");
beforeAll(async () => {
  await unpack(await pack(project), project);
  link(project, [...Object.keys(manifest.peerDependencies), "typescript", "@types/node"]);
});

/** Returns what Jest says of one test file: an exit code other than 0 is a failed test here. */
async function jest(name: string, text: string, { config = {}, nodeOptions = "" } = {}): Promise<string> {
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", version: "1.0.0", private: true }));
  writeFileSync(join(project, name), text);
  writeFileSync(join(project, "jest.config.json"), JSON.stringify({ testMatch: [`<rootDir>/${name}`], ...config }));
  const command = join(ROOT, "node_modules", "jest", "bin", "jest.js");
  const options = { cwd: project, env: { ...process.env, NODE_OPTIONS: nodeOptions, CI: "1" } };
  const { stderr } = await run(process.execPath, [command, "--config", "jest.config.json"], options).catch((error: Error) => {
    throw new Error(`Jest failed: ${error.message}`);
  });
  return stderr;
}

/** The same test in each dialect, after its imports. */
const PLAYED = `
const clockTest = async () => {
  const clock = fakeClock("2026-03-28T00:00:00Z");
  const daily = pipeline({
    id: "daily",
    schedule: cron("0 2 * * *", { timeZone: "Europe/Berlin" }),
    execution: { retries: 1, retryDelay: "10m", retryOn: ["ENOENT"] },
    run: async ({ attempt, clock: time }) => {
      await time.sleep("5m");
      if (attempt === 1) readFileSync("missing.csv");
      return { attempt };
    },
  });
  const scheduler = createScheduler({ pipelines: [daily], clock, logger: { log: () => {} } });
  await scheduler.start();
  await clock.advanceTo("2026-03-28T01:20:00Z");
  const [run] = (await scheduler.runs()).items;
  expect(run).toMatchObject({ status: "succeeded", attempt: 2, output: { attempt: 2 } });
  expect(run?.attempts[0]?.error).toMatchObject({ code: "ENOENT" });
  await scheduler.stop();
  expect(() => cron("61 * * * *")).toThrow(HeadgateError);
};
test("plays two attempts on a fake clock", clockTest);
test("simulates a day", async () => {
  const played = await simulate({
    pipelines: [pipeline({ id: "hourly", schedule: cron("0 * * * *"), run: () => {} })],
    from: "2026-01-01",
    to: "2026-01-02",
  });
  expect(played.counts.runs).toBe(24);
});
`;

const REQUIRED = `
const { readFileSync } = require("node:fs");
const { createScheduler, cron, HeadgateError, pipeline } = require("headgate");
const { fakeClock, simulate } = require("headgate/testing");
`;
const IMPORTED = `
import { readFileSync } from "node:fs";
import { createScheduler, cron, HeadgateError, pipeline } from "headgate";
import { fakeClock, simulate } from "headgate/testing";
`;

describe("a service that is tested with Jest", () => {
  it("requires headgate in Jest's default mode", async () => {
    expect(await jest("plain.test.js", REQUIRED + PLAYED)).toMatch(/Tests:\s+2 passed, 2 total/);
  });

  it("can require every entry point, which share one HeadgateError", async () => {
    const names = Object.keys(manifest.exports).filter((name) => !name.endsWith(".json"));
    const text = `
const { HeadgateError } = require("headgate");
test.each(${JSON.stringify(names.map((name) => name.replace(".", "headgate")))})("%s", (name) => {
  expect(Object.keys(require(name)).length).toBeGreaterThan(0);
});
test("errors of another entry point", () => {
  expect(() => require("headgate/sqlite").sqliteStore({ fiel: "x" })).toThrow(HeadgateError);
});
`;
    expect(await jest("entries.test.js", text)).toMatch(new RegExp(`Tests:\\s+${names.length + 1} passed`));
  });

  it.each(["commonjs", "nodenext"])("imports it in TypeScript by ts-jest, with its types, compiled as %s", async (module) => {
    const tsconfig = { module, target: "es2022", strict: true, esModuleInterop: true, types: ["node"], skipLibCheck: true };
    const transform = {
      "^.+\\.ts$": [join(ROOT, "node_modules", "ts-jest"), { tsconfig, diagnostics: { ignoreCodes: [151002] } }],
    };
    const text = `${IMPORTED}
declare const test: (name: string, run: () => Promise<void>) => void;
declare const expect: (value: unknown) => { toBe(other: unknown): void; toMatchObject(other: unknown): void; toThrow(type: unknown): void };
${PLAYED}
// @ts-expect-error an unknown option
export const unknownOption = () => pipeline({ id: "x", retries: 3, run: () => {} });
`;
    expect(await jest(`${module}.test.ts`, text, { config: { transform } })).toMatch(/Tests:\s+2 passed, 2 total/);
  });

  it("imports it in ES modules", async () => {
    const config = { transform: {}, moduleFileExtensions: ["mjs", "js"] };
    const said = await jest("esm.test.mjs", IMPORTED + PLAYED, { config, nodeOptions: "--experimental-vm-modules" });
    expect(said).toMatch(/Tests:\s+2 passed, 2 total/);
  });

  it("is one copy in Node, whether it is imported or required", async () => {
    const text = `import { createRequire } from "node:module";
import * as imported from "headgate";
import * as stores from "headgate/sqlite";
const required = createRequire(import.meta.url)("headgate");
console.log(required.HeadgateError === imported.HeadgateError, createRequire(import.meta.url)("headgate/sqlite").sqliteStore === stores.sqliteStore);`;
    writeFileSync(join(project, "copies.mjs"), text);
    expect((await run(process.execPath, ["copies.mjs"], { cwd: project })).stdout.trim()).toBe("true true");
  });
});
