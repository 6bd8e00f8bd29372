import { FifoList } from "../../../base/fifo-list.js";
import { Heap, type HeapEntry } from "../../../base/heap.js";
import type { DecisionRecord } from "../../../gate/finding.js";
import type { Retention } from "../../../trigger/retention.js";
import type { TriggerEntity } from "./entities.js";

/** Bounds of the memory store's history. */
export interface MemoryRetention extends Retention {
  /** Of parameters and outputs of what has ended. */
  readonly bytes: number;
}

/** A trigger that has ended, or a decision on a dropped fire time. */
export interface Ended {
  readonly at: number;
  readonly cell: TriggerEntity | null;
  decision: DecisionRecord | null;
  readonly pipeline: PipelineRecords;
  isRemoved: boolean;
}

/** Records kept of a pipeline, oldest first; in a heap, by their number. */
interface PipelineRecords extends HeapEntry {
  readonly id: string;
  readonly records: FifoList<Ended>;
}

/** Removed records that may stand between others. */
const HOLES = 1_024;

/** Records of ended triggers and dropped fire times, in order of time, and those beyond the retention. Adding and removing cost the same however many are kept. */
export class EndedRecords {
  #records: Ended[] = [];
  #size = 0;
  #bytes = 0;
  #oldest = 0;
  readonly #pipelines = new Map<string, PipelineRecords>();
  readonly #largest = new Heap<PipelineRecords>();

  add(at: number, pipelineId: string, cell: TriggerEntity | null, decision: DecisionRecord | null): void {
    let pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined) {
      pipeline = { heapIndex: -1, heapKey: 0, id: pipelineId, records: new FifoList() };
      this.#pipelines.set(pipelineId, pipeline);
    }
    const ended: Ended = { at, cell, decision, pipeline, isRemoved: false };
    let place = this.#records.length;
    while (place > this.#oldest && (this.#records[place - 1] as Ended).at > at) place--; // a clock went back
    if (place === this.#records.length) this.#records.push(ended);
    else this.#records.splice(place, 0, ended);
    pipeline.records.push(ended);
    this.#largest.set(pipeline, -pipeline.records.length);
    this.#size++;
    this.#bytes += bytesOf(ended);
  }

  remove(ended: Ended): void {
    const { pipeline } = ended;
    ended.isRemoved = true;
    pipeline.records.remove(ended);
    if (pipeline.records.length > 0) this.#largest.set(pipeline, -pipeline.records.length);
    else {
      this.#largest.remove(pipeline);
      this.#pipelines.delete(pipeline.id);
    }
    this.#size--;
    this.#bytes -= bytesOf(ended);
    const holes = this.#records.length - this.#size;
    if (holes < HOLES || holes < this.#size) return;
    this.#records = this.#records.filter(({ isRemoved }) => !isRemoved);
    this.#oldest = 0;
  }

  oldest(): Ended | undefined {
    while (this.#records[this.#oldest]?.isRemoved === true) this.#oldest++;
    return this.#records[this.#oldest];
  }

  /** The record that goes next because there are too many; `undefined` when there are not. */
  excess({ count, countPerPipeline, bytes }: MemoryRetention): Ended | undefined {
    const largest = this.#largest.peek();
    if (largest !== undefined && (largest.records.length > (countPerPipeline ?? Number.POSITIVE_INFINITY) || this.#size > count))
      return largest.records.at(0);
    return this.#bytes > bytes ? this.oldest() : undefined;
  }

  /** From an instant on, oldest first. */
  *since(at: number): Generator<Ended> {
    let low = this.#oldest;
    for (let high = this.#records.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((this.#records[middle] as Ended).at < at) low = middle + 1;
      else high = middle;
    }
    for (; low < this.#records.length; low++) {
      const one = this.#records[low] as Ended;
      if (!one.isRemoved) yield one;
    }
  }

  /** Of a pipeline, oldest first. */
  *of(pipelineId: string): Generator<Ended> {
    const records = this.#pipelines.get(pipelineId)?.records;
    for (let index = 0; index < (records?.length ?? 0); index++) yield records?.at(index) as Ended;
  }
}

/** Parameters that several triggers share count by their parts. */
function bytesOf({ cell }: Ended): number {
  return cell === null ? 0 : cell.record.size + cell.outputSize;
}
