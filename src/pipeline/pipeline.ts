import type { z } from "zod";
import type { AsJson } from "../base/as-json.js";
import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError, NonRetryableError, quote } from "../base/errors.js";
import { checkOptions, isOptionsObject, type OptionNames, type RefuseOption } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { Condition, OnBlock } from "../gate/condition.js";
import type { Gate } from "../gate/decide.js";
import { inOrder } from "../gate/evaluate.js";
import type { AlertReason } from "../monitor/alert.js";
import { pattern as namedPattern } from "../pattern/catalog.js";
import type { Pattern } from "../pattern/pattern.js";
import type { PatternName } from "../pattern/presets.js";
import { isPattern, SHARED_CHECKS, type SharedOption } from "../pattern/shared-options.js";
import type { Executor } from "../ports/executor.js";
import { type ExecutionOptions, type ExecutionPolicy, executionPolicy } from "../run/policy.js";
import { inZone } from "../schedule/inherited-zone.js";
import type { Schedule } from "../schedule/schedule.js";
import { manual } from "../schedule/simple.js";
import { zoneOf } from "../schedule/zone.js";
import type { AnySensor } from "../trigger/sensor.js";
import { webhookSensor } from "../trigger/sensor.js";
import type { PipelineRef, Upstream, UpstreamOutput } from "./pipeline-ref.js";
import type { RunContext } from "./run-context.js";

/** A schema of parameters that may be anything: of pipelines without one. */
type AnyParameters = z.ZodType<Record<string, unknown>, Record<string, unknown>>;

/** Options of {@link pipeline}. */
export interface PipelineOptions<
  S extends z.ZodType = AnyParameters,
  Id extends string = string,
  After extends Upstream | readonly Upstream[] = Upstream | readonly Upstream[],
  Result = unknown,
> {
  /** 1 to 128 letters, digits, dots, dashes or underscores. */
  id: Id;
  /** For people. Default: the pattern's, else none. */
  description?: string;
  /** When it runs. Default: the pattern's, else `manual()`. */
  schedule?: Schedule;
  /**
   * IANA zone of its schedule, and of the windows and business days of its schedule and conditions, as far as they name none. Default: `"UTC"`, and what a pattern names.
   */
  timeZone?: string;
  /** A named preset for everything not said here. Default none. */
  pattern?: PatternName | Pattern;
  /** Pipelines, or their ids, whose every success triggers this one. Default none. */
  after?: After;
  /** Conditions of a run, in addition to the pattern's. Default none. */
  conditions?: readonly Condition[];
  /** Policy for a trigger when a condition blocks. Default `"skip"`. */
  onBlock?: OnBlock;
  /** Time a held trigger waits before it expires. Default `"24h"`. */
  holdFor?: Duration;
  /** When a held trigger is looked at again if no condition knows. Default `"15m"`. */
  recheckInterval?: Duration;
  /** Sensors that trigger it, such as `fileSensor(…)`. Default: the pattern's, if the scheduler can create them (its option `sensorFactory`). */
  sensors?: readonly AnySensor[];
  /** A zod schema of its parameters; a scheduled pipeline's must accept `{}`. Default: any object. */
  parameters?: S;
  /** Attempts, timeouts, overlap and catchup of its runs. Default: the pattern's, else each option's own. */
  execution?: ExecutionOptions;
  /** Executor of its runs, or the name of one in `createScheduler({ executors })`. Default: the scheduler's executor. */
  executor?: Executor | string;
  /** Time after its fire time within which a run should succeed. Default: the pattern's, else none. */
  sla?: Duration | null;
  /** The person or team that answers for it, at most 200 characters: shown in its status, and a way to select pipelines. Default none. */
  owner?: string;
  /** For lists, alert rules and silences. Default: the pattern's, else none. */
  tags?: readonly string[];
  /** The reasons for which the usual alert rules look at it, such as `"failure"`. Default: the pattern's, else none. */
  alertOn?: readonly AlertReason[];
  /**
   * The work. What it returns is kept as the run's output, as JSON of at most 100,000 characters; of more, `{ notKept: reason }` is kept instead. May be left out when an `executor` does the
   * work without it. Default none.
   */
  run?(context: RunContext<z.output<S>, UpstreamOutput<After>>): Result;
}

