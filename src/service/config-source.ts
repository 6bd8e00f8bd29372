import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type LoadConfigOptions, type LoadedConfig, loadConfig } from "../config/load.js";
import { EXAMPLE, EXAMPLE_FUNCTIONS } from "./example.js";

/** The file that is looked for when none is named. */
export const USUAL_FILE = "schedule_config.yaml";

/** Choice of a configuration. */
export interface ConfigChoice {
  /** Default: `schedule_config.yaml`, if it is there; else an example. */
  readonly file?: string;
  readonly environment?: string;
  readonly env?: LoadConfigOptions["env"];
}

/** Returns the configuration to run and its file; `null` for the example. */
export function loadedFor({ file, environment, env = process.env }: ConfigChoice): { config: LoadedConfig; path: string | null } {
  const loading = { env, ...(environment === undefined ? {} : { environment }) };
  const path = file ?? (existsSync(USUAL_FILE) ? USUAL_FILE : null);
  if (path !== null) return { config: loadConfig(path, loading), path: resolve(path) };
  return { config: loadConfig("the example.yaml", { ...loading, text: EXAMPLE, functions: EXAMPLE_FUNCTIONS }), path: null };
}
