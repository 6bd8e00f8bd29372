import { z } from "zod";
import { systemLoad } from "../../adapters/probes/load.js";
import type { Condition } from "../../gate/condition.js";
import { maintenanceWindow } from "../../gate/conditions/time.js";
import { type Pipeline, pipeline } from "../../pipeline/pipeline.js";
import type { Schedule } from "../../schedule/schedule.js";
import type { Path } from "../diagnostic.js";
import type { PipelineConfig } from "../schema/pipelines.js";
import { conditionsOf, dependenciesOf, staleOf } from "./conditions.js";
import { type BuildContext, camel } from "./context.js";
import { type Work, workOf } from "./executors.js";
import { adaptiveByFile, adaptiveOf, PatternBook } from "./patterns.js";
import { scheduleOf, windowsOf } from "./schedules.js";
import { sensorOf } from "./sensors.js";

/** Functions by pipeline, for those whose work is not named in the file. */
export type Functions = Readonly<Record<string, Pipeline["run"]>>;

/** Executors by what describes them: those in use, and those of before, which are taken over. */
export interface Works {
  readonly used: Map<string, Work>;
  readonly known: ReadonlyMap<string, Work>;
}

export function pipelinesOf(context: BuildContext, functions: Functions, works: Works): readonly Pipeline[] {
  const patterns = new PatternBook(context);
  const forAll = rulesOf(context);
  return Object.entries(context.config.pipelines ?? {}).flatMap(([id, config]) => {
    const before = context.problems.length;
    const made = pipelineOf(context, id, config, { patterns, forAll, functions, works });
    return made === undefined || context.problems.length > before ? [] : [made];
  });
}

interface Parts {
  readonly patterns: PatternBook;
  readonly forAll: readonly Condition[];
  readonly functions: Functions;
  readonly works: Works;
}

function pipelineOf(context: BuildContext, id: string, config: PipelineConfig, parts: Parts): Pipeline | undefined {
  const path: Path = ["pipelines", id];
  const {
    pattern,
    conditions = [],
    sensors,
    parameters,
    execution,
    executor: _,
    schedule: __,
    adaptive: ___,
    after,
    time_zone,
    ...rest
  } = config;
  const zone = time_zone ?? context.config.time_zone;
  const rules = context.config.conditional_execution ?? {};
  const isMeant = rules.pipelines === undefined || rules.pipelines.includes(id);
  const { on_block, hold_for, recheck_interval } = isMeant ? rules : {};
  const known = pattern === undefined ? undefined : parts.patterns.get([...path, "pattern"], pattern);
  const schedule = whenOf(context, path, config);
  context.checkPipelines([...path, "after"], after);
  const pool = execution?.pool;
  if (typeof pool === "string") context.checkName([...path, "execution", "pool"], "pool", pool, context.pools());
  const work = workFor(context, path, id, config, parts);
  const own = conditionsOf(context, [...path, "conditions"], conditions);
  const looks = sensors?.flatMap((one, index) => sensorOf(context, [...path, "sensors", index], one) ?? []);
  const schema = parameters === undefined ? undefined : parametersOf(context, [...path, "parameters"], parameters);
  if (work === undefined || (pattern !== undefined && known === undefined)) return undefined;
  const made = context.make(path, () =>
    pipeline({
      id,
      ...(zone === undefined ? {} : { timeZone: zone }),
      ...camel({ on_block, hold_for, recheck_interval }),
      ...camel(rest),
      ...(known === undefined ? {} : { pattern: known }),
      ...(schedule === undefined ? {} : { schedule }),
      ...(after === undefined ? {} : { after }),
      conditions: isMeant ? [...own, ...parts.forAll] : own,
      ...(looks === undefined ? {} : { sensors: looks }),
      ...(schema === undefined ? {} : { parameters: schema }),
      ...(execution === undefined ? {} : { execution: camel(execution) }),
      ...work,
    }),
  );
  return made === undefined ? undefined : { ...made, origin: "file" };
}

