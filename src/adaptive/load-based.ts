import { checkOptions } from "../base/options.js";
import { percent } from "../base/share.js";
import { FACTORS, type Factors, factorsOf, invalidTuner, type Tuner } from "./tuner.js";

/** Options of {@link loadBased}. */
export interface LoadOptions extends Factors {
  /** Share of processor time in use above which it slows down, 0 to 1. Default 0.8. */
  cpuAbove?: number;
  /** Share of the memory in use above which it slows down, 0 to 1. Default 0.85. */
  memoryAbove?: number;
  /** Triggers that wait. Default 5. */
  queueLengthAbove?: number;
  /** It counts as calm when everything is below this part of its limit, 0 to 1. Default 0.75; what is between changes nothing. */
  calm?: number;
}

/**
 * Less often while the system is loaded by any of processor, memory and queue; more often while all of it is calm. Default factors 0.7 and 2. While it is so calm that even a load that comes from this
 * pipeline alone would stay between the limits, it takes several steps at once. It looks between runs, too.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export function loadBased(options: LoadOptions = {}): Tuner {
  checkOptions(options, { ...FACTORS, cpuAbove: true, memoryAbove: true, queueLengthAbove: true, calm: true }, "loadBased");
  const { cpuAbove = 0.8, memoryAbove = 0.85, queueLengthAbove = 5, calm = 0.75 } = options;
  const { speedUp, slowDown } = factorsOf(options, 0.7, 2, "loadBased");
  if (!(calm >= 0 && calm <= 1)) throw invalidTuner("loadBased", "calm must be from 0 to 1");
  const tuner: Tuner = ({ cpu, memory, queueLength }, interval, context) => {
    const measures = [
      { shown: `cpu ${cpu === null ? "?" : percent(cpu, cpuAbove)}`, value: cpu, limit: cpuAbove },
      { shown: `memory ${memory === null ? "?" : percent(memory, memoryAbove)}`, value: memory, limit: memoryAbove },
      { shown: `queue ${queueLength ?? "?"}`, value: queueLength, limit: queueLengthAbove },
    ];
    const known = measures.flatMap(({ value, ...rest }) => (value === null ? [] : [{ ...rest, value }]));
    if (known.length === 0) return { interval, reason: "the load is unknown" };
    const high = known.filter(({ value, limit }) => value > limit);
    const shown = (some: readonly { readonly shown: string }[]) => some.map((one) => one.shown).join(", ");
    if (high.length > 0) return { interval: interval * slowDown, reason: `loaded: ${shown(high)}` };
    const isCalm = known.every(({ value, limit }) => value <= limit * calm);
    if (!isCalm) return { interval, reason: `neither calm nor loaded: ${shown(known)}` };
    const steps =
      context === undefined || cpu === null
        ? 1
        : stepsFor(Math.max(cpu / cpuAbove, queueLength ? queueLength / queueLengthAbove : 0), calm, speedUp);
    return { interval: interval * speedUp ** steps, reason: `calm: ${shown(known)}${steps === 1 ? "" : `, ${steps} steps at once`}` };
  };
  return Object.assign(tuner, { followsLoad: true });
}

/** Most steps at once. */
const STEPS = 4;

/** Steps after which a load of processor or queue that is all this pipeline's, and so grows as its interval shrinks, would be in the middle between calm and loaded. */
function stepsFor(loadShare: number, calm: number, speedUp: number): number {
  if (speedUp === 1) return 1;
  const safe = loadShare === 0 ? STEPS : Math.floor(Math.log((2 * loadShare) / (1 + calm)) / Math.log(speedUp));
  return Math.max(1, Math.min(STEPS, safe));
}
