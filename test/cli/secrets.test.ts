import { createHmac } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { headgate, newFolder, served } from "../support/cli.js";

const TOKEN = "a-token-of-the-tests-of-secrets";
/** Each planted in another place; all are looked for by the same word. */
const FILE = `pipelines:
  prints: { executor: { command: { command: sh, args: [-c, 'echo "$API_KEY"; printf %s "$API_KEY" | base64; echo "$1" >&2', x, "\${ARGUMENT}"], env: { API_KEY: "\${FROM_VARIABLE}" } } } }
  fails: { executor: { command: { command: sh, args: [-c, 'cat > /dev/null; echo "no access with $API_KEY" >&2; exit 1'], env: { API_KEY: planted-literal-0002 } } }, execution: { retries: 0 } }
  held:
    executor: { webhook: { url: "http://127.0.0.1:9/run?token=planted-query-0003", secret: whsec_cGxhbnRlZC13ZWJob29rLTAwMDQ=, headers: { x-api-key: planted-header-0005 } } }
    conditions: [ { healthy: { probes: [ { http: { url: "http://me:planted-userinfo-0006@127.0.0.1:9/?key=planted-key-0007", headers: { authorization: Bearer planted-bearer-0008 } } } ] } } ]
    on_block: hold
    sensors: [ { http: { url: "http://127.0.0.1:9/data?access_token=planted-sensor-0009" }, every: 1s } ]
triggers: { webhooks: [ { source: github, pipelines: prints, scheme: github, secret: [ "file:github.secret" ] } ] }
security: { admin_token: "\${PIPELINE_API_TOKEN}" }
monitoring:
  every: 1s
  channels: { hook: { webhook: { url: "http://127.0.0.1:9/alert?sig=planted-channel-0010", headers: { x-key: planted-channel-header-0011 } } } }
  routes: [ { channels: hook } ]
`;
const ENV = { PIPELINE_API_TOKEN: TOKEN, FROM_VARIABLE: "planted-variable-0001", ARGUMENT: "planted-argument-0012" };
const PLANTED = /planted|cGxhbnRlZC/;

describe("headgate serve with secrets in every place of its file", () => {
  it("shows none in its log, API, audit log and commands, and takes webhooks under old and new secrets while one is replaced", async () => {
    const cwd = newFolder();
    const write = (name: string, text: string) => {
      writeFileSync(join(cwd, `${name}.next`), text);
      renameSync(join(cwd, `${name}.next`), join(cwd, name));
    };
    write("github.secret", "planted-github-secret-0013");
    write("schedule_config.yaml", FILE);
    const service = await served([], { cwd, env: ENV });
    const texts: string[] = [];
    const ask = async (
      method: string,
      path: string,
      body?: string,
      headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` },
    ) => {
      const json = body === undefined ? {} : { "content-type": "application/json" };
      const response = await fetch(`${service.url}/api/v1/${path}`, {
        method,
        headers: { ...json, ...headers },
        ...(body === undefined ? {} : { body }),
      });
      texts.push(await response.text());
      return response.status;
    };
    const push = (after: string, secret: string) => {
      const body = JSON.stringify({ ref: "refs/heads/main", before: "0", after, commits: [], pusher: {} });
      const signature = createHmac("sha256", secret).update(body).digest("hex");
      return ask("POST", "webhooks/github", body, { "x-github-event": "push", "x-hub-signature-256": `sha256=${signature}` });
    };
    for (const pipeline of ["prints", "fails", "held"]) expect(await ask("POST", "trigger/manual", JSON.stringify({ pipeline }))).toBe(202);
    expect(await push("1", "planted-github-secret-0013")).toBe(202);
    await service.said(/run failed/);
    await service.said(/run started.*"prints"|"prints".*run succeeded|run succeeded/);
    await service.said(/decision: hold/);
    await service.said(/sensor .* of held/);
    await service.said(/alert channel hook failed/);

    write(
      "schedule_config.yaml",
      FILE.replace('[ "file:github.secret" ]', '[ planted-github-new-0014, "file:github.secret" ]').replace("0003", "0103"),
    );
    await service.said(/configuration was applied/);
    expect(await push("2", "planted-github-secret-0013")).toBe(202);
    expect(await push("3", "planted-github-new-0014")).toBe(202);
    write("schedule_config.yaml", FILE.replace('"file:github.secret"', "planted-github-new-0014"));
    await service.said(/configuration was applied[\s\S]*configuration was applied/);
    expect(await push("4", "planted-github-secret-0013")).toBe(401);
    expect(await push("5", "planted-github-new-0014")).toBe(202);

    const lists = ["triggers/pending", "audit?limit=1000", "pipelines", "alerts", "statistics", "info"];
    const ofOne = ["prints", "fails", "held"].flatMap((id) => [
      `schedule/config?pipeline=${id}`,
      ...["", "/runs", "/decisions", "/statistics"].map((part) => `pipelines/${id}${part}`),
    ]);
    const ids = texts.slice(0, 4).map((text) => `trigger/status/${JSON.parse(text).id}`);
    for (const path of [...lists, ...ofOne, ...ids]) expect([path, await ask("GET", path)]).toEqual([path, 200]);
    const commands = [["validate"], ["explain", "fails"], ["explain", "held", "--json"], ["next"]].map((args) =>
      headgate(args, { cwd, env: ENV }),
    );
    await service.end();
    const { out, err } = service.text();
    expect(out).toMatch(/no access with \[redacted\]/);
    expect(texts.join("\n")).toMatch(/exited with 1: no access with \[redacted\]/);
    for (const line of [...texts, out, err, ...commands.flatMap((one) => [one.out, one.err])].join("\n").split("\n"))
      expect(line).not.toMatch(PLANTED);
  }, 60_000);
});
