/**
 * The texts of the surfaces that people and generators read, to be reviewed as prose: the help of every command, the OpenAPI document, and what metrics say of
 * themselves. `npx vitest run test/golden -u` writes them again.
 */
import { describe, expect, it } from "vitest";
import { prometheusMetrics } from "../../src/adapters/metrics/prometheus.js";
import { adaptive, loadBased, pipeline } from "../../src/index.js";
import { headgate } from "../support/cli.js";
import { harness } from "../support/harness.js";
import { sales, service } from "../support/service.js";

const COMMANDS = ["", "serve", "validate", "schema", "init", "next", "explain", "simulate", "token", "token create"] as const;

type Json = { readonly [key: string]: Json | readonly Json[] | string | number | boolean | null };

/** The descriptions in a schema, by path. */
function* descriptionsIn(schema: unknown, path: string): Generator<string> {
  if (typeof schema !== "object" || schema === null) return;
  const { description, ...rest } = schema as Readonly<Record<string, unknown>>;
  if (typeof description === "string") yield `${path}: ${description}`;
  for (const [key, value] of Object.entries(rest)) {
    const isStructure = ["properties", "items", "anyOf", "oneOf", "allOf", "additionalProperties"].includes(key) || Array.isArray(schema);
    if (key === "description" && typeof value !== "object") continue;
    yield* descriptionsIn(value, isStructure ? path : `${path}.${key}`);
  }
}

describe("the texts of", () => {
  it("the help of every command are as reviewed", async () => {
    const listed = [...headgate(["--help"]).out.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name]) => name);
    expect(listed.filter((name) => name !== "help" && !(COMMANDS as readonly string[]).includes(name ?? ""))).toEqual([]);
    const sections = COMMANDS.map((name) => {
      const { code, out } = headgate([...name.split(" ").filter(Boolean), "--help"]);
      expect(code).toBe(0);
      return `${`# headgate ${name}`.trim()}\n\n${out}`;
    });
    await expect(sections.join("\n")).toMatchFileSnapshot("cli.txt");
  });

  it("the OpenAPI document are as reviewed", async () => {
    const running = await service([sales()]);
    const { json } = await running.ask("GET", "/api/v1/openapi.json");
    await running.close();
    const lines = [`${json.info.title}: ${json.info.description}`, ""];
    for (const [path, ways] of Object.entries<Record<string, Json>>(json.paths)) {
      for (const [method, operation] of Object.entries(ways)) {
        lines.push(`${method.toUpperCase()} ${path}`, `  ${operation.summary}`, `  ${operation.description}`);
        for (const [status, response] of Object.entries(operation.responses as Json))
          lines.push(`  ${status}: ${(response as Json).description}`);
      }
    }
    lines.push("", ...Object.entries<Json>(json.components.schemas).flatMap(([name, schema]) => [...descriptionsIn(schema, name)]));
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("openapi.txt");
  });

  it("the metrics are as reviewed", async () => {
    const sync = pipeline({ id: "sync", schedule: adaptive({ base: "1m", min: "1m", max: "4m", tuner: loadBased() }), run: () => {} });
    const { scheduler, clock } = await harness([sync]);
    const metrics = prometheusMetrics(scheduler);
    await scheduler.pause({ user: "ana" });
    await clock.advance("2m");
    const help = (await metrics.metrics()).split("\n").filter((line) => line.startsWith("# HELP headgate_"));
    await scheduler.stop();
    await expect(`${help.map((line) => line.slice("# HELP ".length).replace(" ", "\n  ")).join("\n")}\n`).toMatchFileSnapshot(
      "metrics.txt",
    );
  });
});
