import type { z } from "zod";
import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError, NonRetryableError, quote } from "../base/errors.js";
import type { Condition, OnBlock } from "../gate/condition.js";
import type { Gate } from "../gate/decide.js";
import { inOrder } from "../gate/evaluate.js";
import type { AlertReason } from "../monitor/alert.js";
import { pattern as namedPattern } from "../pattern/catalog.js";
import type { Pattern } from "../pattern/pattern.js";
import type { PatternName } from "../pattern/presets.js";
import type { Executor } from "../ports/executor.js";
import type { AnySensor } from "../ports/sensor.js";
import { type ExecutionOptions, type ExecutionPolicy, executionPolicy } from "../run/policy.js";
import type { Schedule } from "../schedule/schedule.js";
import { manual } from "../schedule/simple.js";
import { webhookSensor } from "../trigger/sensor.js";
import type { Trigger } from "./views.js";

/** What a run's function is handed. */
export interface RunContext<P> {
  readonly pipelineId: string;
  readonly runId: string;
  /** The trigger's parameters, as the pipeline's schema made them. */
  readonly parameters: P;
  readonly trigger: Trigger;
  /** From 1. */
  readonly attempt: number;
  /** Aborts on timeout, cancellation and shutdown; its reason is a `HeadgateError`: `RUN_TIMED_OUT`, `RUN_CANCELLED` or `RUN_LOST`. */
  readonly signal: AbortSignal;
  /** Logs with the ids of pipeline, trigger and run. */
  readonly log: RunLog;
  readonly clock: RunClock;
  /** What an earlier attempt of the run told last by `heartbeat`: where to go on; `null` for nothing. */
  readonly lastProgress: unknown;
  /** Keeps progress, or a part of the result, for those who ask and for the next attempt; at most 10 kB of JSON. */
  heartbeat(progress?: unknown): void;
}

/** The scheduler's clock, for a run: under a fake one its waiting takes no time. */
export interface RunClock {
  /** Epoch ms. */
  now(): number;
  /** Waits; rejects with the signal's reason when the run is aborted. */
  sleep(length: Duration): Promise<void>;
}

/** The logger of one run. */
export type RunLog = Readonly<
  Record<"debug" | "info" | "warn" | "error", (message: string, fields?: Readonly<Record<string, unknown>>) => void>
>;

/** What {@link pipeline} takes. */
export interface PipelineOptions<S extends z.ZodType = z.ZodType<Record<string, unknown>>> {
  /** 1 to 128 letters, digits, dots, dashes or underscores. */
  id: string;
  description?: string;
  /** When it runs. Default: the pattern's, else `manual()`. */
  schedule?: Schedule;
  /** A named preset for everything not said here. */
  pattern?: PatternName | Pattern;
  /** Pipelines whose every success triggers this one. */
  after?: string | readonly string[];
  /** What must hold for a run; added to the pattern's. */
  conditions?: readonly Condition[];
  /** What happens to a trigger when a condition blocks. Default `"skip"`. */
  onBlock?: OnBlock;
  /** How long a held trigger waits before it expires. Default `"24h"`. */
  holdFor?: Duration;
  /** When a held trigger is looked at again if no condition knows. Default `"15m"`. */
  recheckInterval?: Duration;
  /** What starts it from outside, such as `fileSensor(…)`. Default: what the pattern says, if the scheduler knows how (its option `sensors`). */
  sensors?: readonly AnySensor[];
  /** A zod schema of its parameters; a scheduled pipeline's must accept `{}`. Default: any object. */
  parameters?: S;
  execution?: ExecutionOptions;
  /** Who carries its runs out, or the name of one in `createScheduler({ executors })`. Default: the scheduler's executor. */
  executor?: Executor | string;
  /** By when after its fire time a run should have succeeded. Default: the pattern's, else none. */
  sla?: Duration | null;
  tags?: readonly string[];
  alertOn?: readonly AlertReason[];
  /** The work. What it returns is kept as the run's output (at most 100 kB of JSON). May be left out when an `executor` does the work without it. */
  run?(context: RunContext<z.output<S>>): unknown;
}

