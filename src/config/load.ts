import { systemClock } from "../adapters/clocks/system-clock.js";
import type { TriggerFileOptions } from "../adapters/files/watch.js";
import type { TriggerApiOptions } from "../adapters/http/options.js";
import { jsonLogger } from "../adapters/loggers/json-logger.js";
import { patternSensors } from "../adapters/sensors/patterns.js";
import { durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { SchedulerOptions } from "../entry/create-scheduler.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { LogLevel } from "../ports/logger.js";
import type { Store } from "../ports/store.js";
import { isLikelySecret } from "../run/secret-forms.js";
import { plainOf, type Tree } from "./ast.js";
import { connectionsOf } from "./compile/connections.js";
import { BuildContext, camel, OWN_ADDRESSES } from "./compile/context.js";
import { type Callbacks, callbacksOf, type Work } from "./compile/executors.js";
import { monitoringOf } from "./compile/monitoring.js";
import { type Functions, pipelinesOf } from "./compile/pipelines.js";
import { apiOf, auditOf, type ListenOptions, storeOf, triggerFilesOf } from "./compile/service.js";
import { crossCheck } from "./cross-checks.js";
import { ConfigError, type ConfigProblem, nearMatch } from "./diagnostic.js";
import { interpolated } from "./interpolate.js";
import { masked, maskerOf } from "./mask.js";
import { mergeTrees, without } from "./merge.js";
import { type MissingPackage, missingPackages } from "./missing-packages.js";
import { readSource } from "./read.js";
import type { SettledConfig } from "./schema/config.js";
import { namesIn, secretsIn } from "./secrets.js";
import { validated } from "./validate.js";

/** Options of {@link loadConfig}. */
export interface LoadConfigOptions {
  /** Name in the file's `environments` to apply. Default: HEADGATE_ENV, else NODE_ENV, else `development`. */
  environment?: string;
  /** Where variables come from. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The work of pipelines that name no executor: functions by pipeline id. Default none. */
  functions?: Functions;
  /** The instant from which fire times are looked at by checks, epoch ms. Default: now. */
  now?: number;
  /** Content of the file; its path is only a name then. Default: the file is read. */
  text?: string;
  /** The previous configuration: executors that are described in the same way are taken over from it. Default: all are made again. */
  previous?: LoadedConfig;
}

/** A configuration, checked, as the options that code would give. */
export interface LoadedConfig {
  /** The environment that was chosen. */
  readonly environment: string;
  /** Every file that was read; absolute. */
  readonly files: readonly string[];
  /** For `createScheduler`. */
  readonly scheduler: SchedulerOptions & { readonly pipelines: readonly Pipeline[] };
  /** For `createTriggerApi`, and where to listen; `null` when the file switches it off. */
  readonly api: { readonly listen: ListenOptions; readonly options: TriggerApiOptions } | null;
  /** For `watchTriggerFiles`; `null` when there are none. */
  readonly triggerFiles: TriggerFileOptions | null;
  /** @internal Where executors of the kind `webhook` are called back. */
  readonly callbacks: readonly Callbacks[];
  /** True if `/metrics` is wanted. */
  readonly hasMetrics: boolean;
  readonly logging: { readonly level: LogLevel; readonly format: "json" | "text" | null };
  /** Time running work may continue when the service stops, ms. */
  readonly drainMs: number;
  /** Parts that need a package which is not installed: they will not work. */
  readonly missingPackages: readonly MissingPackage[];
  /** @internal Makes a store that needs no package, where nobody has chosen one and the default is SQLite; `null` where somebody has. */
  readonly fallbackStore: (() => Store) | null;
  /** The effective content for this environment, with variables inserted and secrets hidden: safe to show, store and compare. */
  readonly shown: Readonly<Record<string, unknown>>;
  /** @internal The same with its secrets. */
  readonly plain: Readonly<Record<string, unknown>>;
  /** @internal Executors by what describes them. */
  readonly works: ReadonlyMap<string, Work>;
  /** @internal What each pipeline was made of. */
  readonly origins: ReadonlyMap<string, string>;
}

export const LOAD_OPTIONS: OptionNames<LoadConfigOptions> = {
  environment: true,
  env: true,
  functions: true,
  now: true,
  text: true,
  previous: true,
};
const USUAL = ["production", "development", "testing", "test"];

/**
 * Reads a `schedule_config.yaml` into the options that code uses. All problems are reported at once.
 *
 * @throws ConfigError (`INVALID_CONFIG`) with `problems`
 * @example
 * const config = loadConfig("schedule_config.yaml", { environment: "production" });
 * const scheduler = createScheduler(config.scheduler);
 */
export function loadConfig(path: string, options: LoadConfigOptions = {}): LoadedConfig {
  checkOptions(options, LOAD_OPTIONS, "loadConfig");
  if (typeof path !== "string" || path === "")
    throw new HeadgateError("INVALID_ARGUMENT", `loadConfig: must be the path of a file (got ${shown(path)})`);
  const { env = process.env, functions = {}, now = systemClock().now() } = options;
  const source = readSource(path, options.text);
  if (source.tree === null || source.problems.length > 0) throw new ConfigError(source.problems, source.files);
  const problems: ConfigProblem[] = [];
  const environment = options.environment ?? env.HEADGATE_ENV ?? env.NODE_ENV ?? "development";
  const isChosen = options.environment !== undefined || env.HEADGATE_ENV !== undefined;
  const chosen = ofEnvironment(source.tree, environment, isChosen, problems);
  const tree = interpolated(chosen, env, problems);
  const unset = new Set(problems.map(({ path: at }) => at));
  const checked = validated(tree);
  problems.push(...checked.problems);
  const context = new BuildContext(tree, checked.config, path, env);
  context.connections = connectionsOf(context);
  const works = new Map<string, Work>();
  const made = pipelinesOf(context, functions, { used: works, known: options.previous?.works ?? new Map() });
  const monitoring = monitoringOf(context);
  const { store, fallback } = storeOf(context);
  const api = apiOf(context);
  const audit = auditOf(context);
  const triggerFiles = triggerFilesOf(context);
  for (const [index, one] of (checked.config.security?.redact ?? []).entries()) context.secret(["security", "redact", index], one);
  crossCheck(context, made, now);
  problems.push(...context.problems);
  if (problems.length > 0)
    throw new ConfigError(masked(firstOf(problems, unset), tree, context.secrets), [...source.files, ...context.files]);
  const settled = checked.config as SettledConfig;
  const { resources = { drain: "30s" }, logging = { level: "info" }, security } = settled;
  const { pools, max_active_runs, node, lease_duration, misfire_threshold, cancel_grace_period } = resources;
  const { level, format = null } = logging;
  const except = [...(security?.redact_except ?? []), ...namesIn(tree)];
  const exceptions = new Set(except);
  const secrets = [...new Set([...context.secrets, ...secretsIn(tree).filter((one) => isLikelySecret(one, exceptions))])];
  const plain = withContents(plainOf(tree) as Record<string, unknown>, context);
  const origins = originsOf(plain);
  const pipelines = made.map((one) => unchanged(one, options.previous, origins) ?? one);
  return {
    environment,
    files: [...source.files, ...context.files],
    scheduler: {
      pipelines,
      logger: jsonLogger({ level, clock: systemClock() }),
      sensorFactory: patternSensors(sensorsOf(context, settled)),
      redact: secrets,
      connections: context.connections,
      redactExcept: except,
      ...(store === undefined ? {} : { store }),
      ...(monitoring === undefined ? {} : { monitoring }),
      ...(audit === undefined ? {} : { audit }),
      ...camel({ pools, max_active_runs, node, lease_duration, misfire_threshold, cancel_grace_period }),
      ...camel({ statistics_window: settled.monitoring?.statistics_window, allow_private_networks: security?.allow_private_networks }),
    },
    missingPackages: missingPackages(plain, pipelines),
    fallbackStore: fallback,
    api,
    triggerFiles,
    callbacks: callbacksOf(works.values()),
    hasMetrics: settled.monitoring?.metrics ?? false,
    logging: { level, format },
    drainMs: durationMs(resources.drain, "resources.drain"),
    plain,
    shown: maskerOf(tree, secrets).plain(plain) as Record<string, unknown>,
    works,
    origins,
  };
}

/** With what stands in the files that `file:` names, so that another secret is another value. */
function withContents(plain: Record<string, unknown>, { contents }: BuildContext): Record<string, unknown> {
  for (const [path, text] of contents) {
    let at: Record<string | number, unknown> = plain;
    for (const part of path.slice(0, -1)) at = at[part] as Record<string | number, unknown>;
    at[path.at(-1) as string] = text;
  }
  return plain;
}

/** Sections that pipelines are built from besides their own entry. */
const SHARED = [
  "time_zone",
  "patterns",
  "business_patterns",
  "calendars",
  "connections",
  "executors",
  "default_executor",
  "conditional_execution",
  "adaptive_scheduling",
];

function originsOf(plain: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  const shared = JSON.stringify(SHARED.map((name) => plain[name]));
  return new Map(Object.entries(plain.pipelines ?? {}).map(([id, config]) => [id, `${JSON.stringify(config)} ${shared}`]));
}

/** The pipeline of before, if it was made of the same: it goes on untouched. */
function unchanged({ id }: Pipeline, previous: LoadedConfig | undefined, origins: ReadonlyMap<string, string>): Pipeline | undefined {
  return previous?.origins.get(id) === origins.get(id) ? previous?.scheduler.pipelines.find((one) => one.id === id) : undefined;
}

/** Without what only follows from a variable that could not be put in. */
function firstOf(problems: readonly ConfigProblem[], unset: ReadonlySet<string>): readonly ConfigProblem[] {
  return problems.filter((one, index) => index < unset.size || !unset.has(one.path));
}

/** The file with what is different in its environment. */
function ofEnvironment(tree: Tree, environment: string, isChosen: boolean, problems: ConfigProblem[]): Tree {
  const base = without(tree, "environments");
  const section = tree.kind === "map" ? tree.entries.get("environments") : undefined;
  if (section === undefined) return base;
  if (section.value.kind !== "map") {
    problems.push({ ...section.place, path: "environments", message: "must be a map of environments, such as production" });
    return base;
  }
  const own = section.value.entries.get(environment);
  if (own !== undefined) return mergeTrees(base, own.value);
  const known = [...section.value.entries.keys()];
  if (isChosen && !USUAL.includes(environment))
    problems.push({
      ...section.place,
      path: "environments",
      message: `no such environment: ${JSON.stringify(environment)}${nearMatch(environment, known) || ";"} available: ${known.join(", ")}`,
    });
  return base;
}

function sensorsOf(context: BuildContext, { triggers }: SettledConfig): Parameters<typeof patternSensors>[0] {
  const { directory, ...rest } = triggers?.sensors ?? {};
  return { ...OWN_ADDRESSES, ...(camel(rest) as object), directory: context.file(directory ?? ".") };
}
