import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type TriggerFileWatcher, watchTriggerFiles } from "../adapters/files/watch.js";
import { createTriggerApi, type TriggerApi } from "../adapters/http/api.js";
import { guarded } from "../adapters/http/net.js";
import { CONNECTIONS_CHECKED_EVERY_MS, limitServer } from "../adapters/http/server-limits.js";
import { type PrometheusMetrics, prometheusMetrics } from "../adapters/metrics/prometheus.js";
import { sqliteProblem } from "../adapters/shared/sqlite-driver.js";
import { HeadgateError } from "../base/errors.js";
import { differenceLines } from "../config/difference.js";
import type { LoadedConfig } from "../config/load.js";
import { missingPackageLine } from "../config/missing-packages.js";
import { type ConfigChange, type ConfigWatch, recordConfig, watchConfig } from "../config/watch.js";
import { stopped } from "../engine/context/errors.js";
import { redactingLogger } from "../engine/context/redacting-logger.js";
import { createScheduler } from "../entry/create-scheduler.js";
import type { Logger } from "../ports/logger.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";
import type { Store } from "../ports/store.js";
import { type ConfigChoice, loadedFor } from "./config-source.js";
import { logEvents } from "./events-log.js";
import { type Listener, mounted } from "./mount.js";

/** Options of {@link serve}. */
export interface ServeOptions extends ConfigChoice {
  /** The address that it listens on. Default: the file's. */
  host?: string;
  /** The port that it listens on. Default: the file's. */
  port?: number;
  /** True if changes of the file are taken over. Default true. */
  watch?: boolean;
  /** Makes the logger that the configuration asks for. */
  logger: (config: LoadedConfig) => Logger;
  /** Ends it while it starts: `serve` then rejects with `SCHEDULER_STOPPED`. Once it runs, use `Service.stop`. Default none. */
  signal?: AbortSignal;
  /** Receives a token that was created because there was none: it is shown only this once. */
  onToken: (token: string) => void;
}

/** A service that runs. */
export interface Service {
  /** Where it listens; `null` when the API is switched off. */
  readonly url: string | null;
  readonly scheduler: Scheduler;
  /** Ends it: no new requests, then what runs may end (for `resources.drain`), then the store. Twice is harmless. */
  stop(): Promise<void>;
}

/**
 * Runs all that a configuration says: scheduler, HTTP API, trigger files, sensors and alerts.
 *
 * @throws ConfigError, `SCHEDULER_STOPPED` when `signal` aborts, and what the store, the port or a peer that is missing throws
 */
