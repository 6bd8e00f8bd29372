import { HeadgateError, quote } from "../base/errors.js";
import { checkOneOf, invalidArgument, isOptionsObject } from "../base/options.js";
import { shown } from "../base/shown.js";
import { type Pattern, type PatternGroup, patternOf } from "./pattern.js";
import type { PatternOptions } from "./pattern-options.js";
import { type PatternName, patterns } from "./presets.js";

/**
 * A built-in pattern, with some of its parts replaced. `execution` and `context` are merged, everything else replaced; a new
 * `cron`, `interval` or `schedule` replaces the pattern's own.
 *
 * @throws HeadgateError `UNKNOWN_PATTERN`, `INVALID_PATTERN`
 * @example
 * pattern("production_daily", { timeZone: "Europe/Berlin", execution: { retries: 2 } });
 */
export function pattern(name: PatternName, overrides: Partial<PatternOptions> = {}): Pattern {
  const base = Object.hasOwn(patterns, name) ? patterns[name] : undefined;
  if (base === undefined) {
    throw new HeadgateError("UNKNOWN_PATTERN", `pattern ${quote(name)} is unknown; available: ${Object.keys(patterns).join(", ")}`, {
      details: { name },
    });
  }
  if (!isOptionsObject(overrides))
    throw new HeadgateError("INVALID_PATTERN", `pattern ${name}: must be an object of options (got ${shown(overrides)})`);
  if (Object.keys(overrides).length === 0) return base;
  const { cron, interval, schedule, ...rest } = base.options;
  const isRescheduled = overrides.cron !== undefined || overrides.interval !== undefined || overrides.schedule !== undefined;
  return patternOf(base.group, name, {
    ...(isRescheduled ? rest : base.options),
    ...overrides,
    execution: merged(base.options.execution, overrides.execution),
    context: merged(base.context, overrides.context),
  });
}

/** Merges the options; what is not an object is left for the validation to refuse. */
function merged<T extends object>(base: T | undefined, over: T | undefined): T {
  return over === undefined || isOptionsObject(over) ? ({ ...base, ...over } as T) : over;
}

const GROUPS: readonly PatternGroup[] = ["standard", "event_driven", "business", "adaptive"];

/**
 * The built-in patterns, of one group or all.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for an unknown group
 */
export function listPatterns(group?: PatternGroup): readonly Pattern[] {
  if (group !== undefined && group !== "custom") checkOneOf(group, GROUPS, "group", invalidArgument("listPatterns"));
  const all = Object.values(patterns);
  return group === undefined ? all : all.filter((one) => one.group === group);
}
