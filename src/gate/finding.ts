import type { TriggerKind } from "../trigger/trigger.js";

/** What a condition found: may the run go ahead, why, on what evidence, and when to look again. */
export interface Finding {
  /** The condition's name. */
  readonly condition: string;
  readonly result: "pass" | "block" | "not_evaluated";
  readonly reason: string;
  /** What it saw, for people and programs; no secrets. */
  readonly evidence?: Readonly<Record<string, unknown>>;
  /** When the answer can next be different, epoch ms; absent when the condition cannot know. */
  readonly recheckAt?: number;
}

export type DecisionOutcome = "run" | "hold" | "skip";

/** The pause because of which fire times were dropped. Instants are epoch ms. */
export interface MissedPause {
  readonly at: number;
  readonly until: number;
  readonly reason: string | null;
  readonly user: string | null;
  /** Everything was paused, and not this pipeline alone. */
  readonly isGlobal: boolean;
}

/** Dropped fire times: how many, and the last of them. */
export interface MissedFires {
  readonly count: number;
  readonly lastAt: number;
  /** Absent when no pause covered them. */
  readonly pause?: MissedPause;
}

/** The recorded outcome of a gate for one trigger, or of a fire time that was dropped. Instants are epoch ms. */
export interface DecisionRecord {
  readonly id: string;
  readonly pipelineId: string;
  /** `null` when a fire time was dropped before it became a trigger. */
  readonly triggerId: string | null;
  readonly kind: TriggerKind;
  readonly scheduledFor: number | null;
  readonly at: number;
  readonly outcome: DecisionOutcome;
  readonly reason: string;
  readonly findings: readonly Finding[];
  /** Of a dropped fire time, or of several in a row that one decision stands for; `null` for one that no pause covered, and for a trigger. */
  readonly missed: MissedFires | null;
  /** `["findings"]` when the store was not asked to read them. Absent otherwise. */
  readonly omitted?: readonly string[];
}
