import { type AdaptiveSchedule, adaptive } from "../adaptive/adaptive.js";
import { dataVolumeBased } from "../adaptive/data-volume-based.js";
import { loadBased } from "../adaptive/load-based.js";
import { performanceBased } from "../adaptive/performance-based.js";
import type { Tuner } from "../adaptive/tuner.js";
import type { Duration } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOneOf, checkOptions, isOptionsObject, type OptionNames, type RefuseOption } from "../base/options.js";
import { shown } from "../base/shown.js";

/** Where an interval may go. */
export interface Bounds {
  readonly base: Duration;
  readonly min: Duration;
  readonly max: Duration;
  /** Factor applied to the interval to run more often; below 1. */
  readonly speedUp: number;
  /** Factor applied to the interval to run less often; above 1. */
  readonly slowDown: number;
}

/** Tuner of an adaptive pattern: next = current × factor, kept within [min, max]. */
export type TunerOptions =
  | (Bounds & {
      readonly kind: "performance_based";
      readonly fasterWhen: { readonly successRateAbove: number; readonly meanDurationBelow: Duration };
      readonly slowerWhen: { readonly successRateBelow: number };
    })
  | (Bounds & {
      readonly kind: "load_based";
      /** Any of them is enough. Shares are 0 to 1. */
      readonly slowerWhen: { readonly cpuAbove: number; readonly memoryAbove: number; readonly queueLengthAbove: number };
    })
  | (Bounds & {
      readonly kind: "data_volume_based";
      /** Records since the last run. */
      readonly fasterWhen: { readonly recordsAbove: number };
      readonly slowerWhen: { readonly processingTimeAbove: Duration };
    });

const KINDS: readonly TunerOptions["kind"][] = ["performance_based", "load_based", "data_volume_based"];
const OPTIONS: OptionNames<TunerOptions> = {
  kind: true,
  base: true,
  min: true,
  max: true,
  speedUp: true,
  slowDown: true,
  fasterWhen: true,
  slowerWhen: true,
};

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function adaptiveBy(options: TunerOptions): AdaptiveSchedule {
  const refuse: RefuseOption = (name, problem) =>
    new HeadgateError("INVALID_ARGUMENT", name === null ? `tuner: ${problem}` : `tuner.${name}: ${problem}`);
  if (!isOptionsObject(options)) throw refuse(null, `must be an object of options (got ${shown(options)})`);
  checkOneOf(options.kind, KINDS, "kind", refuse);
  checkOptions(options, OPTIONS, "tuner", refuse);
  for (const name of ["fasterWhen", "slowerWhen"] as const) {
    const limits: unknown = (options as Partial<Record<typeof name, unknown>>)[name];
    if (limits !== undefined && !isOptionsObject(limits)) throw refuse(name, `must be an object of limits (got ${shown(limits)})`);
  }
  const { base, min, max } = options;
  return adaptive({ base, min, max, tuner: tunerOf(options) });
}

function tunerOf(options: TunerOptions): Tuner {
  const { speedUp, slowDown } = options;
  switch (options.kind) {
    case "performance_based":
      return performanceBased({ speedUp, slowDown, ...options.fasterWhen, ...options.slowerWhen });
    case "load_based":
      return loadBased({ speedUp, slowDown, ...options.slowerWhen });
    case "data_volume_based":
      return dataVolumeBased({ speedUp, slowDown, ...options.fasterWhen, ...options.slowerWhen });
  }
}
