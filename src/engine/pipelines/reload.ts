import { HeadgateError } from "../../base/errors.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { NamedConnections } from "../../gate/dependency.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { type MonitoringOptions, monitoringOf } from "../monitoring/monitoring-options.js";
import type { Reload } from "./pipeline-registry.js";

/** Options of `Scheduler.reload`: what is not given is none. */
export interface ReloadOptions {
  /** All pipelines that there are from now on. */
  pipelines: readonly Pipeline[];
  /** As `pools` of `createScheduler`. Default none. */
  pools?: Readonly<Record<string, number>>;
  /** As `maxActiveRuns` of `createScheduler`. Default: no limit but the executor's. */
  maxActiveRuns?: number;
  /** As `monitoring` of `createScheduler`. Default: no alerts. */
  monitoring?: MonitoringOptions;
  /** What external dependencies set at run time may name. Default: those of before. */
  connections?: NamedConnections;
  /** Secrets that must not be kept of what runs print from now on. Default: those of before. */
  redact?: readonly string[];
  /** As `redactExcept` of `createScheduler`, together with `redact`. Default none. */
  redactExcept?: readonly string[];
}

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
  for (const [name, count] of slots) whole(count, `pools.${name}`);
  if (maxActiveRuns !== undefined) whole(maxActiveRuns, "maxActiveRuns");
  return {
    pipelines,
    settings: { pools: slots, maxActiveRuns: maxActiveRuns ?? null },
    connections: connections ?? null,
    secrets: redact === undefined ? null : { given: redact, except: redactExcept },
    monitoring: monitoring === undefined ? null : monitoringOf(monitoring),
  };
}

function whole(value: number, name: string): void {
  if (!Number.isInteger(value) || value < 1)
    throw new HeadgateError("INVALID_ARGUMENT", `reload: ${name}: ${value} must be a whole number from 1`);
}
