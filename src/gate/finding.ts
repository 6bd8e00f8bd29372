import { int, json, oneOf, type RecordOf, text } from "../base/fields.js";
import type { SkippedFire } from "../schedule/skips.js";
import { type CatchupRecord, TRIGGER_KINDS, type TriggerKind } from "../trigger/trigger.js";

export const FINDING_RESULTS = ["pass", "block", "not_evaluated"] as const;

/** Result of a condition: whether the run may go ahead, why, on what evidence, and when to check again. */
export interface Finding {
  /** The condition's name. */
  readonly condition: string;
  readonly result: (typeof FINDING_RESULTS)[number];
  readonly reason: string;
  /** Observed values, for people and programs; no secrets. */
  readonly evidence?: Readonly<Record<string, unknown>>;
  /** When the answer can next be different, epoch ms; absent when the condition cannot know. */
  readonly recheckAt?: number;
}

/** Facts about dropped fire times. Instants are epoch ms. */
export interface MissedFires {
  /** Number of dropped fire times from the decision's `scheduledFor` on, and the last of them. */
  readonly count: number;
  readonly lastAt: number;
  /** Cause that kept them from being made on time. Absent when it was a pause. */
  readonly cause?: CatchupRecord;
  /** The pause that covered them. Absent when none did. */
  readonly pause?: MissedPause;
  /** A user wanted it left out. Absent when nobody did. */
  readonly skip?: Omit<SkippedFire, "fireAt">;
}

export const DECISION_OUTCOMES = ["run", "hold", "skip"] as const;

export type DecisionOutcome = (typeof DECISION_OUTCOMES)[number];

/** The pause because of which fire times were dropped. Instants are epoch ms. */
export interface MissedPause {
  readonly at: number;
  readonly until: number;
  readonly reason: string | null;
  readonly user: string | null;
  /** Everything was paused, not only this pipeline. */
  readonly isGlobal: boolean;
}

/** Fields of a decision, each defined once. Instants are epoch ms. */
export const DECISION_FIELDS = {
  id: text(),
  pipelineId: text(),
  /** `null` when a fire time was dropped before it became a trigger. */
  triggerId: text().nullable(),
  kind: oneOf<TriggerKind>(TRIGGER_KINDS),
  scheduledFor: int().nullable(),
  at: int(),
  outcome: oneOf<DecisionOutcome>(DECISION_OUTCOMES),
  reason: text(),
  findings: json<readonly Finding[]>().large([]),
  /** Dropped fire times in a row that one decision stands for, or one whose cause is known; else `null`. */
  missed: json<MissedFires>().nullable(),
};

/** The recorded outcome of a gate for one trigger, or of a fire time that was dropped. Instants are epoch ms. */
export interface DecisionRecord extends RecordOf<typeof DECISION_FIELDS> {
  /** A hold that the next looks found the same: how many looks in all, and when the last one was, with the id of its decision. `reason` and `findings` are those of the last one, `at` is when the first was. Absent otherwise. */
  readonly repeated?: { readonly count: number; readonly lastAt: number; readonly lastId: string };
  /** `["findings"]` when the store was not asked to read them. Absent otherwise. */
  readonly omitted?: readonly string[];
}
