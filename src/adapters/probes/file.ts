import { stat } from "node:fs/promises";
import { HeadgateError } from "../../base/errors.js";
import type { Instant } from "../../base/instant.js";
import { checkOptions } from "../../base/options.js";
import { PROBE_OPTIONS, type ProbeOptions, policyOf } from "../../gate/probe.js";
import type { Probe } from "../../ports/probe.js";

/**
 * When a file was last written; a file that is not there is no data yet.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * stale({ olderThan: "1d", source: fileModified("data/flights.csv") });
 */
export function fileModified(path: string, options: ProbeOptions = {}): Probe<Instant | null> {
  checkOptions(options, PROBE_OPTIONS, "fileModified");
  return {
    name: options.name ?? `file ${checkFile(path, "fileModified")}`,
    ...policyOf(options, "fileModified"),
    measure: async () => {
      try {
        return Math.trunc((await stat(path)).mtimeMs);
      } catch (cause) {
        const { code, message } = cause as NodeJS.ErrnoException;
        if (code === "ENOENT") return null;
        throw new HeadgateError("PROBE_FAILED", `cannot be read (${code ?? message})`, { cause });
      }
    },
  };
}

export function checkFile(path: string, where: string): string {
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: path is required`);
}
