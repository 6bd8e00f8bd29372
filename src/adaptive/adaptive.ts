import { type Duration, durationMs, formatDuration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../base/options.js";
import type { Schedule } from "../schedule/schedule.js";
import { every } from "../schedule/simple.js";
import { type Load, type Performance, performanceOf, type RunSample } from "./performance.js";
import type { Tuner } from "./tuner.js";

/** Options of {@link adaptive}. */
export interface AdaptiveOptions {
  /** The interval it begins with, and goes back to when it is reset. */
  base: Duration;
  /** It is never shorter … */
  min: Duration;
  /** … and never longer. */
  max: Duration;
  /** Proposes the next interval, such as `performanceBased()`. */
  tuner: Tuner;
  /** The runs that the tuner goes by: the newest `runs` (default 200, at most 1,000), none that ended more than `age` ago (default: of any age). */
  window?: { runs?: number; age?: Duration };
  /** The least time between two changes. Default: `base`. */
  cooldown?: Duration;
  /** With fewer runs in the window nothing changes. Default 3. */
  minRuns?: number;
  /** A change by less than this part of the interval is none. Default 0.05. */
  deadband?: number;
}

/** Policy for adapting an interval. Lengths in ms. */
export interface AdaptivePolicy {
  readonly baseMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly tuner: Tuner;
  readonly runs: number;
  readonly ageMs: number | null;
  readonly cooldownMs: number;
  readonly minRuns: number;
  readonly deadband: number;
}

/** A schedule whose interval follows from how its runs go. */
export interface AdaptiveSchedule extends Schedule {
  readonly kind: "adaptive";
  readonly policy: AdaptivePolicy;
}

/**
 * Fires every so often, and adapts how often to how the runs go. The tuner is asked after every run; what it wants counts when it wanted the same one run before (so that one odd run changes
 * nothing), at most once per `cooldown`, within `min` and `max`.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * pipeline({ id: "sync", schedule: adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased() }), run: () => sync() });
 */
export function adaptive(options: AdaptiveOptions): AdaptiveSchedule {
  checkOptions(
    options,
    { base: true, min: true, max: true, tuner: true, window: true, cooldown: true, minRuns: true, deadband: true },
    "adaptive",
  );
  if (options.window !== undefined) checkOptions(options.window, { runs: true, age: true }, "adaptive: window");
  const ms = (name: "base" | "min" | "max") => durationMs(options[name], `adaptive: ${name}`);
  const [baseMs, minMs, maxMs] = [ms("base"), ms("min"), ms("max")];
  const { runs = 200, age } = options.window ?? {};
  const { minRuns = 3, deadband = 0.05 } = options;
  if (!(minMs >= 1_000 && minMs <= baseMs && baseMs <= maxMs)) throw bad("min, base and max must be in this order, min at least 1 s");
  if (typeof options.tuner !== "function") throw bad("tuner: must be a function such as performanceBased()");
  checkInteger(runs, { least: 1, most: 1_000 }, "window.runs", invalidArgument("adaptive"));
  checkInteger(minRuns, { least: 1, most: runs }, "minRuns", invalidArgument("adaptive"));
  if (!(deadband >= 0 && deadband < 1)) throw bad(`deadband: ${deadband} must be at least 0 and less than 1`);
  const policy: AdaptivePolicy = {
    baseMs,
    minMs,
    maxMs,
    tuner: options.tuner,
    runs,
    ageMs: age === undefined ? null : durationMs(age, "adaptive: window.age"),
    cooldownMs: durationMs(options.cooldown ?? baseMs, "adaptive: cooldown"),
    minRuns,
    deadband,
  };
  return adaptiveAt(policy, baseMs, 0);
}

/** The schedule while it has an interval, counted from an anchor (epoch ms). */
export function adaptiveAt(policy: AdaptivePolicy, intervalMs: number, anchorAt: number): AdaptiveSchedule {
  const { key, nextAfter } = every(intervalMs, { anchor: anchorAt });
  const bounds = `${formatDuration(policy.minMs)} to ${formatDuration(policy.maxMs)}`;
  return {
    kind: "adaptive",
    key: `adaptive ${key}`,
    nextAfter,
    describe: () => `every ${formatDuration(intervalMs)}, adapting from ${bounds}`,
    policy,
  };
}

export function isAdaptive(schedule: Schedule): schedule is AdaptiveSchedule {
  return schedule.kind === "adaptive";
}

/** Result of a tuner's evaluation. */
export interface Adaptation {
  readonly intervalMs: number;
  readonly isChange: boolean;
  readonly reason: string;
  readonly performance: Performance;
}

/**
 * The interval that follows from how the runs went.
 *
 * @param samples - of the window or more, oldest first
 * @param changedAt - when the interval last changed, epoch ms; `null` if never
 */
export function adapt(
  policy: AdaptivePolicy,
  intervalMs: number,
  changedAt: number | null,
  samples: readonly RunSample[],
  load: Load,
  now: number,
): Adaptation {
  const { runs, ageMs, minRuns, cooldownMs } = policy;
  const young = ageMs === null ? samples : samples.filter(({ endedAt }) => now - endedAt <= ageMs);
  const performance = performanceOf(young.slice(-runs), load);
  const same = (reason: string): Adaptation => ({ intervalMs, isChange: false, reason, performance });
  if (performance.samples.length < minRuns)
    return same(`${performance.samples.length} runs in the window, and at least ${minRuns} are needed`);
  const wanted = wantedBy(policy, performance, intervalMs);
  if (wanted.direction === 0) return same(wanted.reason);
  if (!wanted.isUrgent) {
    const before = wantedBy(policy, performanceOf(young.slice(0, -1).slice(-runs), load), intervalMs);
    if (before.direction !== wanted.direction) return same(`waiting for a second confirmation: ${wanted.reason}`);
  }
  const leftMs = changedAt === null ? 0 : changedAt + cooldownMs - now;
  if (leftMs > 0 && leftMs <= cooldownMs) return same(`in cooldown for another ${formatDuration(leftMs)}: ${wanted.reason}`);
  return { intervalMs: wanted.ms, isChange: true, reason: wanted.reason, performance };
}

/** Returns the interval that a tuner requests, clamped to the bounds. */
function wantedBy({ tuner, baseMs, minMs, maxMs, deadband }: AdaptivePolicy, performance: Performance, intervalMs: number) {
  const { interval, reason, isUrgent = false } = tuner(performance, intervalMs, { baseMs, minMs, maxMs });
  const ms = Math.min(maxMs, Math.max(minMs, durationMs(interval, "tuner: interval")));
  const isAtBound = ms === minMs || ms === maxMs; // which is gone to however near it is
  const isNone = ms === intervalMs || (!isAtBound && !isUrgent && Math.abs(ms - intervalMs) <= intervalMs * deadband);
  const bound = ms === intervalMs && durationMs(interval) !== intervalMs ? `; it is at its ${ms === minMs ? "shortest" : "longest"}` : "";
  return { ms, isUrgent, direction: isNone ? 0 : Math.sign(ms - intervalMs), reason: `${reason}${bound}` };
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `adaptive: ${problem}`);
}