/** A named unit of work, checked and ready to be handed to a scheduler. Plain data; made by {@link pipeline}. */
export interface Pipeline {
  readonly id: string;
  readonly description: string | null;
  readonly schedule: Schedule;
  readonly after: readonly string[];
  readonly sensors: readonly AnySensor[];
  readonly gate: Gate;
  readonly execution: ExecutionPolicy;
  readonly executor: Executor | string | null;
  readonly parameters: z.ZodType | null;
  readonly pattern: Pattern | null;
  readonly slaMs: number | null;
  readonly tags: readonly string[];
  readonly alertOn: readonly AlertReason[];
  run(context: RunContext<unknown>): unknown;
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const NONE: readonly never[] = Object.freeze([]);
const OPEN_GATE: Gate = Object.freeze({ conditions: NONE, onBlock: "skip", holdForMs: 24 * 3_600_000, recheckIntervalMs: 15 * 60_000 });
const OPTION_NAMES = new Set<string>(
  "id description schedule pattern after sensors conditions onBlock holdFor recheckInterval parameters execution executor sla tags alertOn run".split(
    " ",
  ),
);

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
export function pipeline<S extends z.ZodType = z.ZodType<Record<string, unknown>>>(options: PipelineOptions<S>): Pipeline {
  if (typeof options !== "object" || options === null) throw invalid("?", "options", "must be an object");
  const { id } = options;
  if (typeof id !== "string" || !ID.test(id)) {
    throw invalid(quote(id), "id", "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit");
  }
  for (const name in options)
    if (!OPTION_NAMES.has(name)) throw invalid(id, name, `unknown option; allowed: ${[...OPTION_NAMES].join(", ")}`);
  const executor = executorOf(options.executor, id);
  if (typeof options.run !== "function" && (executor === null || options.run !== undefined)) throw invalid(id, "run", "must be a function");
  const pattern = typeof options.pattern === "string" ? namedPattern(options.pattern) : (options.pattern ?? null);
  const schedule = options.schedule ?? pattern?.schedule ?? manual();
  if (typeof schedule.nextAfter !== "function" || typeof schedule.key !== "string") {
    throw invalid(id, "schedule", "must be a schedule such as cron(…), every(…), at(…) or manual()");
  }
  const sla = options.sla === undefined ? (pattern?.slaMs ?? null) : options.sla;
  const parameters = options.parameters ?? null;
  if (parameters !== null && schedule.kind !== "manual") checkDefaults(id, parameters);
  return {
    id,
    description: options.description ?? pattern?.description ?? null,
    schedule,
    after: afterOf(options, id),
    sensors: sensorsOf(options.sensors, pattern, id),
    gate: gateOf(options, pattern, id),
    execution: executionPolicy(merged(pattern?.execution, options.execution), `pipeline ${id}: execution`),
    executor,
    parameters,
    pattern,
    slaMs: sla === null ? null : durationMs(sla, `pipeline ${id}: sla`),
    tags: options.tags ?? pattern?.tags ?? NONE,
    alertOn: options.alertOn ?? pattern?.alertOn ?? NONE,
    run: (options.run as Pipeline["run"] | undefined) ?? noFunction(id),
  };
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

function afterOf(options: { after?: string | readonly string[] }, id: string): readonly string[] {
  if (options.after === undefined) return NONE;
  const upstream = typeof options.after === "string" ? [options.after] : [...options.after];
  for (const one of upstream) {
    if (!ID.test(one)) throw invalid(id, "after", `${quote(one)} is not a pipeline id`);
    if (one === id) throw invalid(id, "after", "a pipeline cannot follow itself");
  }
  return upstream;
}

function sensorsOf(own: readonly AnySensor[] | undefined, pattern: Pattern | null, id: string): readonly AnySensor[] {
  if (own === undefined) return pattern?.sensor?.kind === "webhook" ? [webhookSensor({ sources: pattern.sensor.allowedSources })] : NONE;
  const names = new Set<string>();
  for (const [index, one] of own.entries()) {
    const isSensor = one?.kind === "webhook" || (one?.kind === "poll" && typeof one.poll === "function");
    if (!isSensor) throw invalid(id, `sensors[${index}]`, "must be a sensor such as fileSensor(…) or sensor(name, fn)");
    if (names.has(one.name))
      throw invalid(id, `sensors[${index}]`, `there are two sensors called ${quote(one.name)}; names must be unique`);
    names.add(one.name);
  }
  return [...own];
}

function gateOf(options: PipelineOptions<z.ZodType>, pattern: Pattern | null, id: string): Gate {
  const own = options.conditions ?? NONE;
  const all = pattern === null || pattern.conditions.length === 0 ? own : [...pattern.conditions, ...own];
  if (all.length === 0) return OPEN_GATE;
  for (const [index, one] of all.entries()) {
    if (typeof one?.evaluate !== "function")
      throw invalid(id, `conditions[${index}]`, "must be a condition such as stale(…) or condition(name, fn)");
  }
  const onBlock = options.onBlock ?? "skip";
  if (onBlock !== "skip" && onBlock !== "hold") throw invalid(id, "onBlock", `${quote(onBlock)} is unknown; allowed: skip, hold`);
  return {
    conditions: inOrder(all),
    onBlock,
    holdForMs: durationMs(options.holdFor ?? OPEN_GATE.holdForMs, `pipeline ${id}: holdFor`),
    recheckIntervalMs: Math.max(
      1_000,
      durationMs(options.recheckInterval ?? OPEN_GATE.recheckIntervalMs, `pipeline ${id}: recheckInterval`),
    ),
  };
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
    throw invalid(id, "parameters", `a scheduled pipeline must accept {}; give defaults (${issuesOf(result.error)})`);
  }
}

/** A zod error in one line. */
export function issuesOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.length === 0 ? "value" : path.map(String).join(".")}: ${message}`)
    .join("; ");
}

function invalid(id: string, option: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_PIPELINE", `pipeline ${id}: ${option}: ${problem}`, { details: { pipelineId: id, option } });
}
