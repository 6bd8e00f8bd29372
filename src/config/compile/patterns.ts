import { adaptive } from "../../adaptive/adaptive.js";
import { dataVolumeBased } from "../../adaptive/data-volume-based.js";
import { freshnessTarget } from "../../adaptive/freshness-target.js";
import { loadBased } from "../../adaptive/load-based.js";
import { performanceBased } from "../../adaptive/performance-based.js";
import type { Tuner } from "../../adaptive/tuner.js";
import { pattern as builtIn } from "../../pattern/catalog.js";
import { definePattern, type Pattern } from "../../pattern/pattern.js";
import type { PatternOptions } from "../../pattern/pattern-options.js";
import { patterns as builtIns, type PatternName } from "../../pattern/presets.js";
import type { Schedule } from "../../schedule/schedule.js";
import { every } from "../../schedule/simple.js";
import type { Path } from "../diagnostic.js";
import type { AdaptiveConfig, PatternConfig } from "../schema/pipelines.js";
import { conditionsOf } from "./conditions.js";
import { type BuildContext, camel } from "./context.js";
import { businessDaysOf, scheduleOf } from "./schedules.js";

const MINUTE_MS = 60_000;

/** The patterns that pipelines may name: the built-in ones and the file's own. */
export class PatternBook {
  readonly #own = new Map<string, Pattern | undefined>();
  readonly #context: BuildContext;

  constructor(context: BuildContext) {
    this.#context = context;
    for (const section of ["patterns", "business_patterns"] as const) {
      for (const name of context.names(section)) {
        const path = [section, name];
        if (Object.hasOwn(builtIns, name))
          context.refuse(path, "is the name of a built-in pattern; choose another name, and use based_on to inherit from it", true);
        else if (this.#own.has(name)) context.refuse(path, "is defined in both patterns and business_patterns; rename one", true);
        const config = context.config[section]?.[name];
        this.#own.set(name, config === undefined ? undefined : patternOf(context, path, name, config));
      }
    }
  }

  get(path: Path, name: string): Pattern | undefined {
    if (Object.hasOwn(builtIns, name)) return builtIns[name as PatternName];
    if (this.#own.has(name)) return this.#own.get(name);
    this.#context.checkName(path, "pattern", name, [...this.#own.keys(), ...Object.keys(builtIns)]);
    return undefined;
  }
}

function patternOf(context: BuildContext, path: Path, name: string, config: PatternConfig): Pattern | undefined {
  const { based_on, schedule, conditions = [], business_days_only, execution, ...rest } = config;
  const made = schedule === undefined ? undefined : scheduleOf(context, [...path, "schedule"], schedule);
  if (schedule !== undefined && made === undefined) return undefined;
  const own = {
    ...camel(rest),
    ...(made === undefined ? {} : { schedule: made }),
    ...(conditions.length === 0 ? {} : { conditions: conditionsOf(context, [...path, "conditions"], conditions) }),
    ...(business_days_only === undefined
      ? {}
      : { businessDaysOnly: typeof business_days_only === "boolean" ? business_days_only : businessDaysOf(business_days_only) }),
    ...(execution === undefined ? {} : { execution: camel(execution) }),
  } as PatternOptions;
  if (based_on === undefined) return context.make(path, () => definePattern(name, own));
  if (!context.checkName([...path, "based_on"], "built-in pattern", based_on, Object.keys(builtIns))) return undefined;
  return context.make(path, () => builtIn(based_on as PatternName, own));
}

export function adaptiveOf(context: BuildContext, path: Path, config: AdaptiveConfig): Schedule | undefined {
  const { window_runs: runs, window_age: age } = config;
  const { base, min, max, cooldown, minRuns, deadband } = camel(config);
  return context.make(path, () =>
    adaptive({ ...camel({ base, min, max, cooldown, minRuns, deadband }), tuner: tunerOf(config), window: camel({ runs, age }) }),
  );
}

function tunerOf(config: AdaptiveConfig): Tuner {
  const { speed_up, slow_down } = config;
  const factors = camel({ speed_up, slow_down });
  switch (config.tuner) {
    case "performance_based": {
      const { success_rate_above, mean_duration_below, success_rate_below } = config;
      return performanceBased({ ...factors, ...camel({ success_rate_above, mean_duration_below, success_rate_below }) });
    }
    case "load_based": {
      const { cpu_above, memory_above, queue_length_above } = config;
      return loadBased({ ...factors, ...camel({ cpu_above, memory_above, queue_length_above }) });
    }
    case "data_volume_based": {
      const { records_above, processing_time_above } = config;
      return dataVolumeBased({ ...factors, ...camel({ records_above, processing_time_above }) });
    }
    case "freshness_target":
      return freshnessTarget({ maxAge: config.max_age ?? "?", ...camel({ share: config.share }) });
  }
}

/** The schedule of pipelines that say `adaptive: true`. */
export function adaptiveByFile(context: BuildContext): Schedule | undefined {
  const section = context.config.adaptive_scheduling;
  if (section === undefined) return undefined;
  const { enabled, base_interval_minutes: base, min_interval_minutes: min, max_interval_minutes: max, performance_thresholds } = section;
  const { success_rate_min: successRateAbove, avg_duration_max_minutes: minutes } = performance_thresholds;
  return context.make(["adaptive_scheduling"], () => {
    if (!enabled) return every(base * MINUTE_MS);
    const tuner = performanceBased({
      successRateAbove,
      successRateBelow: Math.min(0.8, successRateAbove),
      meanDurationBelow: minutes * MINUTE_MS,
    });
    return adaptive({ base: base * MINUTE_MS, min: min * MINUTE_MS, max: max * MINUTE_MS, tuner });
  });
}
