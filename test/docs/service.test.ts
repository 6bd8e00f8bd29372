import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { createScheduler, pipeline } from "../../src/index.js";
import { headgate, newFolder, served } from "../support/cli.js";
import { postgresBinaries, privatePostgres } from "../support/private-postgres.js";

const FOLDER = fileURLToPath(new URL("../../examples/service/", import.meta.url));
const TOKEN = "a-token-of-the-tests-of-the-service";
const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
const hasCompose = spawnSync("docker", ["compose", "version"]).status === 0;
const text = (name: string) => readFileSync(join(FOLDER, name), "utf8");
const copy = () => {
  const cwd = newFolder();
  cpSync(FOLDER, cwd, { recursive: true });
  return cwd;
};

describe("examples/service", () => {
  it("uses every section of the file, and is valid in every environment", () => {
    const properties = Object.keys(JSON.parse(headgate(["schema"]).out).properties);
    const used = { ...parse(text("schedule_config.yaml")), ...parse(text("patterns.yaml")) };
    expect(properties.filter((name) => !(name in used))).toEqual(["default_executor"]);
    const { code, out } = headgate(["validate"], { cwd: FOLDER, env: { PIPELINE_API_TOKEN: TOKEN } });
    expect([code, out]).toEqual([
      0,
      "valid: schedule_config.yaml: development (4 pipelines), production (4 pipelines), testing (4 pipelines)\n",
    ]);
  });

  it("serves: data that arrives, trigger files, webhooks, and the GitHub Actions step start its pipelines", async () => {
    const cwd = copy();
    const service = await served([], { cwd, env: { PIPELINE_API_TOKEN: TOKEN } });
    const ask = async (path: string, body?: unknown) => {
      const response = await fetch(`${service.url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at field by field
      return { status: response.status, json: (await response.json()) as any };
    };
    /** The output of a trigger's run, when the pipeline has run so often. */
    const outputOf = async (id: string, kind: string, times: number) => {
      await service.said(new RegExp(`(?:"message":"run succeeded","pipelineId":"${id}"[^]*){${times}}`));
      const [trigger] = (await ask(`/api/v1/pipelines/${id}/triggers?kind=${kind}&status=succeeded`)).json.items;
      return (await ask(`/api/v1/runs/${trigger.run_id}`)).json.output;
    };
    expect((await ask("/api/v1/trigger/webhook", { source: "stranger" })).status).toBe(403);
    expect(
      (
        await ask("/api/v1/trigger/webhook", {
          source: "data_provider",
          event: "data_updated",
          data: { dataset: "phones" },
          pipeline: "warehouse-load",
        })
      ).status,
    ).toBe(202);
    expect(await outputOf("warehouse-load", "webhook", 1)).toMatchObject({ loaded: true, parameters: { dataset: "phones" } });
    const trigger = JSON.stringify({ source: "shop", parameters: { dataset: "tablets" } });
    writeFileSync(join(cwd, "triggers", "drop", "prices.json"), trigger);
    expect(await outputOf("flight-delays", "file", 1)).toMatchObject({ parameters: { dataset: "tablets" } });
    const processed = () => readdirSync(join(cwd, "triggers", "work", "processed"));
    await expect.poll(processed).toEqual([expect.stringMatching(/~prices\.json$/)]);
    expect(await outputOf("warehouse-load", "dependency", 2)).toMatchObject({ loaded: true });
    writeFileSync(join(cwd, "incoming", "today.csv"), "a,b\n1,2\n");
    expect(await outputOf("warehouse-load", "sensor", 3)).toMatchObject({ loaded: true });

    const step = parse(text("github-actions.yaml")).jobs.trigger.steps[0];
    const again = () =>
      spawnSync("bash", ["--norc", "-euc", step.run], {
        encoding: "utf8",
        env: { PATH: process.env.PATH, PIPELINE_API_URL: service.url, PIPELINE_API_TOKEN: TOKEN, GITHUB_RUN_ID: "4711" },
      });
    const [first, second] = [again(), again()];
    expect([first.status, second.status]).toEqual([0, 0]);
    expect(second.stdout).toBe(first.stdout);
    expect(await outputOf("flight-delays", "immediate", 2)).toMatchObject({
      pipeline: "flight-delays",
      parameters: { deployment_id: "4711" },
    });
    expect(await service.end()).toBe(0);
  });

  it("has an image that is built in stages, runs without root and says how it is", () => {
    const file = text("Dockerfile");
    expect(file.match(/^FROM /gm)).toHaveLength(2);
    expect(file).toMatch(/^USER 10001:10001$/m);
    expect(file).toMatch(/^HEALTHCHECK /m);
    expect(file).not.toMatch(/TOKEN=|PASSWORD=/);
  });

  it("has an image whose service owns neither its code nor its configuration, only where trigger files are", () => {
    const file = text("Dockerfile");
    expect(file).not.toMatch(/COPY[^\n]*--chown|\bchown\b/);
    const owned = [...file.matchAll(/install -d -o headgate -g headgate -m (\d+) (\S+)/g)].map(([, mode, path]) => [path, mode]);
    expect(owned).toEqual([
      ["triggers", "0755"],
      ["triggers/drop", "1733"],
      ["triggers/work", "0700"],
    ]);
    const { directory, work_directory: work } = parse(text("schedule_config.yaml")).triggers.files;
    expect([directory, work]).toEqual(["triggers/drop", "triggers/work"]);
  });

  const compose = () => parse(text("compose.yaml"), { merge: true });

  it("has services with the least rights: no root, no capabilities, nothing to write but volumes and memory", () => {
    const { services } = compose();
    expect(Object.keys(services)).toEqual(["headgate", "postgres", "redis"]);
    for (const service of Object.values<Record<string, unknown>>(services)) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
      expect(service.user).toMatch(/^(?:10001:10001|postgres|redis)$/);
      for (const right of ["cap_add", "privileged", "network_mode", "pid", "ipc", "devices"]) expect(service).not.toHaveProperty(right);
    }
    expect([services.postgres.ports, services.redis.ports]).toEqual([undefined, undefined]);
    expect(services.headgate.ports).toEqual(["127.0.0.1:5000:5000"]);
  });

  it("has code and configuration that its service can only read, and trigger files in a volume of their own", () => {
    const { services, volumes } = compose();
    const mounts: string[] = services.headgate.volumes;
    const writable = mounts.filter((mount) => !mount.endsWith(":ro"));
    expect(writable).toEqual(["triggers:/srv/headgate/triggers"]);
    expect(volumes).toHaveProperty("triggers");
    for (const path of ["schedule_config.yaml", "patterns.yaml", "work", "incoming"])
      expect(mounts).toContain(`./${path}:/srv/headgate/${path}:ro`);
  });

  it("has secrets in files only, each service those that it needs, and waits for its stores", () => {
    const { services, secrets, networks } = compose();
    expect(services.headgate.environment).toMatchObject({
      PIPELINE_API_TOKEN: "file:/run/secrets/admin_token",
      CI_TOKEN: "file:/run/secrets/ci_token",
      DATABASE_URL: "file:/run/secrets/database_url",
    });
    const needed = Object.entries<{ secrets?: string[] }>(services).map(([name, one]) => [name, one.secrets ?? []]);
    expect(Object.fromEntries(needed)).toEqual({
      headgate: ["admin_token", "ci_token", "database_url"],
      postgres: ["postgres_password", "headgate_password"],
      redis: [],
    });
    expect(services.postgres.environment).toMatchObject({
      POSTGRES_USER: "postgres",
      POSTGRES_PASSWORD_FILE: "/run/secrets/postgres_password",
    });
    expect(text("compose.yaml")).not.toMatch(/_PASSWORD:|_TOKEN: \$/);
    const cwd = copy();
    for (let n = 0; n < 2; n++)
      expect(spawnSync("sh", ["make-secrets.sh"], { cwd, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
    for (const { file } of Object.values<{ file: string }>(secrets)) expect(readFileSync(join(cwd, file), "utf8")).toMatch(/[0-9a-f]{64}/);
    expect(statSync(join(cwd, ".secrets")).mode & 0o777).toBe(0o700);
    expect(networks.state).toEqual({ internal: true });
    expect([services.postgres.networks, services.redis.networks]).toEqual([["state"], ["state"]]);
    expect(services.headgate.depends_on).toMatchObject({
      postgres: { condition: "service_healthy" },
      redis: { condition: "service_healthy" },
    });
  });

  it("takes its tokens and the address of its store from files", async () => {
    const cwd = copy();
    writeFileSync(join(cwd, "admin"), `${TOKEN}\n`);
    writeFileSync(join(cwd, "url"), `sqlite:${join(cwd, "other.db")}\n`);
    const service = await served([], { cwd, env: { PIPELINE_API_TOKEN: "file:admin", DATABASE_URL: "file:url" } });
    const status = async (token: string) =>
      (await fetch(`${service.url}/api/v1/info`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect([await status(TOKEN), await status("file:admin")]).toEqual([200, 401]);
    expect(readdirSync(cwd)).toContain("other.db");
    expect(await service.end()).toBe(0);
  });

  const binaries = postgresBinaries();
  it.skipIf(binaries === null)(
    "has a role in PostgreSQL that owns the schema headgate, works with it, and may do nothing else",
    async () => {
      const cwd = copy();
      const server = await privatePostgres(binaries ?? "");
      try {
        const { port } = new URL(server.url);
        writeFileSync(join(cwd, "password"), "hunter2'; DROP TABLE x\n");
        const env = { PATH: process.env.PATH, PGHOST: "127.0.0.1", PGPORT: port, POSTGRES_USER: "postgres", POSTGRES_DB: "postgres" };
        const made = spawnSync("sh", ["postgres-role.sh"], {
          cwd,
          env: { ...env, HEADGATE_PASSWORD_FILE: join(cwd, "password") },
          encoding: "utf8",
        });
        expect([made.status, made.stderr]).toEqual([0, ""]);
        const url = `postgres://headgate@127.0.0.1:${port}/postgres`;
        const scheduler = createScheduler({
          pipelines: [pipeline({ id: "a", run: () => "done" })],
          store: storeFromUrl(url),
          logger: { log: () => {} },
        });
        await scheduler.start();
        const succeeded = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
        await scheduler.trigger("a");
        await succeeded;
        await scheduler.stop();
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        const { rows } = await client.query(
          "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user",
        );
        expect(rows).toEqual([{ rolsuper: false, rolcreatedb: false, rolcreaterole: false, rolreplication: false, rolbypassrls: false }]);
        const schemas = await client.query("SELECT nspname FROM pg_namespace WHERE nspowner = current_user::regrole");
        expect(schemas.rows).toEqual([{ nspname: "headgate" }]);
        for (const statement of [
          "COPY (SELECT 1) TO PROGRAM 'id'",
          "COPY (SELECT 1) TO '/tmp/headgate-of-the-tests'",
          "SELECT pg_read_file('/etc/passwd')",
          "CREATE SCHEMA other",
          "CREATE TABLE public.other (n int)",
          "CREATE TEMPORARY TABLE other (n int)",
          "CREATE ROLE other",
          "SELECT * FROM pg_authid",
        ])
          await expect(client.query(statement)).rejects.toMatchObject({ code: "42501" });
        await client.end();
      } finally {
        server.stop();
      }
    },
  );

  it("has a unit whose service writes only where trigger files are, and gets its secrets as files", () => {
    const unit = text("headgate.service");
    const values = (name: string) => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value);
    expect(values("User")).toEqual(["headgate"]);
    expect(values("ProtectSystem")).toEqual(["strict"]);
    expect(values("ReadWritePaths")).toEqual(["/srv/headgate/triggers"]);
    expect(values("CapabilityBoundingSet")).toEqual([""]);
    for (const name of ["NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "RestrictSUIDSGID"])
      expect(values(name)).toEqual(["true"]);
    expect(values("LoadCredential").map((one) => one?.split(":")[0])).toEqual(["admin_token", "ci_token", "database_url"]);
    expect(values("Environment").join(" ")).not.toMatch(/(?:TOKEN|URL)=(?!file:%d\/)/);
  });

  it.skipIf(!hasSystemd)("has a unit that systemd understands", () => {
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", join(FOLDER, "headgate.service")], { encoding: "utf8" });
    const own = stderr.split("\n").filter((line) => line !== "" && !/is not executable|Command .* not found/.test(line)); // it is not installed here
    expect(own).toEqual([]);
  });

  it.skipIf(!hasCompose)("has a compose file that Docker understands", () => {
    const { status, stderr } = spawnSync("docker", ["compose", "-f", "compose.yaml", "config", "--quiet"], {
      cwd: FOLDER,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
