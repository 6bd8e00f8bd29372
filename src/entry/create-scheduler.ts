import { hostname } from "node:os";
import { pid } from "node:process";
import { systemClock } from "../adapters/clocks/system-clock.js";
import { functionExecutor } from "../adapters/executors/function-executor.js";
import { consoleLogger } from "../adapters/loggers/console-logger.js";
import { dependencyFactory } from "../adapters/probes/connections.js";
import { machineLoad } from "../adapters/probes/machine.js";
import { AddressRule, type PrivateNetworks } from "../adapters/shared/address.js";
import { memoryStore } from "../adapters/stores/memory/memory-store.js";
import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { type IdSource, ulidSource } from "../base/id.js";
import { lazyModule } from "../base/lazy-module.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../base/options.js";
import { type AuditOptions, auditSettings } from "../engine/access/audit-keys.js";
import type { Settings } from "../engine/context/core.js";
import { Events } from "../engine/context/events.js";
import { Executors, secretsOf } from "../engine/context/executors.js";
import { FireQueue } from "../engine/context/fire-queue.js";
import { redactingLogger } from "../engine/context/redacting-logger.js";
import { Signals } from "../engine/context/signals.js";
import { StoreClock } from "../engine/context/store-clock.js";
import { monitoringOf } from "../engine/monitoring/monitoring-options.js";
import { SchedulerEngine } from "../engine/scheduler.js";
import type { NamedConnections } from "../gate/dependency.js";
import type { SensorOptions } from "../pattern/sensor-options.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Clock } from "../ports/clock.js";
import type { Executor } from "../ports/executor.js";
import type { Logger } from "../ports/logger.js";
import type { MonitoringOptions } from "../ports/scheduler-api/monitoring-options.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";
import type { AnySensor } from "../ports/sensor.js";
import type { Store } from "../ports/store.js";
import { type Redact, Secrets } from "../run/redact.js";

/** Options of {@link createScheduler}. */
export interface SchedulerOptions<P extends Pipeline = Pipeline> {
  /** Default none: they can be added later. */
  pipelines?: readonly P[];
  /** Default {@link memoryStore}. */
  store?: Store;
  /** Default {@link functionExecutor}, 100 runs at once. */
  executor?: Executor;
  /** Executors that pipelines name. Default none. */
  executors?: Readonly<Record<string, Executor>>;
  /**
   * Secrets of 4 characters or more that must not stand in outputs, errors, progress, logs, decisions, events and alerts. Hidden anyway: passwords, tokens and keys in addresses,
   * bearer tokens, and what executors hold (`env`, `envFrom`, `headers`, passwords), if it has 6 characters or more, and is neither a number of up to 8 digits nor a usual word. Default none.
   */
  redact?: readonly string[];
  /** Values that executors hold and that are no secrets, such as the name of a table in `env`. Default none. */
  redactExcept?: readonly string[];
  /** Makes the sensors that event-driven patterns describe: `patternSensors(…)` of `headgate/sensors`. Default: none. */
  sensorFactory?: (options: SensorOptions, pipelineId: string) => AnySensor | null;
  /** Default {@link systemClock}. */
  clock?: Clock;
  /** Default {@link consoleLogger}: information, warnings and errors. */
  logger?: Logger;
  /** The name of this node, unique among those on one store. Default `host-pid-random`. */
  node?: string;
  /** Slots by pool name: how many runs of the pipelines in the pool are active at once, over all nodes. Default none. */
  pools?: Readonly<Record<string, number>>;
  /** Runs active at once, over all pipelines and nodes. Default no limit but the executor's. */
  maxActiveRuns?: number;
  /** Time a node may be silent before its work is taken from it. Default `"30s"`. */
  leaseDuration?: Duration;
  /** A fire time no older than this is on time, not missed. Default `"30s"`. */
  misfireThreshold?: Duration;
  /** Time a run may go on after its signal before it is given up. Default `"10s"`. */
  cancelGracePeriod?: Duration;
  /** Time a probe's value is shared between conditions and pipelines. Default `"5s"`. */
  probeTtl?: Duration;
  /** Window of the statistics. Default `"24h"`. */
  statisticsWindow?: Duration;
  /** Rules and channels of alerts. Default: none are raised. */
  monitoring?: MonitoringOptions;
  /** Key and reporting of the audit log. Default: no key, the newest hash is reported every 10 minutes. */
  audit?: AuditOptions;
  /** Addresses of this machine and of private networks that external dependencies set at run time may ask. Default none. */
  allowPrivateNetworks?: PrivateNetworks;
  /** Databases, files and servers that external dependencies set at run time may name; nobody is shown their addresses. Default none. */
  connections?: NamedConnections;
  /** Measures the load of the machine, for adaptive schedules: shares, 0 to 1. Default: measured. */
  measureLoad?: () => { readonly cpu: number | null; readonly memory: number | null };
  /** A number in [0, 1), for ids and jitter. Default `Math.random`. */
  random?: () => number;
  /** Makes ids; must sort in the order they were made, and by their instant as ULIDs do: `explain` looks for what came before an instant by its id. Default ULIDs. */
  newId?: IdSource;
  /** The longest time for which a timer is trusted. Default `"30s"`. */
  maxTimerDelay?: Duration;
}