/**
 * A named unit of work, checked and ready to be handed to a scheduler. Plain data; made by {@link pipeline}, which infers its types: `Parameters` is what a trigger may give,
 * `Output` what a run leaves, as JSON.
 */
export interface Pipeline<Id extends string = string, Parameters = unknown, Output = unknown> extends PipelineRef<Id, Parameters, Output> {
  readonly description: string | null;
  readonly schedule: Schedule;
  /** The zone of whatever of it names none; `null`: UTC. */
  readonly timeZone: string | null;
  readonly after: readonly string[];
  readonly sensors: readonly AnySensor[];
  readonly gate: Gate;
  readonly execution: ExecutionPolicy;
  readonly executor: Executor | string | null;
  readonly parameters: z.ZodType | null;
  readonly pattern: Pattern | null;
  readonly slaMs: number | null;
  readonly owner: string | null;
  readonly tags: readonly string[];
  readonly alertOn: readonly AlertReason[];
  /** Not there for what code declares. */
  readonly origin?: "file";
  run(context: RunContext<unknown>): unknown;
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const NONE: readonly never[] = Object.freeze([]);
const OPEN_GATE: Gate = Object.freeze({ conditions: NONE, onBlock: "skip", holdForMs: 24 * 3_600_000, recheckIntervalMs: 15 * 60_000 });
const OPTIONS: OptionNames<PipelineOptions> = {
  id: true,
  description: true,
  schedule: true,
  timeZone: true,
  pattern: true,
  after: true,
  sensors: true,
  conditions: true,
  onBlock: true,
  holdFor: true,
  recheckInterval: true,
  parameters: true,
  execution: true,
  executor: true,
  sla: true,
  owner: true,
  tags: true,
  alertOn: true,
  run: true,
};

/**
 * A pipeline: what runs, when, under which conditions and how.
 *
 * @throws HeadgateError `INVALID_PIPELINE` naming the option, `INVALID_DURATION`, `UNKNOWN_PATTERN`
 * @example
 * const daily = pipeline({
 *   id: "daily-sales",
 *   schedule: cron("0 2 * * *", { timeZone: "Europe/Berlin" }),
 *   conditions: [stale({ olderThan: "20h" })],
 *   parameters: z.object({ full: z.boolean().default(false) }),
 *   run: async ({ parameters, signal }) => load(parameters.full, signal),
 * });
 */
export function pipeline<
  S extends z.ZodType = AnyParameters,
  const Id extends string = string,
  After extends Upstream | readonly Upstream[] = Upstream | readonly Upstream[],
  Result = unknown,
>(options: PipelineOptions<S, Id, After, Result>): Pipeline<Id, z.input<S>, AsJson<Awaited<Result>>> {
  if (!isOptionsObject(options)) throw invalid(null, null, `must be an object of options (got ${shown(options)})`);
  const { id } = options;
  if (typeof id !== "string" || !ID.test(id))
    throw invalid(
      null,
      "id",
      `must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit (got ${shown(id)})`,
    );
  const refuse: RefuseOption = (name, problem) => invalid(id, name, problem);
  checkOptions(options, OPTIONS as OptionNames<typeof options>, "pipeline", refuse);
  for (const [name, check] of Object.entries(SHARED_CHECKS)) {
    const value = options[name as SharedOption];
    if (value !== undefined) check(value, refuse);
  }
  const executor = executorOf(options.executor, id);
  if (typeof options.run !== "function" && (executor === null || options.run !== undefined))
    throw invalid(id, "run", `must be a function (got ${shown(options.run)})`);
  const pattern = patternOf(options.pattern, refuse);
  const { timeZone } = options;
  if (timeZone !== undefined) zoneOf(timeZone, `pipeline ${id}: timeZone`);
  const zoned = <T extends object>(one: T): T => (timeZone === undefined ? one : inZone(one, timeZone));
  const schedule = zoned(options.schedule ?? pattern?.schedule ?? manual());
  const sla = options.sla === undefined ? (pattern?.slaMs ?? null) : options.sla;
  const parameters = options.parameters ?? null;
  if (options.parameters !== undefined) checkSchema(options.parameters, refuse);
  if (parameters !== null && schedule.kind !== "manual") checkDefaults(id, parameters);
  return {
    id,
    description: options.description ?? pattern?.description ?? null,
    schedule,
    timeZone: timeZone ?? null,
    after: afterOf(options.after, id),
    sensors: sensorsOf(options.sensors, pattern, id),
    gate: gateOf(options, pattern, id, zoned),
    execution: executionPolicy(merged(pattern?.execution, options.execution), `pipeline ${id}: execution`),
    executor,
    parameters,
    pattern,
    slaMs: sla === null ? null : durationMs(sla, `pipeline ${id}: sla`),
    owner: ownerOf(options.owner, refuse),
    tags: [...(options.tags ?? pattern?.tags ?? NONE)],
    alertOn: [...(options.alertOn ?? pattern?.alertOn ?? NONE)],
    run: (options.run as Pipeline["run"] | undefined) ?? noFunction(id),
  };
}

function ownerOf(owner: string | undefined, refuse: RefuseOption): string | null {
  if (owner === undefined) return null;
  if (typeof owner === "string" && owner.trim() !== "" && owner.length <= 200) return owner;
  throw refuse("owner", `must be a string of 1 to 200 characters (got ${shown(owner)})`);
}

function patternOf(pattern: PatternName | Pattern | undefined, refuse: RefuseOption): Pattern | null {
  if (pattern === undefined) return null;
  if (typeof pattern === "string") return namedPattern(pattern);
  if (isPattern(pattern)) return pattern;
  throw refuse("pattern", `must be the name of a pattern, or what definePattern(…) or pattern(…) returns (got ${shown(pattern)})`);
}

/** Schemas of other libraries, and of zod 3 and zod/mini, have neither these functions nor their errors. */
function checkSchema(schema: z.ZodType, refuse: RefuseOption): void {
  const { safeParse, safeParseAsync, _zod } = (schema ?? {}) as unknown as Record<string, unknown>;
  if (typeof safeParse === "function" && typeof safeParseAsync === "function" && typeof _zod === "object") return;
  const vendor = vendorOf(schema);
  throw refuse(
    "parameters",
    `must be a schema of zod 4, such as z.object({ … }) (got ${vendor === null ? shown(schema) : `a schema of ${vendor}`})`,
  );
}

/** Standard Schema names the library. @see https://standardschema.dev */
function vendorOf(schema: unknown): string | null {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) return null;
  const { "~standard": standard, _def } = schema as { "~standard"?: { vendor?: unknown }; _def?: unknown };
  if (typeof standard?.vendor === "string") return standard.vendor === "zod" ? "zod that is not zod 4" : standard.vendor.slice(0, 40);
  return _def === undefined ? null : "zod 3";
}

