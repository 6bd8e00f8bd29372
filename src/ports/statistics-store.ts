/** Statistics of a pipeline as they were rolled up, so that no node reads history to know them. */
export interface StatisticsRollUp {
  /** `""` stands for all pipelines together. */
  readonly pipelineId: string;
  /** Everything that ended before this instant is counted, once; epoch ms. */
  readonly until: number;
  /** The length of their window, ms. */
  readonly windowMs: number;
  /** JSON. */
  readonly state: unknown;
}

/** The part of the store that keeps rolled-up statistics: at most one small row per pipeline. */
export interface StatisticsStore {
  /** Returns the roll-ups of these pipelines; or all of them behind a pipeline id, in the order of ids, `limit` at most. */
  rollUps(
    query: { readonly pipelineIds: readonly string[] } | { readonly after: string | null; readonly limit: number },
  ): Promise<readonly StatisticsRollUp[]>;
  /** Writes roll-ups, all or none. Returns false, and writes nothing, when the token of the cursor is not the current one. */
  saveRollUps(cursor: { readonly name: string; readonly token: number }, rollUps: readonly StatisticsRollUp[]): Promise<boolean>;
}
