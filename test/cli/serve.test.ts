import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { headgate, newFolder, served } from "../support/cli.js";
import { hasSqlite } from "../support/sqlite.js";

const TOKEN = "a-token-of-the-tests-of-serve";
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

async function ask(url: string, method: string, path: string, { token = TOKEN, body }: { token?: string; body?: unknown } = {}) {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith("{") ? JSON.parse(text) : null };
}

describe("headgate serve", () => {
  it.skipIf(!hasCurl || !hasSqlite)(
    "without file and set-up keeps SQLite here, prints a token once, and every curl example of docs/http.md works against it",
    async () => {
      const cwd = newFolder();
      const first = await served([], { cwd });
      const printed = () => /shown only once: (hg_\S+)/.exec(first.text().err)?.[1] ?? "";
      await vi.waitFor(() => expect(printed()).not.toBe("")); // another stream than the line that it listens
      const token = printed();
      expect(first.text().out).not.toContain(token);
      expect(existsSync(join(cwd, "headgate.db"))).toBe(true);
      const [, script = ""] = /^## With curl$.*?^```sh\n(.*?)^```$/ms.exec(readFileSync("docs/http.md", "utf8")) ?? [];
      const commands = script
        .replaceAll("\\\n", " ")
        .split("\n")
        .filter((line) => line.startsWith("curl"));
      expect(commands.length).toBeGreaterThanOrEqual(13);
      const counted = script
        .replaceAll("your-api-token", token)
        .replaceAll("http://localhost:5000", first.url)
        .replaceAll(/^curl /gm, "curl -sS -o answer.json -w '%{http_code} %{url_effective}\\n' ");
      const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-euc", counted], { cwd, encoding: "utf8" });
      expect([status, stderr]).toEqual([0, ""]);
      const answers = stdout.trim().split("\n");
      expect(answers.filter((line) => !/^20[012] /.test(line))).toEqual([]);
      expect(answers).toHaveLength(script.match(/^curl /gm)?.length ?? 0);
      expect(await first.end()).toBe(0);

      const second = await served([], { cwd });
      expect(second.text().err).toBe("");
      expect((await ask(second.url, "GET", "/api/v1/schedule/config", { token })).json).toMatchObject({ schedule_interval_minutes: 120 });
      await second.end();

      const { nextFireAt } = JSON.parse(headgate(["explain", "example", "--json"], { cwd }).out);
      expect(Date.parse(nextFireAt) % 7_200_000).toBe(0); // every two hours, as it was set over HTTP
      const { text } = JSON.parse(headgate(["explain", "example", "--json", "--at", "2020-01-01T00:30:00Z"], { cwd }).out);
      expect(text).toMatch(/^example at 2020-01-01T00:30:00Z: no run was due then/);
    },
  );

  const FILE = `pipelines:
  copy: { executor: { command: { command: sh, args: [-c, "cat > /dev/null; sleep \${SLEEP:-0}"] } }, execution: { retry_delay: 1s } }
triggers:
  api: { prefix: /etl }
  files: { directory: drop, polling: 200ms }
security:
  admin_token: \${PIPELINE_API_TOKEN}
  tokens: [ { id: reader, role: viewer, token: "file:reader.token" } ]
monitoring: { metrics: true }
resources: { drain: 10s }
`;
  const serviceFolder = () => {
    const cwd = newFolder();
    writeFileSync(join(cwd, "schedule_config.yaml"), FILE);
    writeFileSync(join(cwd, "reader.token"), "the-token-of-a-reader\n");
    return cwd;
  };

  it("runs API, metrics and trigger files of a file, under its prefix, with its tokens; and ends what runs before it ends", async () => {
    const cwd = serviceFolder();
    const service = await served([], { cwd, env: { PIPELINE_API_TOKEN: TOKEN, SLEEP: "1" } });
    expect((await ask(service.url, "GET", "/etl/ready")).status).toBe(200);
    expect((await ask(service.url, "GET", "/ready")).status).toBe(404);
    expect((await ask(service.url, "GET", "/etl/metrics", { token: "the-token-of-a-reader" })).text).toContain("# TYPE headgate_");
    expect((await ask(service.url, "POST", "/etl/api/v1/trigger/manual", { token: "the-token-of-a-reader", body: {} })).status).toBe(403);
    expect((await ask(service.url, "POST", "/etl/api/v1/trigger/manual", { token: "the-token-of-nobody-at-all", body: {} })).status).toBe(
      401,
    );
    writeFileSync(join(cwd, "drop", "now.part"), JSON.stringify({ source: "test" }));
    renameSync(join(cwd, "drop", "now.part"), join(cwd, "drop", "now.trigger"));
    await service.said(/trigger file accepted/);
    await service.said(/run started/);
    expect(await service.end()).toBe(0);
    expect(service.text().out).toMatch(/run succeeded/);
    for (const line of service.text().out.trim().split("\n"))
      expect(JSON.parse(line)).toMatchObject({ time: expect.any(String), level: expect.any(String), message: expect.any(String) });
    expect(service.text().out).not.toContain(TOKEN);
  });

  it.skipIf(!hasSqlite)(
    "survives kill -9: what was accepted runs after the next start",
    async () => {
      const cwd = serviceFolder();
      const env = { PIPELINE_API_TOKEN: TOKEN, SLEEP: "30" };
      writeFileSync(join(cwd, "schedule_config.yaml"), FILE.replace("resources: {", "resources: { lease_duration: 2s,"));
      const first = await served([], { cwd, env });
      const accepted = await ask(first.url, "POST", "/etl/api/v1/trigger/manual", { body: { reason: "before the crash" } });
      await first.said(/run started/);
      await first.end("SIGKILL");
      const second = await served([], { cwd, env: { ...env, SLEEP: "0" } });
      await second.said(/run succeeded/);
      const { json } = await ask(second.url, "GET", `/etl/api/v1/trigger/status/${accepted.json.id}`);
      expect(json).toMatchObject({
        trigger: { status: "succeeded", reason: "before the crash" },
        run: { attempt: 2, attempts: [{ outcome: "lost" }] },
      });
      await second.end();
    },
    90_000,
  );

  it("takes a changed file over while it runs, tokens and webhooks too, and refuses a broken one", async () => {
    const cwd = serviceFolder();
    const service = await served(["schedule_config.yaml"], { cwd, env: { PIPELINE_API_TOKEN: TOKEN } });
    const save = (text: string) => {
      writeFileSync(join(cwd, "next"), text);
      renameSync(join(cwd, "next"), join(cwd, "schedule_config.yaml"));
    };
    save(FILE.replace("copy:", "cpy:").replace("retry_delay: 1s", "retry_delay: soon"));
    await service.said(/was not applied/);
    expect((await ask(service.url, "GET", "/etl/api/v1/pipelines")).json.items).toHaveLength(1);
    save(
      FILE.replace("triggers:", "  more: { executor: { command: { command: echo } } }\ntriggers:")
        .replace("id: reader, role: viewer", "id: reader, role: operator")
        .replace("triggers:", "triggers:\n  webhooks: [ { source: shop, pipelines: more } ]"),
    );
    await service.said(/was applied/);
    expect((await ask(service.url, "GET", "/etl/api/v1/pipelines")).json.items).toHaveLength(2);
    expect(
      (await ask(service.url, "POST", "/etl/api/v1/trigger/manual", { token: "the-token-of-a-reader", body: { pipeline: "more" } })).status,
    ).toBe(202);
    expect((await ask(service.url, "POST", "/etl/api/v1/trigger/webhook", { body: { source: "else" } })).status).toBe(403);
    expect((await ask(service.url, "POST", "/etl/api/v1/trigger/webhook", { body: { source: "shop" } })).json).toMatchObject({
      pipeline: "more",
    });
    writeFileSync(join(cwd, "reader.token"), "the-next-token-of-a-reader");
    await service.said(/security.tokens: .*changed/);
    expect((await ask(service.url, "GET", "/etl/api/v1/pipelines", { token: "the-token-of-a-reader" })).status).toBe(401);
    expect((await ask(service.url, "GET", "/etl/api/v1/pipelines", { token: "the-next-token-of-a-reader" })).status).toBe(200);
    const audit = await ask(service.url, "GET", "/etl/api/v1/audit?limit=100");
    expect(audit.json.items.filter((one: { action: string }) => one.action === "config")).toHaveLength(3);
    expect(audit.text + service.text().out).not.toMatch(/the-(next-)?token-of-a-reader/);
    await service.end();
  });

  it("says what is wrong and how it ends: a broken file, a port in use, no database", async () => {
    const cwd = serviceFolder();
    const env = { PIPELINE_API_TOKEN: TOKEN };
    const service = await served([], { cwd, env });
    const { port } = new URL(service.url);
    const other = newFolder();
    expect(headgate(["serve", "--port", port], { cwd: other })).toMatchObject({
      code: 3,
      err: expect.stringContaining(`cannot listen on 127.0.0.1:${port} (EADDRINUSE)`),
    });
    expect(headgate(["serve", "none.yaml"], { cwd: other })).toMatchObject({
      code: 2,
      err: expect.stringContaining("none.yaml does not exist"),
    });
    expect(headgate(["serve", "--json"], { cwd: other, env: { DATABASE_URL: "sqlite:/nowhere/at/all.db" } })).toMatchObject({
      code: 3,
      err: expect.stringContaining('"STORE_UNAVAILABLE"'),
    });
    expect(headgate(["serve"], { cwd, env: {} })).toMatchObject({ code: 2, err: expect.stringContaining("PIPELINE_API_TOKEN is not set") });
    await service.end();
  });
});