function executorOf(executor: Executor | string | undefined, id: string): Executor | string | null {
  if (executor === undefined) return null;
  const isExecutor = typeof executor === "object" && executor !== null && (executor.kind === "local" || executor.kind === "remote");
  if (isExecutor || (typeof executor === "string" && executor !== "")) return executor;
  throw invalid(id, "executor", "must be an executor such as commandExecutor(…), or the name of one");
}

function noFunction(id: string): Pipeline["run"] {
  return () => {
    throw new NonRetryableError(`pipeline ${id} has no function run, and its executor calls it`);
  };
}

function merged(base: ExecutionOptions | undefined, own: ExecutionOptions | undefined): ExecutionOptions | undefined {
  return base === undefined ? own : own === undefined ? base : { ...base, ...own };
}

function afterOf(after: Upstream | readonly Upstream[] | undefined, id: string): readonly string[] {
  if (after === undefined) return NONE;
  const given: readonly unknown[] = Array.isArray(after) ? after : [after];
  const upstream = given.map((one) => (isOptionsObject(one) ? (one as Partial<PipelineRef>).id : one) as string);
  for (const [index, one] of upstream.entries()) {
    if (typeof one !== "string") throw invalid(id, "after", `must be a pipeline, its id, or an array of them (got ${shown(given[index])})`);
    if (!ID.test(one)) throw invalid(id, "after", `${quote(one)} is not a pipeline id`);
    if (one === id) throw invalid(id, "after", "a pipeline cannot follow itself");
  }
  return upstream;
}

