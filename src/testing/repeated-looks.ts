import type { Gate } from "../gate/decide.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import type { PlayedTriggers } from "./played-triggers.js";
import { decisionsByTrigger, type RecordedDecision } from "./recorded.js";
import type { Unknowns } from "./unknowns.js";

export const DEFAULT_CONDITION_TIMEOUT_MS = 10_000;

/** Returns the longest that an evaluation of a gate may take, ms: 0 when nothing of it looks outside. */
export function slowestOf({ conditions }: Gate): number {
  return conditions.reduce(
    (most, { needs, timeoutMs }) => (needs === "outside" ? Math.max(most, timeoutMs ?? DEFAULT_CONDITION_TIMEOUT_MS) : most),
    0,
  );
}

/**
 * Looks at held triggers whose holds were recorded as one decision. The history has how many there were, the first and the last: the play looks as often, and for the last time when it was
 * recorded. In between it looks when the pipeline's own gate wants, and sooner where that would be too few: something outside had the trigger looked at then, at an instant that is not known.
 */
export class RepeatedLooks {
  readonly #byKey: ReadonlyMap<string, readonly RecordedDecision[]>;
  readonly #done = new Map<RecordedDecision, number>();
  readonly #played: PlayedTriggers;
  readonly #unknown: Unknowns;
  /** The longest that an evaluation of the gate may take. */
  readonly #slowMs: number;

  /** @param decisions - sorted by time */
  constructor(decisions: readonly RecordedDecision[], pipeline: Pipeline, played: PlayedTriggers, unknown: Unknowns) {
    this.#byKey = decisionsByTrigger(decisions.filter(({ looks }) => looks > 1));
    this.#played = played;
    this.#unknown = unknown;
    this.#slowMs = slowestOf(pipeline.gate);
  }

  /** Returns true when a decision's next look is its last one, or it has had all. */
  isNextLast(decision: RecordedDecision): boolean {
    return (this.#done.get(decision) ?? 0) >= decision.looks - 1;
  }

  /**
   * Counts a look that held a trigger, and returns when to look again, epoch ms.
   *
   * @param recheckAt - when the gate wants to
   */
  readonly nextLook = (trigger: TriggerRecord, at: number, recheckAt: number): number => {
    const key = this.#played.keyOf(trigger);
    const decision = this.#byKey.get(key)?.find(({ lastLookAt }) => lastLookAt >= at);
    if (decision === undefined || decision.at > at) return recheckAt;
    const done = (this.#done.get(decision) ?? 0) + 1;
    this.#done.set(decision, done);
    const { looks, lastLookAt } = decision;
    const left = looks - done;
    const leftMs = lastLookAt - at;
    if (left <= 0 || leftMs <= 0) return recheckAt;
    if (left === 1) {
      if (recheckAt > lastLookAt) return this.#sooner(decision, key, lastLookAt);
      const lateMs = lastLookAt - recheckAt; // what the evaluations before took, which is not recorded
      return lateMs > this.#slowMs && lateMs <= this.#slowMs * (looks - 1) ? lastLookAt : recheckAt;
    }
    if (Math.ceil(leftMs / Math.max(1, recheckAt - at)) >= left) return recheckAt;
    return this.#sooner(decision, key, at + Math.ceil(leftMs / left));
  };

  #sooner(decision: RecordedDecision, key: string, at: number): number {
    if (decision.looks > 2) this.#unknown.add("look_times", key, decision.at);
    return at;
  }
}