/** When it runs: its schedule, or an interval that adapts. */
function whenOf(context: BuildContext, path: Path, { schedule, adaptive }: PipelineConfig): Schedule | undefined {
  if (adaptive === undefined || adaptive === false)
    return schedule === undefined ? undefined : scheduleOf(context, [...path, "schedule"], schedule);
  if (schedule !== undefined)
    context.refuse([...path, "adaptive"], "set either schedule or adaptive, not both: an adaptive interval is a schedule");
  if (adaptive !== true) return adaptiveOf(context, [...path, "adaptive"], adaptive);
  if (context.config.adaptive_scheduling === undefined)
    context.refuse([...path, "adaptive"], "true requires the section adaptive_scheduling");
  return adaptiveByFile(context);
}

/** Returns the executor of a pipeline: its own, else the function passed by the loading code, else the file's default. */
function workFor(
  context: BuildContext,
  path: Path,
  id: string,
  { executor }: PipelineConfig,
  { functions, works }: Parts,
): Work | undefined {
  const known = Object.hasOwn(functions, id) ? functions[id] : undefined;
  const use = executor ?? (known === undefined ? context.config.default_executor : undefined);
  if (use === undefined) {
    if (known !== undefined) return { run: known };
    context.refuse(path, "has no executor: set executor (or default_executor), or pass its function to loadConfig({ functions })", true);
    return undefined;
  }
  const at: Path = executor === undefined ? ["default_executor"] : [...path, "executor"];
  const isName = typeof use === "string";
  if (isName && !context.checkName(at, "executor", use, context.names("executors"))) return undefined;
  const config = isName ? context.config.executors?.[use] : use;
  if (config === undefined) return { run: () => undefined }; // its problems are reported; the rest of the pipeline is checked anyway
  const before = context.contents.length;
  const made = workOf(context, isName ? ["executors", use] : at, config);
  const key = JSON.stringify([config, context.contents.slice(before).map(([, text]) => text)]);
  const work = works.used.get(key) ?? works.known.get(key) ?? made; // one that is described in the same way goes on, with what it has open
  if (work !== undefined) works.used.set(key, work);
  return work;
}

/** Returns the conditions that apply to every selected pipeline. */
function rulesOf(context: BuildContext): readonly Condition[] {
  const path = ["conditional_execution"];
  const {
    maintenance_windows = [],
    data_freshness,
    system_health,
    external_dependencies = [],
    conditions = [],
    pipelines,
  } = context.config.conditional_execution ?? {};
  context.checkPipelines([...path, "pipelines"], pipelines);
  const { staleness_threshold_hours: hours, ...freshness } = data_freshness ?? {};
  const olderThan = hours === undefined ? freshness.older_than : hours * 3_600_000;
  return [
    maintenance_windows.length === 0
      ? undefined
      : context.make([...path, "maintenance_windows"], () => maintenanceWindow(windowsOf(maintenance_windows))),
    olderThan === undefined ? undefined : staleOf(context, [...path, "data_freshness"], { ...freshness, older_than: olderThan }),
    system_health === undefined ? undefined : context.make([...path, "system_health"], () => systemLoad(camel(system_health))),
    external_dependencies.length === 0 ? undefined : dependenciesOf(context, [...path, "external_dependencies"], external_dependencies),
    ...conditionsOf(context, [...path, "conditions"], conditions),
  ].filter((one) => one !== undefined);
}

/** @see https://json-schema.org/draft/2020-12 */
function parametersOf(context: BuildContext, path: Path, schema: Record<string, unknown>): z.ZodType<Record<string, unknown>> | undefined {
  try {
    return z.fromJSONSchema({ type: "object", ...schema } as Parameters<typeof z.fromJSONSchema>[0]) as z.ZodType<Record<string, unknown>>;
  } catch (error) {
    context.refuse(path, `is not a valid JSON Schema: ${(error as Error).message.slice(0, 200)}`);
    return undefined;
  }
}