export async function serve(options: ServeOptions): Promise<Service> {
  const { config, path } = loadedFor(options);
  const instead = config.fallbackStore === null ? null : insteadOfSqlite(config.fallbackStore);
  const chosen = instead === null ? config.scheduler : { ...config.scheduler, store: instead.store };
  const scheduler = createScheduler({ ...chosen, logger: options.logger(config) });
  const logger = redactingLogger(options.logger(config), (text) => scheduler.host.redact(text));
  if (instead !== null) logger.log("error", MEMORY_ONLY, { store: instead.store.name, advice: instead.advice });
  logEvents(scheduler, logger);
  const parts = new Parts(scheduler, logger, config, options);
  const { signal } = options;
  const onAbort = () => void parts.stop().catch(() => {}); // thrown below
  signal?.addEventListener("abort", onAbort, { once: true });
  const steps = [
    () => scheduler.start(),
    () => recordConfig(scheduler, config),
    () => parts.listen(),
    () => parts.open(config),
    () => parts.firstToken(path === null),
  ];
  try {
    for (const step of steps) {
      if (signal?.aborted) throw stopped();
      await step();
    }
    if (signal?.aborted) throw stopped();
    if (path !== null && options.watch !== false) parts.watch(path);
  } catch (error) {
    await parts.stop().catch((failure: unknown) => logger.log("error", "stopping after a failed start", { error: failure }));
    throw signal?.aborted ? stopped() : error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  for (const one of config.missingPackages) logger.log("error", missingPackageLine(one), { ...one });
  logger.log("info", "ready", {
    url: parts.url,
    environment: config.environment,
    pipelines: config.scheduler.pipelines.length,
    file: path,
    store: chosen.store?.name,
  });
  return { url: parts.url, scheduler, stop: () => parts.stop() };
}

const MEMORY_ONLY =
  "SQLite cannot be used here, and no store was chosen: everything is kept in memory, and is lost when this ends, runs, settings and tokens included";

/** The memory store, and what to do to have SQLite; `null` where this Node can open SQLite files. */
function insteadOfSqlite(make: () => Store): { readonly store: Store; readonly advice: string } | null {
  const problem = sqliteProblem();
  return problem === null ? null : { store: make(), advice: `${problem.message}; or set DATABASE_URL` };
}

/** The parts that run beside the scheduler. */
class Parts {
  readonly #scheduler: Scheduler;
  readonly #logger: Logger;
  readonly #options: ServeOptions;
  #config: LoadedConfig;
  #server: Server | null = null;
  #api: TriggerApi | null = null;
  #answer: Listener = (_, response) => response.writeHead(503).end();
  /** The scheduler and configuration that the API and the watcher were created for. */
  #apiOf = "";
  #filesOf = "null";
  /** Made once: counters go on. */
  #metrics: PrometheusMetrics | null = null;
  #files: TriggerFileWatcher | null = null;
  #watch: ConfigWatch | null = null;
  #stopping: Promise<void> | null = null;
  url: string | null = null;

  constructor(scheduler: Scheduler, logger: Logger, config: LoadedConfig, options: ServeOptions) {
    this.#scheduler = scheduler;
    this.#logger = logger;
    this.#config = config;
    this.#options = options;
  }

  async listen(): Promise<void> {
    if (this.#config.api === null) return;
    const { host: own, port: ownPort, limits } = this.#config.api.listen;
    const { host = own, port = ownPort } = this.#options;
    const server = limitServer(
      createServer(
        { connectionsCheckingInterval: CONNECTIONS_CHECKED_EVERY_MS },
        (request, response) => void guarded(this.#scheduler.host, response, "handling a request", () => this.#answer(request, response)),
      ),
      limits,
    );
    this.#server = server;
    server.listen(port, host);
    await once(server, "listening").catch((cause: NodeJS.ErrnoException) => {
      throw new HeadgateError("PORT_UNAVAILABLE", `cannot listen on ${host}:${port} (${cause.code}); choose another port`, { cause });
    });
    server.on("error", (error) => this.#scheduler.host.report(error, `listening on ${host}:${port}`)); // such as no file descriptors for a connection
    const shown = host.includes(":") ? `[${host}]` : host;
    this.url = `http://${shown}:${(server.address() as AddressInfo).port}`;
  }

  /** The API and the trigger files as a configuration wants them; what has not changed goes on, with its event streams and counts. */
  async open(config: LoadedConfig): Promise<void> {
    const files = JSON.stringify(config.triggerFiles);
    if (files !== this.#filesOf) {
      const before = this.#files;
      this.#files = config.triggerFiles === null ? null : await watchTriggerFiles(this.#scheduler, config.triggerFiles);
      this.#filesOf = files;
      await before?.close();
    }
    if (config.api !== null) {
      const api = JSON.stringify([config.api.options, config.plain.triggers, config.hasMetrics]);
      const before = this.#api;
      if (before === null || api !== this.#apiOf) {
        if (config.hasMetrics) this.#metrics ??= prometheusMetrics(this.#scheduler);
        const metrics = config.hasMetrics && this.#metrics !== null ? { metrics: this.#metrics } : {};
        this.#api = createTriggerApi(this.#scheduler, { ...config.api.options, ...metrics });
        this.#apiOf = api;
        before?.close();
      }
      this.#answer = mounted(this.#api as TriggerApi, config.api.listen.prefix, callbacksOf(config, this.#scheduler));
    }
    this.#config = config;
  }

  /** Without a file there must be a way in; with one, its author decides. */
  async firstToken(isWanted: boolean): Promise<void> {
    const { api } = this.#config;
    if (api === null || (api.options.adminToken ?? null) !== null || (api.options.tokens ?? []).length > 0) return;
    const known = await this.#scheduler.tokens.list();
    if (known.some(({ revokedAt }) => revokedAt === null)) return;
    if (isWanted) {
      const { token } = await this.#scheduler.tokens.issue({
        role: "admin",
        description: "created by headgate serve on its first start",
        createdBy: "headgate serve",
        actsForOthers: true,
      });
      this.#options.onToken(token);
    } else
      this.#logger.log(
        "warn",
        "there is no token, so nobody can use the API; set PIPELINE_API_TOKEN, or create one: headgate token create",
        {},
      );
  }

  watch(path: string): void {
    const { environment, env } = this.#options;
    this.#watch = watchConfig(this.#scheduler, path, {
      current: this.#config,
      ...(environment === undefined ? {} : { environment }),
      ...(env === undefined ? {} : { env }),
      onChange: (change) => this.#takeOver(change),
      onProblem: (error) => this.#logger.log("error", "the changed configuration was not applied", { error, ...error.details }),
    });
  }

  async #takeOver({ config, differences, pipelines, needsRestart }: ConfigChange): Promise<void> {
    try {
      await this.open(config);
      this.#logger.log("info", "the changed configuration was applied", { changes: differenceLines(differences), ...pipelines });
      if (needsRestart.length > 0) this.#logger.log("warn", "changes that take effect after a restart", { paths: needsRestart });
    } catch (error) {
      this.#logger.log("error", "a part of the changed configuration was not applied", { error });
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#watch?.close();
    this.#server?.close();
    await this.#files?.close();
    this.#api?.close();
    await this.#scheduler.stop({ drain: this.#config.drainMs });
    this.#server?.closeAllConnections();
    this.#logger.log("info", "stopped", {});
  }
}

function callbacksOf({ callbacks }: LoadedConfig, scheduler: Scheduler): ReadonlyMap<string, Listener> {
  return new Map(callbacks.map(({ path, executor }) => [path, executor.callbacks(scheduler)]));
}
