import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOptions } from "../base/options.js";
import { SerialQueue } from "../base/serial-queue.js";
import type { Executor } from "../ports/executor.js";
import type { ReloadResult } from "../ports/scheduler-api/reload.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";
import { ConfigError } from "./diagnostic.js";
import { type ConfigDifference, differencesOf } from "./difference.js";
import { LOAD_OPTIONS, type LoadConfigOptions, type LoadedConfig, loadConfig } from "./load.js";

/** Changes in a configuration file. */
export interface ConfigChange {
  readonly config: LoadedConfig;
  readonly differences: readonly ConfigDifference[];
  /** Result for the pipelines. */
  readonly pipelines: ReloadResult;
  /** Paths whose change counts from the next start on. */
  readonly needsRestart: readonly string[];
}

/** Options of {@link watchConfig}. */
export interface WatchConfigOptions extends Omit<LoadConfigOptions, "previous"> {
  /** The configuration that the scheduler was created with. */
  current: LoadedConfig;
  /** Interval at which the files are checked. Default `"1s"`. */
  every?: Duration;
  /** Called with every change that was applied; the next one waits for it. Default: nothing is called. */
  onChange?: (change: ConfigChange) => unknown;
  /** Called with the reason when a change was not applied. Default: nothing is called. */
  onProblem?: (error: HeadgateError) => void;
}

/** A watch over a configuration. */
export interface ConfigWatch {
  /** The configuration in effect. */
  readonly current: LoadedConfig;
  /** Looks now; says whether there was something new and what became of it. */
  check(): Promise<"same" | "changed" | "refused">;
  /** Ends it. Twice is harmless. */
  close(): Promise<void>;
}

/** Sections, and parts of them, that are read once. */
const AT_START = [
  "store",
  "logging",
  "resources.node",
  "triggers.api.host",
  "triggers.api.port",
  "triggers.api.enabled",
  "triggers.api.connections",
  "triggers.sensors",
  "resources.lease_duration",
  "resources.misfire_threshold",
  "resources.cancel_grace_period",
  "resources.retention",
  "monitoring.statistics_window",
  "security.allow_private_networks",
  "security.audit",
];

/**
 * Takes over what changes in a configuration's files while the scheduler runs: pipelines, patterns, conditions, pools, limits, alert rules, channels and routes, in one step and
 * with an entry in the audit log. A file that is wrong changes nothing. Active runs continue.
 *
 * @throws HeadgateError `INVALID_DURATION`
 * @example
 * const watch = watchConfig(scheduler, "schedule_config.yaml", { current: config, onChange: ({ differences }) => console.log(differences) });
 */
export function watchConfig(scheduler: Scheduler, path: string, options: WatchConfigOptions): ConfigWatch {
  const { previous: _, ...loadOptions } = LOAD_OPTIONS;
  checkOptions(options, { ...loadOptions, current: true, every: true, onChange: true, onProblem: true }, "watchConfig");
  const { current, every = "1s", onChange, onProblem, ...loading } = options;
  const everyMs = durationMs(every, "watchConfig: every");
  return new Watch(scheduler, path, { everyMs, current, loading, onChange, onProblem });
}

interface Parts {
  readonly everyMs: number;
  readonly current: LoadedConfig;
  readonly loading: Omit<LoadConfigOptions, "previous">;
  readonly onChange: WatchConfigOptions["onChange"];
  readonly onProblem: WatchConfigOptions["onProblem"];
}

class Watch implements ConfigWatch {
  readonly #scheduler: Scheduler;
  readonly #path: string;
  readonly #parts: Parts;
  #current: LoadedConfig;
  /** All files of the last attempt to load. */
  #files: readonly string[];
  #taken: string;
  #seen: string;
  readonly #checks = new SerialQueue();
  #stopTimer: (() => void) | null = null;
  #isOpen = true;
  /** Of all configurations so far: runs of earlier ones may still print theirs. */
  readonly #secrets: Set<string>;
  /** Executors that no pipeline has any more; their runs may still be active. */
  readonly #retired = new Set<Executor>();

  constructor(scheduler: Scheduler, path: string, parts: Parts) {
    this.#scheduler = scheduler;
    this.#path = resolve(path);
    this.#parts = parts;
    this.#current = parts.current;
    this.#files = parts.current.files;
    this.#secrets = new Set(parts.current.scheduler.redact);
    this.#taken = this.#seen = signatureOf(this.#files);
    this.#arm();
  }

