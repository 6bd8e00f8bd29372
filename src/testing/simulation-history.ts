import type { PrunedRecord } from "../adapters/stores/memory/history.js";
import type { Fields, StorageType } from "../base/fields.js";
import { DECISION_FIELDS, type DecisionRecord } from "../gate/finding.js";
import { RUN_FIELDS, type RunRecord } from "../run/run.js";
import { TRIGGER_FIELDS, type TriggerRecord } from "../trigger/trigger.js";
import { ColumnarStore, type ColumnKind } from "./columnar-store.js";

/** Simulated records that the store has pruned. */
export class SimulationHistory {
  readonly triggers = new ColumnarStore<TriggerRecord>(kindsOf(TRIGGER_FIELDS, ["id", "runId", "supersedes", "supersededBy"]));
  readonly runs = new ColumnarStore<RunRecord>(kindsOf(RUN_FIELDS, ["id", "triggerId"]));
  readonly decisions = new ColumnarStore<DecisionRecord>({ ...kindsOf(DECISION_FIELDS, ["id", "triggerId"]), repeated: "json" });

  readonly add = ({ trigger, run, decisions }: PrunedRecord): void => {
    if (trigger !== null) this.triggers.push(trigger);
    if (run !== null) this.runs.push(run);
    for (const decision of decisions) this.decisions.push(decision);
  };
}

const KINDS: Readonly<Record<StorageType, ColumnKind>> = { text: "text", int: "number", real: "number", bool: "json", json: "json" };

/** Storage of the fields of a record, those with counted ids by name. */
function kindsOf<F extends Fields>(fields: F, ids: readonly (keyof F)[]): { readonly [Name in keyof F]: ColumnKind } {
  const kinds = Object.entries(fields).map(([name, { type }]) => [name, ids.includes(name) ? "id" : KINDS[type]]);
  return Object.fromEntries(kinds) as { readonly [Name in keyof F]: ColumnKind };
}

/** The records of a log as they are handed out, in the order in which they were made. */
export function inOrderMade<T extends { readonly id: string }, V>(log: ColumnarStore<T>, view: (record: T) => V): V[] {
  const ids = new Float64Array(log.size);
  for (let index = 0; index < log.size; index++) ids[index] = Number.parseInt(log.field("id" as keyof T & string, index) as string, 36);
  const places = Uint32Array.from(ids, (_, index) => index).sort((a, b) => (ids[a] as number) - (ids[b] as number));
  return Array.from(places, (place) => view(log.at(place)));
}
