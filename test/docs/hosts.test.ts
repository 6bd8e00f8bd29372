import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { freePort } from "../support/port.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-hosts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const TOKEN = "a-token-of-the-tests-for-examples";
const hasCurl = spawnSync("curl", ["--version"]).status === 0;
const hasRequests = spawnSync("python3", ["-c", "import requests"]).status === 0;

async function start(name: string, database: string) {
  const port = await freePort();
  const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL(`../../examples/${name}/server.ts`, import.meta.url))], {
    env: { ...process.env, PORT: String(port), DATABASE_URL: database, PIPELINE_API_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  while (!text.includes("listening")) {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${text}`);
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    child,
    stop: async () => {
      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      return { code, text };
    },
  };
}

async function curl(...args: string[]): Promise<{ status: number; json: Record<string, unknown> }> {
  const { stdout } = await promisify(execFile)("curl", ["-s", "-w", "\n%{http_code}", ...args]);
  const at = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(at + 1)), json: JSON.parse(stdout.slice(0, at)) };
}

const AUTH = ["-H", `Authorization: Bearer ${TOKEN}`];
const JSON_BODY = ["-H", "Content-Type: application/json", "-d"];

describe.skipIf(!hasCurl).each([
  ["express-host", ""],
  ["fastify-host", "/scheduler"],
])("examples/%s", (name, prefix) => {
  it("answers curl, runs its pipeline, keeps what it knows over a kill -9, and stops in order", async () => {
    const database = `sqlite://${join(folder, `${name}.db`)}`;
    const first = await start(name, database);
    const api = `${first.url}${prefix}/api/v1`;
    expect((await curl(`${first.url}/`)).json).toMatchObject({ service: "flights" });
    expect(await curl("-X", "POST", `${api}/trigger/immediate`, ...JSON_BODY, "{}")).toMatchObject({ status: 401 });
    const asked = await curl(
      "-X",
      "POST",
      `${api}/trigger/immediate`,
      ...AUTH,
      ...JSON_BODY,
      '{ "reason": "Data update required", "user": "admin", "parameters": { "force_full_refresh": true } }',
    );
    expect(asked).toMatchObject({ status: 202, json: { pipeline: "flight-delays", kind: "immediate" } });
    let status: Awaited<ReturnType<typeof curl>>;
    do status = await curl(`${api}/trigger/status/${asked.json.id}`, ...AUTH);
    while ((status.json.run as { status?: string } | null)?.status !== "succeeded");
    expect(status.json.run).toMatchObject({ output: { flights: 2_000, worst: [{ airport: expect.any(String) }, {}, {}] } });
    const changed = await curl(
      "-X",
      "PUT",
      `${api}/schedule/config`,
      ...AUTH,
      ...JSON_BODY,
      '{ "schedule_interval_minutes": 120, "staleness_threshold_hours": 48 }',
    );
    expect(changed).toMatchObject({ status: 200, json: { schedule_interval_minutes: 120 } });
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    const second = await start(name, database);
    expect(await curl(`${second.url}${prefix}/api/v1/schedule/config`, ...AUTH)).toMatchObject({
      json: { schedule_interval_minutes: 120, staleness_threshold_hours: 48 },
    });
    expect(await curl(`${second.url}${prefix}/api/v1/trigger/status/${asked.json.id}`, ...AUTH)).toMatchObject({
      json: { run: { status: "succeeded" } },
    });
    const { code, text } = await second.stop();
    expect([code, text.includes("stopped")]).toEqual([0, true]);
  });
});

describe.skipIf(!hasRequests)("the monitoring script of the documentation", () => {
  it("triggers by Python's requests", async () => {
    const { url, stop } = await start("express-host", `sqlite://${join(folder, "python.db")}`);
    const script = `
import json, sys
import requests

def is_data_stale():
    return True

def trigger_pipeline_if_needed():
    # Check data staleness
    if is_data_stale():
        response = requests.post(
            '${url}/api/v1/trigger/immediate',
            headers={'Authorization': 'Bearer ${TOKEN}'},
            json={
                'reason': 'Data staleness detected',
                'user': 'monitoring_system'
            }
        )
        return response.json()

print(json.dumps(trigger_pipeline_if_needed()))
`;
    const { stdout } = await promisify(execFile)("python3", ["-c", script]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "immediate",
      reason: "Data staleness detected",
      user: "monitoring_system",
      status: "pending",
    });
    await stop();
  });
});