  get current(): LoadedConfig {
    return this.#current;
  }

  check(): Promise<"same" | "changed" | "refused"> {
    return this.#checks.run(() => this.#take(signatureOf(this.#files)));
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#stopTimer?.();
    await this.#checks.idle();
    for (const one of this.#retired)
      await one.close?.().catch((error: unknown) => this.#scheduler.host.report(error, "closing an executor"));
  }

  #arm(): void {
    if (!this.#isOpen) return;
    this.#stopTimer = this.#scheduler.host.clock.setTimer(this.#parts.everyMs, () => {
      const now = signatureOf(this.#files);
      const isStill = now === this.#seen; // while it goes on changing, somebody is writing it
      this.#seen = now;
      const looked = isStill && now !== this.#taken ? this.check() : Promise.resolve();
      looked.catch((error: unknown) => this.#scheduler.host.report(error, `loading ${this.#path}`)).finally(() => this.#arm());
    });
  }

  /** It is in force whatever becomes of its record, which is made up for by the next one. */
  async #inForce(change: ConfigChange): Promise<void> {
    const { host } = this.#scheduler;
    await recordConfig(this.#scheduler, change.config, change.differences).catch((error: unknown) =>
      host.report(error, "recording the changed configuration"),
    );
    try {
      await this.#parts.onChange?.(change);
    } catch (error) {
      host.report(error, "watchConfig: onChange");
    }
  }

  async #take(signature: string): Promise<"same" | "changed" | "refused"> {
    if (signature === this.#taken) return "same";
    this.#taken = signature;
    try {
      const before = this.#current;
      const config = loadConfig(this.#path, { now: this.#scheduler.host.clock.now(), ...this.#parts.loading, previous: before });
      this.#files = config.files;
      this.#taken = this.#seen = signatureOf(config.files);
      const differences = differencesOf(before, config);
      for (const secret of config.scheduler.redact ?? []) this.#secrets.add(secret);
      const { pipelines, pools, maxActiveRuns, monitoring, connections } = config.scheduler;
      const result = await this.#scheduler.reload({
        pipelines,
        redact: [...this.#secrets],
        connections: connections ?? {},
        redactExcept: config.scheduler.redactExcept ?? [],
        ...(pools === undefined ? {} : { pools }),
        ...(maxActiveRuns === undefined ? {} : { maxActiveRuns }),
        ...(monitoring === undefined ? {} : { monitoring }),
      });
      this.#current = config;
      for (const [key, work] of before.works) if (!config.works.has(key) && "executor" in work) this.#retired.add(work.executor);
      await this.#inForce({ config, differences, pipelines: result, needsRestart: needsRestart(differences) });
      return "changed";
    } catch (error) {
      if (!(error instanceof HeadgateError)) throw error;
      if (error instanceof ConfigError) this.#files = [...new Set([...this.#current.files, ...error.files])];
      else this.#taken = ""; // the store could not be reached, say: tried again
      this.#parts.onProblem?.(error);
      return "refused";
    }
  }
}

function needsRestart(differences: readonly ConfigDifference[]): readonly string[] {
  const isAtStart = (path: string) =>
    AT_START.some((section) => path === section || path.startsWith(`${section}.`) || section.startsWith(`${path}.`));
  return differences.map(({ path }) => path).filter(isAtStart);
}

/**
 * Keeps what the file says, with an entry in the audit log if that is not what was kept: also when it was changed while nothing ran.
 *
 * @param differences - what a change that was taken over has changed: what is kept has no secrets, and does not show that one is another
 */
export async function recordConfig(
  scheduler: Scheduler,
  { shown, environment }: LoadedConfig,
  differences: readonly ConfigDifference[] = [],
): Promise<void> {
  await scheduler.host.recordConfig({ environment, ...shown }, (before, after) => {
    if (before === null) return { before, after };
    const seen = differencesOf({ plain: before, shown: before }, { plain: after, shown: after });
    const all = [...seen, ...differences.filter(({ isHidden }) => isHidden)];
    const side = (name: "before" | "after") => Object.fromEntries(all.map((one) => [one.path, one[name] ?? null]));
    return all.length === 0 ? null : { before: side("before"), after: side("after") };
  });
}

function signatureOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const { ino, size, mtimeMs } = statSync(file);
        return `${file} ${ino} ${size} ${mtimeMs}`;
      } catch (error) {
        return `${file} ${(error as NodeJS.ErrnoException).code}`; // loading it says what is wrong
      }
    })
    .join("\n");
}
