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
  /** A row of dropped fire times told as one: how many, and the last of them. */
  readonly missed: { readonly count: number; readonly lastAt: number } | null;
  /** A hold that the next looks found the same: how many looks in all, and when the last one was, with the id of its decision. `reason` and `findings` are those of the last one, `at` is when the first was. Absent otherwise. */
  readonly repeated?: { readonly count: number; readonly lastAt: number; readonly lastId: string };
  /** `["findings"]` when the store was not asked to read them. Absent otherwise. */
  readonly omitted?: readonly string[];
}
