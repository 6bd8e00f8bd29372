import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { testRedisUrl } from "../support/redis.js";

const redis = await testRedisUrl();
const run = (name: string, env: Record<string, string> = {}) => {
  const { AIRFLOW_BASE_URL: _, ...rest } = process.env;
  const file = fileURLToPath(new URL(`../../examples/${name}/run.ts`, import.meta.url));
  return promisify(execFile)(process.execPath, ["--import", "tsx", file], { env: { ...rest, ...env } });
};

describe("the examples of engines elsewhere", () => {
  it("airflow triggers a DAG run and tells how it ended", async () => {
    const { stdout, stderr } = await run("airflow");
    expect(stdout).toMatch(/decision: run/);
    expect(stdout).toMatch(/succeeded: \{\s+dag_id: 'example_simplest_dag'/);
    expect(stderr).toBe("");
  });

  it.skipIf(redis === null)("bullmq goes on when a worker is killed", async () => {
    const { stdout } = await run("bullmq", { EXAMPLE_SECONDS: "8", REDIS_URL: redis ?? "" });
    const [before, after] = stdout.split(/worker \d+ is killed/);
    expect(before).toMatch(/run \w+ by worker \d+, attempt 1/);
    expect(after).toMatch(/run \w+ by worker \d+, attempt 1/);
  });
});
