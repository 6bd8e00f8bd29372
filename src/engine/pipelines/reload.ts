import { HeadgateError } from "../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { ReloadOptions } from "../../ports/scheduler-api/reload.js";
import { monitoringOf } from "../monitoring/monitoring-options.js";
import type { Reload } from "./pipeline-registry.js";

const RELOAD: OptionNames<ReloadOptions> = {
  pipelines: true,
  pools: true,
  maxActiveRuns: true,
  monitoring: true,
  connections: true,
  redact: true,
  redactExcept: true,
};

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function reloadOf(options: ReloadOptions): Reload {
  checkOptions(options, RELOAD, "reload");
  const { pipelines, pools = {}, maxActiveRuns, monitoring, redact, redactExcept = [], connections } = options;
  if (!Array.isArray(pipelines))
    throw new HeadgateError("INVALID_ARGUMENT", `reload: pipelines: must be an array of pipelines (got ${shown(pipelines)})`);
  const slots = new Map(Object.entries(pools));
  for (const [name, count] of slots) checkInteger(count, { least: 1 }, `pools.${name}`, invalidArgument("reload"));
  if (maxActiveRuns !== undefined) checkInteger(maxActiveRuns, { least: 1 }, "maxActiveRuns", invalidArgument("reload"));
  return {
    pipelines,
    settings: { pools: slots, maxActiveRuns: maxActiveRuns ?? null },
    connections: connections ?? null,
    secrets: redact === undefined ? null : { given: redact, except: redactExcept },
    monitoring: monitoring === undefined ? null : monitoringOf(monitoring),
  };
}
