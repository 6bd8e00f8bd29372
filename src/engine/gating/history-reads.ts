import type { RunHistory } from "../../gate/condition.js";
import { isUnavailable } from "../context/store-health.js";

/** The history that the conditions of one evaluation read, and why the store could not be read, if it could not. */
export class HistoryReads implements RunHistory {
  readonly #history: RunHistory;
  #failure: unknown = null;

  constructor(history: RunHistory) {
    this.#history = history;
  }

  /** The first error of a store that is away; `null` while all reads were answered. */
  get failure(): unknown {
    return this.#failure;
  }

  lastSuccessAt(pipelineId: string): Promise<number | null> {
    return this.#read(this.#history.lastSuccessAt(pipelineId));
  }

  countRuns(pipelineId: string, from: number, until: number): Promise<number> {
    return this.#read(this.#history.countRuns(pipelineId, from, until));
  }

  recentStarts(...query: Parameters<RunHistory["recentStarts"]>): ReturnType<RunHistory["recentStarts"]> {
    return this.#read(this.#history.recentStarts(...query));
  }

  countWaiting(limit: number): Promise<number> {
    return this.#read(this.#history.countWaiting(limit));
  }

  async #read<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (isUnavailable(error)) this.#failure ??= error;
      throw error;
    }
  }
}
