import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { testDatabaseUrl } from "../support/postgres.js";
import { testRedisUrl } from "../support/redis.js";

const ROOT = new URL("../../", import.meta.url);
/** Within the package, so that the blocks' `import "headgate"` finds the built package itself. */
const SCRATCH = new URL(".tmp/docs/", ROOT);
mkdirSync(SCRATCH, { recursive: true });

const database = await testDatabaseUrl();
const redis = await testRedisUrl();
const env = { ...process.env, ...(database === null ? {} : { DATABASE_URL: database }), ...(redis === null ? {} : { REDIS_URL: redis }) };

const files = [
  "README.md",
  "AGENTS.md",
  ...readdirSync(new URL("docs/", ROOT)).filter((name) => name.endsWith(".md")),
  ...readdirSync(new URL("docs/extending/", ROOT)).map((name) => `extending/${name}`),
];
const blocks = files.flatMap((name) => {
  const text = readFileSync(new URL(["README.md", "AGENTS.md"].includes(name) ? name : `docs/${name}`, ROOT), "utf8");
  return [...text.matchAll(/^```(js|ts)( quick-start)?\n(.*?)^```$/gms)].map(([, language, label, code = ""], index) => ({
    title: `${name} #${index + 1}`,
    file: `${name.replace(".md", "").replace("/", "-")}-${index + 1}.${language === "js" ? "mjs" : "mts"}`,
    isQuickStart: label !== undefined,
    code,
  }));
});

describe("the code in README and docs runs as it stands", () => {
  it.concurrent.each(blocks)("$title", async ({ file, code }) => {
    const path = fileURLToPath(new URL(file, SCRATCH));
    writeFileSync(path, code);
    const { stderr } = await promisify(execFile)(process.execPath, [...(file.endsWith(".mts") ? ["--import", "tsx"] : []), path], {
      cwd: fileURLToPath(SCRATCH),
      env,
    });
    // attempts that fail on purpose are logged with their stack
    expect(stderr.replaceAll(/^\S+Z \[headgate\] (?:info: .*|warn: attempt .*(?:\n {2}.*)*)/gm, "").trim()).toBe("");
  });

  it("and the first sample, when its function throws, says so at once and ends", async () => {
    const sample = blocks.find(
      ({ code, title }) => title.startsWith("getting-started") && code.includes("createScheduler({ pipelines: [sales] })"),
    );
    const code =
      sample?.code.replace("    return { rows: 12 };", '    throw new Error("boom", { cause: new Error("no such table") });') ?? "";
    expect(code).toContain("boom");
    const path = fileURLToPath(new URL("getting-started-throws.mts", SCRATCH));
    writeFileSync(path, code);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--import", "tsx", path], { timeout: 30_000 });
    expect(stderr).toMatch(/^\S+Z \[headgate\] info: loading /m);
    expect(stderr).toMatch(/^\S+Z \[headgate\] warn: attempt 1 of run \S+ of pipeline sales failed, and will be retried at \S+: boom /m);
    expect(stderr).toMatch(/^ {2}Error: boom\n {6}at .*getting-started-throws\.mts:\d+/m);
    expect(stderr).toMatch(/^ {2}caused by Error: no such table$/m);
    expect(stdout).toMatch(/^sales at .*boom/m);
  });

  it("and the quick start is there, has 20 lines at most, and says why it skipped", async () => {
    const [quick] = blocks.filter(({ isQuickStart }) => isQuickStart);
    expect(
      quick?.code
        .trim()
        .split("\n")
        .filter((line) => line.trim() !== "").length,
    ).toBeLessThanOrEqual(20);
    const path = fileURLToPath(new URL("quick-start-again.mjs", SCRATCH));
    writeFileSync(path, quick?.code ?? "");
    const { stdout } = await promisify(execFile)(process.execPath, [path]);
    expect(stdout).toMatch(/skipped: stale: data is fresh: \d+m?s old, limit 1s|skipped: stale: data is fresh/);
    expect(stdout).toMatch(/sales at .*(ran because|was skipped|no run was due)/);
  });
});
