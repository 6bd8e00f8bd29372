import { z } from "zod";
import { configFile } from "./schema/config.js";

/** The JSON Schema (draft 2020-12) of the configuration, which editors complete and check with. */
export function configSchema(): Record<string, unknown> {
  return {
    title: "headgate schedule_config.yaml",
    ...z.toJSONSchema(configFile, { io: "input", unrepresentable: "any" }),
  };
}
