/** One glossary: what HTTP, YAML and metrics call a thing is what TypeScript calls it, in snake_case. Exceptions are the table in docs/http.md. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { INSTRUMENTS } from "../../src/adapters/metrics/instruments.js";
import { prometheusMetrics } from "../../src/adapters/metrics/prometheus.js";
import { configSchema } from "../../src/config/index.js";
import { every, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { sales, service } from "../support/service.js";
import { propertiesIn, snake, typescriptNames } from "./glossary-names.js";

/** Parts of a configuration file that code has no counterpart of: sections, and what only a file needs. */
const FILE_ONLY = [
  "adaptive_scheduling",
  "airflow",
  "api",
  "based_on",
  "business_patterns",
  "calendars",
  "changed_rows",
  "conditional_execution",
  "console",
  "default_executor",
  "email",
  "enabled",
  "environments",
  "export",
  "files",
  "format",
  "include",
  "logging",
  "patterns",
  "resources",
  "security",
  "slack",
  "worker_thread",
];
/** Words of RFC 9457, and of its `errors`. */
const RFC_9457 = ["title", "field"];

const typescript = typescriptNames();
const [, section = ""] = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8").split("\n## Names\n");
const aliases = new Map(
  [...(section.split("\n## ")[0] ?? "").matchAll(/^\| `([a-z_]+)` +\| `([A-Za-z.]+)`/gm)].map(([, name = "", other = ""]) => [name, other]),
);

/** True if TypeScript has the name, as it is or with its unit: `expires_in_minutes` is the duration `expiresIn` or the number `expiresInMs`. */
function isKnown(name: string): boolean {
  const [, base = name] = name.match(/^(.*)_(?:ms|seconds|minutes|hours)$/) ?? [];
  return typescript.has(name) || typescript.has(base) || typescript.has(`${base}_ms`);
}

const unknown = (names: Iterable<string>, others: readonly string[]) =>
  [...names].filter((name) => !isKnown(name) && !aliases.has(name) && !others.includes(name)).sort();

async function openApiNames(): Promise<Set<string>> {
  const running = await service([sales()]);
  const { json } = await running.ask("GET", "/api/v1/openapi.json");
  await running.close();
  const query = Object.values<Record<string, { parameters?: readonly { name: string; in: string }[] }>>(json.paths)
    .flatMap((ways) => Object.values(ways))
    .flatMap(({ parameters = [] }) => parameters.filter((one) => one.in !== "header").map(({ name }) => name));
  return new Set([...propertiesIn(json.components.schemas), ...query]);
}

describe("one glossary", () => {
  it("names things over HTTP as in TypeScript", async () => {
    expect(unknown(await openApiNames(), RFC_9457)).toEqual([]);
  });

  it("names things in YAML as in TypeScript", () => {
    expect(unknown(propertiesIn(configSchema()), FILE_ONLY)).toEqual([]);
  });

  it("makes the names of metrics and their labels of the same words", async () => {
    const { scheduler, clock } = await harness([pipeline({ id: "sync", schedule: every("1m"), run: () => {} })]);
    const metrics = prometheusMetrics(scheduler);
    await clock.advance("5m");
    const names = [...(await metrics.metrics()).matchAll(/^# TYPE headgate_(\w+)/gm)].map(([, name = ""]) => name);
    await scheduler.stop();
    const labels = Object.values(INSTRUMENTS).flatMap(({ labels: own }) => [...own]);
    const words = new Set([...typescript].flatMap((name) => name.split("_")));
    const conventions = ["seconds", "total", "timestamp", "tick", "up"]; // of Prometheus, and of its usual exporters
    const strange = [...names, ...labels]
      .flatMap((name) => name.split("_"))
      .filter((word) => !words.has(word) && !words.has(word.replace(/s$/, "")) && !conventions.includes(word));
    expect(strange).toEqual([]);
  });

  it("has no exception that is none: aliases lead to names, and are used", async () => {
    const used = new Set([...(await openApiNames()), ...propertiesIn(configSchema())]);
    const triggerFile = ["dag_id"];
    for (const [name, other] of aliases) {
      expect(used.has(name) || triggerFile.includes(name), name).toBe(true);
      for (const part of other.split(".")) expect(typescript.has(snake(part)), `${name} → ${other}`).toBe(true);
    }
    expect(FILE_ONLY.filter((name) => isKnown(name) || !used.has(name))).toEqual([]);
    expect(aliases.size).toBeGreaterThan(10);
  });
});
