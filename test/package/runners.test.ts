import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { folder, link, pack, ROOT, run, unpack, write } from "./consumer.js";

const project = folder("runners");
beforeAll(async () => {
  await unpack(await pack(project), project);
  link(project, ["vitest", "typescript", "@types/node"]);
  write(project, { "package.json": { name: "service", version: "1.0.0", private: true } });
});

/** The same test for each runner, after what it imports: a day on a fake clock, and a failure of a condition. */
const PLAYED = `
test("plays a day on a fake clock", async () => {
  const clock = fakeClock("2026-03-28T00:00:00Z");
  const hourly = pipeline({
    id: "hourly",
    schedule: cron("0 * * * *"),
    conditions: [stale({ olderThan: "90m" })],
    run: async ({ clock: time }) => {
      await time.sleep("5m");
      return "done";
    },
  });
  const scheduler = createScheduler({ pipelines: [hourly], clock, logger: { log: () => {} } });
  await scheduler.start();
  await clock.advance("24h");
  await scheduler.stop();
  const { items } = await scheduler.decisions();
  assert.deepEqual([...new Set(items.map(({ outcome }) => outcome))].sort(), ["run", "skip"]);
  assert.throws(() => cron("61 * * * *"), HeadgateError);
});
`;
const NAMES = "{ createScheduler, cron, HeadgateError, pipeline, stale }";
const IMPORTED = `import assert from "node:assert/strict";
import ${NAMES} from "headgate";
import { fakeClock } from "headgate/testing";
`;
const REQUIRED = `const assert = require("node:assert/strict");
const ${NAMES} = require("headgate");
const { fakeClock } = require("headgate/testing");
`;

describe("a service that is tested with node:test", () => {
  it.each([
    ["imports", "own.test.mjs", `import { test } from "node:test";\n${IMPORTED}`],
    ["requires", "own.test.cjs", `const { test } = require("node:test");\n${REQUIRED}`],
  ])("%s headgate", async (_, name, imports) => {
    write(project, { [name]: imports + PLAYED });
    const { NODE_TEST_CONTEXT: __, ...env } = process.env;
    const { stdout } = await run(process.execPath, ["--test", "--test-reporter=tap", name], { cwd: project, env });
    expect(stdout).toMatch(/^# pass 1$/m);
  });
});

describe("a service that is tested with vitest", () => {
  it.each([
    ["beside its tests", {}],
    ["inlined", { server: { deps: { inline: ["headgate"] } } }],
  ])("imports headgate, %s", async (_, options) => {
    write(project, {
      "vitest.config.mjs": `export default { test: ${JSON.stringify({ include: ["own.spec.ts"], ...options })} };`,
      "own.spec.ts": `import { test } from "vitest";\n${IMPORTED}${PLAYED}`,
    });
    const command = join(ROOT, "node_modules", "vitest", "vitest.mjs");
    const { VITEST: __, ...env } = process.env;
    const { stdout } = await run(process.execPath, [command, "run", "--reporter=json"], { cwd: project, env });
    expect(JSON.parse(stdout.slice(stdout.indexOf("{")))).toMatchObject({ numPassedTests: 1, success: true });
  });
});
