import type { NamedConnections } from "../../gate/dependency.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { MonitoringOptions } from "./monitoring-options.js";

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
  /** Connections that external dependencies set at run time may refer to. Default: those of before. */
  connections?: NamedConnections;
  /** Secrets that must not be kept of what runs print from now on. Default: those of before. */
  redact?: readonly string[];
  /** As `redactExcept` of `createScheduler`, together with `redact`. Default none. */
  redactExcept?: readonly string[];
}

/** Result of `Scheduler.reload`: ids of pipelines. */
export interface ReloadResult {
  readonly added: readonly string[];
  readonly replaced: readonly string[];
  readonly removed: readonly string[];
}
