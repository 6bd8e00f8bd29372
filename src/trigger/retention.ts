import { HeadgateError } from "../base/errors.js";
import { int, type RecordOf, text } from "../base/fields.js";
import { checkInteger } from "../base/options.js";

/**
 * The time after its end at which a record is counted, ms: by then every transaction that could still record an end before that instant has ended, on any node. Nothing is forgotten
 * sooner.
 */
export const SETTLED_MS = 60_000;

/** The share that a pipeline may lose beyond its due when many have about as much: else a step could take but one record of each. */
const SLACK = 0.1;

/** Bounds of what is kept of what has ended: triggers with their runs and decisions, and dropped fire times. */
export interface Retention {
  /** Of all pipelines together. */
  readonly count: number;
  /** Of each pipeline; `null` is no limit of its own. */
  readonly countPerPipeline: number | null;
  readonly maxAgeMs: number;
}

/**
 * Checks the options of a store that say how much it keeps.
 *
 * @param where - what they are options of, for the message
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export function countsOf(
  { count, countPerPipeline = null }: { readonly count?: number; readonly countPerPipeline?: number | null },
  fallback: { readonly count: number },
  where: string,
): Pick<Retention, "count" | "countPerPipeline"> {
  const counts = { count: count ?? fallback.count, countPerPipeline };
  for (const [name, value] of Object.entries(counts)) {
    if (value !== null)
      checkInteger(value, { least: 0 }, name, (_, problem) => new HeadgateError("INVALID_ARGUMENT", `${where}.${name}: ${problem}`));
  }
  return counts;
}

/** Fields of the number of records of a pipeline, each defined once. */
export const HISTORY_FIELDS = { pipelineId: text(), kept: int() };

/** The number of records kept of a pipeline. */
export interface PipelineHistory extends RecordOf<typeof HISTORY_FIELDS> {}

/** The number of its oldest records that a pipeline loses. */
export interface PipelineExcess {
  readonly pipelineId: string;
  readonly excess: number;
}

/**
 * Returns what the pipelines that have most lose now, at most `limit` records in all: what is beyond `countPerPipeline`, and of what all have beyond `count` as much as brings those that have most
 * down to those that have less, to within a tenth. So a pipeline that runs every ten seconds never costs another one its history.
 *
 * @param largest - pipelines in descending order of what they have
 * @param hasMore - true when other pipelines have as much as the last of them, or less
 * @param total - records of all pipelines
 */
export function excessOf(
  largest: readonly PipelineHistory[],
  hasMore: boolean,
  total: number,
  { count, countPerPipeline }: Retention,
  limit: number,
): readonly PipelineExcess[] {
  const kept = largest.map((one) => one.kept);
  const most = countPerPipeline ?? Number.POSITIVE_INFINITY;
  const isOverOwn = (kept[0] ?? 0) > most;
  const over = isOverOwn ? limit : Math.min(limit, total - count);
  const level = isOverOwn ? most : levelOf(kept, hasMore, over);
  let rest = Math.max(0, over);
  const losses = kept.map((one) => {
    const loss = Math.min(rest, Math.max(0, one - level));
    rest -= loss;
    return loss;
  });
  return largest.flatMap(({ pipelineId }, index) => {
    const loss = losses[index] ?? 0;
    const isOneMore = !isOverOwn && rest > 0 && level > 0 && (kept[index] ?? 0) >= level; // what is left over where they cannot all lose as many
    if (isOneMore) rest--;
    const excess = loss + (isOneMore ? 1 : 0);
    return excess === 0 ? [] : [{ pipelineId, excess }];
  });
}

/** Returns the number to which the largest of descending numbers are cut to take `over` from them, or less than one of each. */
function levelOf(kept: readonly number[], hasMore: boolean, over: number): number {
  let size = 0;
  let sum = 0;
  for (const one of kept) {
    if (size > 0 && sum - size * one >= over) break;
    size++;
    sum += one;
  }
  const floor = hasMore ? (kept.at(-1) ?? 0) : 0;
  const least = Math.max(0, floor - Math.max(1, Math.floor(floor * SLACK)));
  return Math.max(least, Math.ceil((sum - over) / size));
}
