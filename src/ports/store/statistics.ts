/**
 * Rolled-up statistics: at most one small row per pipeline, so that a node that starts reads no history. Written by `engine/monitoring/statistics-roll-up` under the lease of the maintenance, read by `engine/monitoring/statistics`.
 *
 * Invariant: what ended before a row's `until` is counted in it once; rows and `until` are written together, and only under the current token of the lease.
 */
import { int, json, type RecordOf, text } from "../../base/fields.js";
import type { Fence } from "./leases.js";

/** Fields of a roll-up, each defined once. Instants are epoch ms. */
export const ROLL_UP_FIELDS = {
  /** `""` stands for all pipelines together. */
  pipelineId: text(),
  /** Everything that ended before this instant is counted, once; epoch ms. */
  until: int(),
  /** The length of their window, ms. */
  windowMs: int(),
  /** JSON. */
  state: json<unknown>(),
};

/** Statistics of a pipeline as they were rolled up, so that no node reads history to know them. */
export interface StatisticsRollUp extends RecordOf<typeof ROLL_UP_FIELDS> {}

/** The rolled-up statistics of a store. */
export interface StatisticsStore {
  /** Returns the roll-ups of these pipelines; or all of them behind a pipeline id, in the order of ids, `limit` at most. */
  rollUps(
    query: { readonly pipelineIds: readonly string[] } | { readonly after: string | null; readonly limit: number },
  ): Promise<readonly StatisticsRollUp[]>;
  /** Writes roll-ups, all or none. Returns false, and writes nothing, unless the lease is held under this token; it stays so until the transaction ends. */
  saveRollUps(lease: Fence, rollUps: readonly StatisticsRollUp[]): Promise<boolean>;
}