function sensorsOf(own: readonly AnySensor[] | undefined, pattern: Pattern | null, id: string): readonly AnySensor[] {
  if (own === undefined) return pattern?.sensor?.kind === "webhook" ? [webhookSensor({ sources: pattern.sensor.allowedSources })] : NONE;
  if (!Array.isArray(own)) throw invalid(id, "sensors", `must be an array of sensors (got ${shown(own)})`);
  const names = new Set<string>();
  for (const [index, one] of own.entries()) {
    const isSensor = one?.kind === "webhook" || (one?.kind === "poll" && typeof one.poll === "function");
    if (!isSensor) throw invalid(id, `sensors[${index}]`, "must be a sensor such as fileSensor(…) or sensor(name, fn)");
    if (names.has(one.name)) throw invalid(id, `sensors[${index}]`, `two sensors are named ${quote(one.name)}; names must be unique`);
    names.add(one.name);
  }
  return [...own];
}

function gateOf(
  options: PipelineOptions<z.ZodType>,
  pattern: Pattern | null,
  id: string,
  zoned: (condition: Condition) => Condition,
): Gate {
  const own = options.conditions ?? NONE;
  const all = pattern === null || pattern.conditions.length === 0 ? own : [...pattern.conditions, ...own];
  const onBlock = options.onBlock ?? "skip";
  if (onBlock !== "skip" && onBlock !== "hold") throw invalid(id, "onBlock", `${quote(onBlock)} is unknown; allowed: skip, hold`);
  const ms = (name: "holdFor" | "recheckInterval", fallback: number) => durationMs(options[name] ?? fallback, `pipeline ${id}: ${name}`);
  const holdForMs = ms("holdFor", OPEN_GATE.holdForMs);
  const recheckIntervalMs = Math.max(1_000, ms("recheckInterval", OPEN_GATE.recheckIntervalMs));
  return all.length === 0 ? OPEN_GATE : { conditions: inOrder(all.map(zoned)), onBlock, holdForMs, recheckIntervalMs };
}

/** A fire time brings no parameters, so that `{}` must do. */
export function checkDefaults(id: string, schema: z.ZodType): void {
  let result: ReturnType<z.ZodType["safeParse"]>;
  try {
    result = schema.safeParse({});
  } catch {
    return; // an asynchronous schema can only be asked when a trigger comes
  }
  if (!result.success) {
    throw invalid(id, "parameters", `a scheduled pipeline must accept {}; set defaults (${issuesOf(result.error)})`);
  }
}

/** A zod error in one line. */
export function issuesOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.length === 0 ? "value" : path.map(String).join(".")}: ${message}`)
    .join("; ");
}

function invalid(id: string | null, option: string | null, problem: string): HeadgateError {
  const where = `pipeline${id === null ? "" : ` ${id}`}${option === null ? "" : `: ${option}`}`;
  return new HeadgateError("INVALID_PIPELINE", `${where}: ${problem}`, { details: { pipelineId: id, option } });
}
