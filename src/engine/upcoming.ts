import { HeadgateError } from "../base/errors.js";
import { Heap, type HeapEntry } from "../base/heap.js";
import type { Instant } from "../base/instant.js";
import { epochMs } from "../base/instant.js";
import { checkOptions } from "../base/options.js";
import type { Pipeline } from "./pipeline.js";
import { unknownPipeline } from "./refusals.js";

/** Bounds of `Scheduler.upcoming`. */
export interface UpcomingFireOptions {
  /** Default: all pipelines. */
  pipelineId?: string;
  /** Fire times strictly after this. Default now. */
  from?: Instant;
  /** Fire times before this. Default: no end. */
  until?: Instant;
  /** 1 to 10,000. Default 10. */
  count?: number;
}

/** A fire time to come. */
export interface UpcomingFire {
  readonly pipelineId: string;
  readonly fireAt: Date;
}

interface Next extends HeapEntry {
  readonly pipeline: Pipeline;
}

/**
 * Merges the fire times of pipelines, soonest first.
 *
 * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_INSTANT`
 */
export function upcomingFires(pipelines: readonly Pipeline[], options: UpcomingFireOptions, now: number): readonly UpcomingFire[] {
  checkOptions(options, { pipelineId: true, from: true, until: true, count: true }, "upcoming");
  const count = options.count ?? 10;
  if (!Number.isInteger(count) || count < 1 || count > 10_000) {
    throw new HeadgateError("INVALID_ARGUMENT", `count: ${count} must be a whole number from 1 to 10,000`, {
      details: { option: "count" },
    });
  }
  const from = options.from === undefined ? now : epochMs(options.from, "from");
  const until = options.until === undefined ? Number.POSITIVE_INFINITY : epochMs(options.until, "until");
  const soonest = new Heap<Next>();
  const { pipelineId } = options;
  const wanted = pipelineId === undefined ? pipelines : pipelines.filter(({ id }) => id === pipelineId);
  if (pipelineId !== undefined && wanted.length === 0) throw unknownPipeline(pipelineId);
  for (const pipeline of wanted) {
    const at = pipeline.schedule.nextAfter(from);
    if (at !== null) soonest.set({ heapIndex: -1, heapKey: 0, pipeline }, at);
  }
  const found: UpcomingFire[] = [];
  for (let next = soonest.peek(); next !== undefined && next.heapKey < until && found.length < count; next = soonest.peek()) {
    found.push({ pipelineId: next.pipeline.id, fireAt: new Date(next.heapKey) });
    const at = next.pipeline.schedule.nextAfter(next.heapKey);
    if (at === null) soonest.remove(next);
    else soonest.set(next, at);
  }
  return found;
}
