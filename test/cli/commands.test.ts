import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { createScheduler } from "../../src/index.js";
import { headgate, newFolder } from "../support/cli.js";
import { testDatabaseUrl } from "../support/postgres.js";
import { hasSqlite } from "../support/sqlite.js";

const FILE = `pipelines:
  nightly: { schedule: { cron: "0 2 * * *" }, executor: work, execution: { retries: 0, timeout: 1h } }
  hourly: { pattern: production_hourly, executor: work, conditions: [ { healthy: { probes: [ { tcp: { host: db.invalid, port: 1 } } ] } } ] }
executors: { work: { command: { command: touch, args: [it-really-ran] } } }
conditional_execution: { maintenance_windows: [ { start: "02:00", end: "04:00", days: [sunday], description: Weekly } ] }
environments: { production: { pipelines: { nightly: { schedule: { cron: "0 3 * * *" } } } }, broken: { pipelines: { nightly: { sla: 1s } } } }
`;

function folderWith(text: string): string {
  const cwd = newFolder();
  writeFileSync(join(cwd, "schedule_config.yaml"), text);
  return cwd;
}

const database = await testDatabaseUrl();

/** The same server, for somebody whom it does not know. */
function stranger(url: string): string {
  const other = new URL(url);
  other.username = "nobody_whom_it_knows";
  return other.toString();
}

