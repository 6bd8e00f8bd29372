import { HeadgateError, quote } from "../base/errors.js";
import { type Pattern, type PatternGroup, type PatternOptions, patternOf } from "./pattern.js";
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
    throw new HeadgateError("UNKNOWN_PATTERN", `pattern ${quote(name)} is unknown; there are: ${Object.keys(patterns).join(", ")}`, {
      details: { name },
    });
  }
  if (Object.keys(overrides).length === 0) return base;
  const { cron, interval, schedule, ...rest } = base.options;
  const isRescheduled = overrides.cron !== undefined || overrides.interval !== undefined || overrides.schedule !== undefined;
  return patternOf(base.group, name, {
    ...(isRescheduled ? rest : base.options),
    ...overrides,
    execution: { ...base.options.execution, ...overrides.execution },
    context: { ...base.context, ...overrides.context },
  });
}

/** The built-in patterns, of one group or all. */
export function listPatterns(group?: PatternGroup): readonly Pattern[] {
  const all = Object.values(patterns);
  return group === undefined ? all : all.filter((one) => one.group === group);
}
