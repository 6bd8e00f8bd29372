import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { headgate, newFolder, served } from "../support/cli.js";

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
    writeFileSync(join(cwd, "incoming", "today.csv"), "a,b\n1,2\n");
    expect(await outputOf("warehouse-load", "sensor", 2)).toMatchObject({ loaded: true });

    const step = parse(text("github-actions.yaml")).jobs.trigger.steps[0];
    const again = () =>
      spawnSync("bash", ["--norc", "-euc", step.run], {
        encoding: "utf8",
        env: { PATH: process.env.PATH, PIPELINE_API_URL: service.url, PIPELINE_API_TOKEN: TOKEN, GITHUB_RUN_ID: "4711" },
      });
    const [first, second] = [again(), again()];
    expect([first.status, second.status]).toEqual([0, 0]);
    expect(second.stdout).toBe(first.stdout);
    expect(await outputOf("flight-delays", "immediate", 1)).toMatchObject({
      pipeline: "flight-delays",
      parameters: { deployment_id: "4711" },
    });
    expect(await service.end()).toBe(0);
  });

  it("has an image that is built in stages, runs without root and says how it is", () => {
    const file = text("Dockerfile");
    expect(file.match(/^FROM /gm)).toHaveLength(2);
    expect(file).toMatch(/^USER node$/m);
    expect(file).toMatch(/^HEALTHCHECK /m);
    expect(file).not.toMatch(/TOKEN=|PASSWORD=/);
  });

  it("has services that need their secrets and wait for their stores", () => {
    const { services } = parse(text("compose.yaml"));
    expect(Object.keys(services)).toEqual(["headgate", "postgres", "redis"]);
    expect(services.headgate.environment).toMatchObject({
      PIPELINE_API_TOKEN: expect.stringContaining(":?"),
      DATABASE_URL: expect.stringMatching(/^postgres:/),
      REDIS_URL: expect.any(String),
    });
    expect(services.headgate.depends_on).toMatchObject({
      postgres: { condition: "service_healthy" },
      redis: { condition: "service_healthy" },
    });
  });

  it.skipIf(!hasSystemd)("has a unit that systemd understands", () => {
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", join(FOLDER, "headgate.service")], { encoding: "utf8" });
    const own = stderr.split("\n").filter((line) => line !== "" && !/is not executable|Command .* not found/.test(line)); // it is not installed here
    expect(own).toEqual([]);
  });

  it.skipIf(!hasCompose)("has a compose file that Docker understands", () => {
    const env = { PATH: process.env.PATH, PIPELINE_API_TOKEN: TOKEN, CI_TOKEN: TOKEN, POSTGRES_PASSWORD: "x" };
    const { status, stderr } = spawnSync("docker", ["compose", "-f", "compose.yaml", "config", "--quiet"], {
      cwd: FOLDER,
      env,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
