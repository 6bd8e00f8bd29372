import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import { ConfigError, type LoadConfigOptions, type LoadedConfig, loadConfig } from "../../src/config/index.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-config-"));
let count = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes files into a new folder and gives the path of the first. */
export function written(files: string | Readonly<Record<string, string>>): string {
  const own = join(folder, String(count++));
  const all = typeof files === "string" ? { "schedule_config.yaml": files } : files;
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(own, name)), { recursive: true });
    writeFileSync(join(own, name), text);
  }
  return join(own, Object.keys(all)[0] ?? "nothing");
}

export const NOW = Date.parse("2026-03-02T00:00:00Z");

export function loaded(files: string | Readonly<Record<string, string>>, options: LoadConfigOptions = {}): LoadedConfig {
  return loadConfig(written(files), { env: {}, now: NOW, ...options });
}

/** What is wrong, as `line: path: message`. */
export function problemsOf(files: string | Readonly<Record<string, string>>, options: LoadConfigOptions = {}): readonly string[] {
  try {
    loaded(files, options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ line, path, message }) => `${line}: ${path}: ${message}`);
    throw error;
  }
  return [];
}

/** A whole file around a pipeline. */
export function around(pipeline: string, rest = ""): string {
  return `pipelines:\n  sales:\n    executor: { command: { command: echo } }\n${pipeline.replaceAll(/^(?=.)/gm, "    ")}\n${rest}`;
}