describe("headgate", () => {
  it("says what there is, its version, and what its exit codes mean", () => {
    const { code, out } = headgate(["--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(/serve .*validate .*schema.*init .*next .*explain .*simulate .*token /s);
    expect(out).toContain("Exit codes: 0 success");
    expect(headgate(["--version"]).out.trim()).toBe(JSON.parse(readFileSync("package.json", "utf8")).version);
    expect(headgate(["nonsense"])).toMatchObject({ code: 2, err: expect.stringContaining("unknown command") });
    expect(headgate(["next", "--count", "many"])).toMatchObject({ code: 2, err: expect.stringContaining("must be an integer") });
  });

  it("init writes a file that is valid, plays and serves, and never over another", () => {
    const cwd = newFolder();
    expect(headgate(["init"], { cwd })).toMatchObject({ code: 0, out: expect.stringContaining("wrote schedule_config.yaml") });
    expect(headgate(["init"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("already exists") });
    expect(headgate(["init", "--force"], { cwd }).code).toBe(0);
    expect(headgate(["validate"], { cwd })).toMatchObject({
      code: 0,
      out: "valid: schedule_config.yaml: development (2 pipelines), production (2 pipelines)\n",
    });
    expect(headgate(["simulate", "--from", "2026-03-01", "--to", "2026-03-08"], { cwd }).code).toBe(0);
  });

  it("validate checks every environment, or one, and tells all problems", () => {
    const cwd = folderWith(FILE);
    const { code, err, out } = headgate(["validate"], { cwd });
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(
      /^error: one problem in the configuration:\nschedule_config.yaml:6:\d+: pipelines.nightly.sla: the SLA, 1s, is shorter/,
    );
    expect(headgate(["validate", "--env", "production"], { cwd }).code).toBe(0);
    const json = headgate(["validate", "--json"], { cwd });
    expect(json.code).toBe(2);
    expect(JSON.parse(json.out)).toMatchObject({
      valid: false,
      environments: ["development", "production"],
      problems: [{ line: 6, path: "pipelines.nightly.sla" }],
    });
    expect(headgate(["validate", "none.yaml"])).toMatchObject({ code: 2, err: expect.stringContaining("none.yaml does not exist") });
  });

  it("next tells the next fire times, of an environment and from an instant", () => {
    const cwd = folderWith(FILE);
    expect(headgate(["next", "nightly", "--count", "2", "--from", "2026-03-01T00:00:00Z"], { cwd }).out).toBe(
      "at                        pipeline\n2026-03-01T02:00:00.000Z  nightly\n2026-03-02T02:00:00.000Z  nightly\n",
    );
    const json = headgate(["--json", "--env", "production", "next", "nightly", "--count", "1", "--from", "2026-03-01"], { cwd });
    expect(JSON.parse(json.out)).toEqual({ items: [{ pipeline: "nightly", at: "2026-03-01T03:00:00.000Z" }] });
    expect(headgate(["next", "nobody"], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining("available: nightly, hourly") });
    expect(JSON.parse(headgate(["next", "nobody", "--json"], { cwd }).err)).toMatchObject({ error: { code: "UNKNOWN_PIPELINE" } });
  });

  it("next and explain answer the same, with the settings and pauses of the store", async () => {
    const cwd = folderWith(FILE);
    const config = loadConfig(join(cwd, "schedule_config.yaml"), { env: {} });
    const scheduler = createScheduler({ ...config.scheduler, logger: { log: () => {} } });
    await scheduler.start();
    await scheduler.settings.change("nightly", { scheduleIntervalMs: 7 * 60_000 });
    await scheduler.pause("hourly", { user: "ana", reason: "warehouse move" });
    await scheduler.stop();
    const told = (args: readonly string[]) => JSON.parse(headgate([...args, "--json"], { cwd }).out);
    const { items } = told(["next", "nightly", "--count", "3"]);
    for (const { at, answer, dependsOn } of items) {
      expect(Date.parse(at) % (7 * 60_000)).toBe(0);
      expect(told(["explain", "nightly", "--at", at])).toMatchObject({ answer, dependsOn });
    }
    expect(headgate(["next", "hourly", "--count", "1"], { cwd }).out).toMatch(
      /hourly +will_wait +it will wait because .*paused since .* by ana .*\(warehouse move\)/,
    );
  });

  it("simulate plays without starting anything, in tables, JSON and pictures", () => {
    const cwd = folderWith(FILE);
    const span = ["--from", "2026-03-01", "--to", "2026-03-08"];
    const { out, code } = headgate(["simulate", ...span, "--svg", "t.svg", "--html", "t.html"], { cwd });
    expect(code).toBe(0);
    expect(out).toMatch(/nightly +7 +6 +0 +1\n/);
    expect(out).toMatch(/hourly +168 +166 +0 +2\n/);
    expect(out).toMatch(/2 × hourly: maintenance window: inside a window until … \(Weekly\)/);
    expect(headgate(["simulate", ...span], { cwd }).out).not.toContain("\u001b[");
    const svg = readFileSync(join(cwd, "t.svg"), "utf8");
    expect(svg.match(/<rect [^>]*><title>/g)).toHaveLength(172);
    expect(readFileSync(join(cwd, "t.html"), "utf8")).toContain(svg);
    const json = JSON.parse(
      headgate(["simulate", ...span, "--json", "--failure-rate", "0.5", "--pipeline", "nightly", "--seed", "7"], { cwd }).out,
    );
    expect(json.runs).toHaveLength(6);
    expect(json.runs.some((run: { status: string }) => run.status === "failed")).toBe(true);
    expect(json.skipped).toEqual([expect.objectContaining({ pipeline: "nightly", reason: expect.stringContaining("maintenance window") })]);
    expect(spawnSync("ls", [cwd], { encoding: "utf8" }).stdout).not.toContain("it-really-ran");
    expect(headgate(["simulate", "--from", "2026-03-08", "--to", "2026-03-01"], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining("to must be after from"),
    });
  });

  it.skipIf(!hasSqlite)("explain answers from what the store keeps, token create makes tokens in it", () => {
    const cwd = folderWith(FILE);
    const { code, out } = headgate(["explain", "nightly", "--at", "2030-01-06T02:00:00Z"], { cwd });
    expect(code).toBe(0);
    expect(out).toMatch(/^will_skip\nnightly at 2030-01-06T02:00:00Z: .*maintenance window/);
    const made = headgate(["token", "create", "--role", "operator", "--pipeline", "nightly", "--expires-in", "90d", "--json"], { cwd });
    expect(JSON.parse(made.out)).toMatchObject({ role: "operator", pipelines: ["nightly"], token: expect.stringMatching(/^hg_/) });
    expect(JSON.parse(made.out)).toMatchObject({ user: null, actsForOthers: false, createdBy: "headgate token create" });
    const named = headgate(["token", "create", "--role", "viewer", "--user", "ana", "--acts-for-others", "--json"], { cwd });
    expect(JSON.parse(named.out)).toMatchObject({ user: "ana", actsForOthers: true });
    expect(headgate(["token", "create", "--role", "viewer", "--user", "webhook:x"], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining("reserved"),
    });
    expect(headgate(["token", "create", "--role", "root"], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining("viewer, operator, admin"),
    });
    expect(headgate(["token", "create", "--role", "viewer", "--pipeline", "nobody"], { cwd }).code).toBe(2);
    const unreachable = ["postgres://127.0.0.1:1/none", ...(database === null ? [] : [stranger(database)])];
    for (const url of unreachable)
      expect(headgate(["explain", "nightly"], { cwd, env: { DATABASE_URL: url } })).toMatchObject({
        code: 3,
        err: expect.stringMatching(/^error: postgresStore: /),
      });
  });

  it("schema is what is published, and knows every key that the file may have", () => {
    const { out } = headgate(["schema"]);
    expect(JSON.parse(out)).toEqual(JSON.parse(readFileSync("dist/schema.json", "utf8")));
    expect(Object.keys(JSON.parse(out).properties)).toEqual(
      expect.arrayContaining(["include", "environments", "pipelines", "adaptive_scheduling", "security"]),
    );
  });
});
