import type { PrunedRecord } from "../adapters/stores/memory/history.js";
import type { DecisionRecord } from "../gate/finding.js";
import type { RunRecord } from "../run/run.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import { ColumnarStore } from "./columnar-store.js";

/** Simulated records that the store has pruned. */
export class SimulationHistory {
  readonly triggers = new ColumnarStore<TriggerRecord>({
    id: "id",
    pipelineId: "text",
    kind: "text",
    status: "text",
    priority: "text",
    order: "number",
    scheduledFor: "number",
    key: "text",
    reason: "text",
    user: "text",
    requestedBy: "text",
    parameters: "json",
    size: "number",
    createdAt: "number",
    availableAt: "number",
    expiresAt: "number",
    isForced: "json",
    token: "number",
    node: "text",
    leaseUntil: "number",
    runId: "id",
    endedAt: "number",
    endReason: "text",
    endedBy: "text",
    supersedes: "id",
    supersededBy: "id",
    catchup: "json",
    intervalStart: "number",
    rerunOf: "text",
  });
  readonly runs = new ColumnarStore<RunRecord>({
    id: "id",
    pipelineId: "text",
    triggerId: "id",
    status: "text",
    scheduledFor: "number",
    attempt: "number",
    token: "number",
    node: "text",
    leaseUntil: "number",
    startedAt: "number",
    attemptStartedAt: "number",
    endedAt: "number",
    retryAt: "number",
    output: "json",
    error: "json",
    progress: "json",
    reference: "json",
    cancelRequest: "json",
    attempts: "json",
    isForced: "json",
  });
  readonly decisions = new ColumnarStore<DecisionRecord>({
    id: "id",
    pipelineId: "text",
    triggerId: "id",
    kind: "text",
    scheduledFor: "number",
    at: "number",
    outcome: "text",
    reason: "text",
    findings: "json",
    missed: "json",
    repeated: "json",
  });

  readonly add = ({ trigger, run, decisions }: PrunedRecord): void => {
    if (trigger !== null) this.triggers.push(trigger);
    if (run !== null) this.runs.push(run);
    for (const decision of decisions) this.decisions.push(decision);
  };
}

/** The records of a log as they are handed out, in the order in which they were made. */
export function inOrderMade<T extends { readonly id: string }, V>(log: ColumnarStore<T>, view: (record: T) => V): V[] {
  const ids = new Float64Array(log.size);
  for (let index = 0; index < log.size; index++) ids[index] = Number.parseInt(log.field("id" as keyof T & string, index) as string, 36);
  const places = Uint32Array.from(ids, (_, index) => index).sort((a, b) => (ids[a] as number) - (ids[b] as number));
  return Array.from(places, (place) => view(log.at(place)));
}
