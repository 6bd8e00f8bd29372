import type { Load } from "../../adaptive/performance.js";
import type { IdSource } from "../../base/id.js";
import type { NamedConnections } from "../../gate/dependency.js";
import type { AuditSettings } from "../../monitor/audit.js";
import type { SensorOptions } from "../../pattern/sensor-options.js";
import type { DependencyFactory } from "../../ports/dependency.js";
import type { Logger } from "../../ports/logger.js";
import type { AnySensor } from "../../ports/sensor.js";
import type { Store } from "../../ports/store.js";
import type { Redact, Secrets } from "../../run/redact.js";
import type { Events } from "./events.js";
import type { Executors } from "./executors.js";
import type { FireQueue } from "./fire-queue.js";
import type { Signals } from "./signals.js";
import type { StoreClock } from "./store-clock.js";

/** Numbers of one scheduler; lengths in ms. */
export interface Settings {
  /** Time a node may be silent before its work is taken from it. */
  readonly leaseMs: number;
  /** A fire time no older than this is on time, not missed. */
  readonly onTimeMs: number;
  /** Time a run may go on after its signal. */
  readonly graceMs: number;
  /** No timer is trusted for longer. */
  readonly trustMs: number;
  /** Time a measured probe value is shared. */
  readonly probeTtlMs: number;
  /** Window of the statistics, ms. */
  readonly statisticsMs: number;
  /** Runs at once over all nodes and pipelines; `null` is no limit. */
  readonly maxActiveRuns: number | null;
  readonly pools: ReadonlyMap<string, number>;
}

/** State shared by the parts of the engine: the ports, the pipelines and the settings of one scheduler. */
export interface Core {
  /** The scheduler's clock, corrected by the store's. */
  readonly clock: StoreClock;
  readonly store: Store;
  readonly executors: Executors;
  /** Secrets that must not be kept or shown. */
  readonly secrets: Secrets;
  /** Takes them out of a text. */
  readonly redact: Redact;
  readonly logger: Logger;
  readonly events: Events;
  readonly signals: Signals;
  readonly fireQueue: FireQueue;
  readonly newId: IdSource;
  /** A number in [0, 1), for jitter. Named is what it is drawn for, so that simulations can keep what pipelines draw apart. */
  readonly random: (pipelineId?: string, runId?: string) => number;
  /** The name of this node. */
  readonly node: string;
  /** Replaced as a whole when they are loaded again. */
  settings: Settings;
  /** Text of at least 128 bits that nobody can guess, for tokens. */
  readonly newSecret: () => string;
  /** Makes the sensor that a pattern describes; `null` when there is nobody who could. */
  readonly sensorOf: ((options: SensorOptions, pipelineId: string) => AnySensor | null) | null;
  /** Keys of the audit log, and how often its head is reported. */
  readonly audit: AuditSettings;
  /** Measures the load of this machine. */
  readonly measureLoad: () => Pick<Load, "cpu" | "memory">;
  /** Makes conditions of external systems that are set at run time. Replaced as a whole when connections are loaded again. */
  dependencies: DependencyFactory;
  /** Makes the one that knows these connections, checked. */
  readonly dependenciesOf: (connections: NamedConnections, where: string) => DependencyFactory;
}