/**
 * A scheduler, not yet started.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `DUPLICATE_PIPELINE`, `UNKNOWN_POOL`, `INVALID_PIPELINE`
 * @example
 * const scheduler = createScheduler({ pipelines: [daily] });
 * await scheduler.start();
 * process.once("SIGTERM", () => scheduler.stop({ drain: "20s" }));
 */
export function createScheduler<P extends Pipeline = Pipeline>(options: SchedulerOptions<P> = {}): Scheduler<P> {
  checkOptions(options, OPTIONS, "createScheduler");
  const addresses = { allowPrivateNetworks: options.allowPrivateNetworks ?? false };
  new AddressRule(addresses); // says at once what is no network
  const dependenciesOf = (connections: NamedConnections, where: string) => dependencyFactory(connections, addresses, where);
  const random = options.random ?? Math.random;
  const secrets = new Secrets(options.redact, options.redactExcept);
  secrets.hold(secretsOf([options.executor ?? null, ...Object.values(options.executors ?? {})]));
  const logger = safe(options.logger ?? consoleLogger({ clock: options.clock ?? systemClock() }), secrets.redact);
  const core = {
    clock: new StoreClock(options.clock ?? systemClock()),
    store: options.store ?? memoryStore(),
    executors: new Executors(options.executor ?? functionExecutor(), new Map(Object.entries(options.executors ?? {}))),
    secrets,
    redact: secrets.redact,
    logger,
    events: new Events(logger, secrets.redact),
    signals: new Signals(),
    fireQueue: new FireQueue(),
    newId: options.newId ?? ulidSource(random),
    random,
    node: options.node ?? `${hostname()}-${pid}-${Math.floor(random() * 1e9).toString(36)}`,
    settings: settingsOf(options),
    sensorOf: options.sensorFactory ?? null,
    dependencies: dependenciesOf(options.connections ?? {}, "createScheduler"),
    dependenciesOf,
    audit: auditSettings(options.audit),
    measureLoad: options.measureLoad ?? machineLoad(),
    newSecret: () => lazyModule("node:crypto").randomBytes(32).toString("base64url"),
  };
  const monitoring = options.monitoring === undefined ? null : monitoringOf(options.monitoring);
  return new SchedulerEngine(core, options.pipelines ?? [], monitoring);
}

const OPTIONS: OptionNames<SchedulerOptions> = {
  pipelines: true,
  store: true,
  sensorFactory: true,
  executor: true,
  executors: true,
  redact: true,
  redactExcept: true,
  clock: true,
  logger: true,
  node: true,
  pools: true,
  maxActiveRuns: true,
  leaseDuration: true,
  misfireThreshold: true,
  cancelGracePeriod: true,
  probeTtl: true,
  statisticsWindow: true,
  monitoring: true,
  audit: true,
  allowPrivateNetworks: true,
  connections: true,
  measureLoad: true,
  random: true,
  newId: true,
  maxTimerDelay: true,
};

function settingsOf(options: SchedulerOptions): Settings {
  const length = (
    name: "leaseDuration" | "misfireThreshold" | "cancelGracePeriod" | "probeTtl" | "maxTimerDelay" | "statisticsWindow",
    fallback: Duration,
    least: number,
  ) => {
    const ms = durationMs(options[name] ?? fallback, name);
    if (ms < least) throw bad(name, `${ms} ms is too short; at least ${least} ms`);
    return ms;
  };
  const pools = new Map(Object.entries(options.pools ?? {}));
  for (const [name, slots] of pools) checkInteger(slots, { least: 1 }, `pools.${name}`, invalidArgument("createScheduler"));
  if (options.maxActiveRuns !== undefined)
    checkInteger(options.maxActiveRuns, { least: 1 }, "maxActiveRuns", invalidArgument("createScheduler"));
  return {
    leaseMs: length("leaseDuration", "30s", 1_000),
    onTimeMs: length("misfireThreshold", "30s", 0),
    graceMs: length("cancelGracePeriod", "10s", 0),
    probeTtlMs: length("probeTtl", "5s", 0),
    trustMs: length("maxTimerDelay", "30s", 100),
    statisticsMs: length("statisticsWindow", "24h", 1_000),
    maxActiveRuns: options.maxActiveRuns ?? null,
    pools,
  };
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `createScheduler: ${name}: ${problem}`, { details: { option: name } });
}

/** A logger that throws must not stop a scheduler, since nobody else could report it. It gets no secrets. */
function safe(logger: Logger, redact: Redact): Logger {
  const quiet = redactingLogger(logger, redact);
  return {
    log: (level, message, fields) => {
      try {
        quiet.log(level, message, fields);
      } catch {
        // by the port's contract: what a logger throws is dropped
      }
    },
  };
}
