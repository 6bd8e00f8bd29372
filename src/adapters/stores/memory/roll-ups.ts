import type { StatisticsRollUp, StatisticsStore } from "../../../ports/store/statistics.js";

/** Rolled-up statistics in memory. */
export class RollUps {
  readonly #rows = new Map<string, StatisticsRollUp>();

  list(query: Parameters<StatisticsStore["rollUps"]>[0]): readonly StatisticsRollUp[] {
    if ("pipelineIds" in query) return query.pipelineIds.flatMap((id) => this.#rows.get(id) ?? []);
    const { after, limit } = query;
    const ids = [...this.#rows.keys()].filter((id) => after === null || id > after).sort();
    return ids.slice(0, limit).flatMap((id) => this.#rows.get(id) ?? []);
  }

  save(rows: readonly StatisticsRollUp[]): void {
    for (const row of rows) this.#rows.set(row.pipelineId, row);
  }
}
