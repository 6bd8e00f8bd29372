import type { Deed } from "./spec.js";

/** What was seen of a world that was played: records and answers as plain data, instants as epoch ms. */

export interface SeenTrigger {
  readonly id: string;
  readonly pipelineId: string;
  readonly kind: string;
  readonly status: string;
  readonly priority: string;
  readonly scheduledFor: number | null;
  readonly user: string | null;
  readonly reason: string | null;
  readonly createdAt: number;
  readonly isForced: boolean;
  readonly expiresAt: number | null;
  readonly runId: string | null;
  readonly endedAt: number | null;
  readonly endReason: string | null;
  readonly supersedes: string | null;
  readonly supersededBy: string | null;
}

interface SeenFinding {
  readonly condition: string;
  readonly result: string;
}

export interface SeenDecision {
  readonly id: string;
  readonly pipelineId: string;
  readonly triggerId: string | null;
  readonly kind: string;
  readonly scheduledFor: number | null;
  readonly at: number;
  readonly outcome: string;
  readonly reason: string;
  readonly findings: readonly SeenFinding[];
  readonly missed: { readonly count: number; readonly lastAt: number } | null;
}

interface SeenAttempt {
  readonly attempt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: string;
  readonly node: string;
}

export interface SeenRun {
  readonly id: string;
  readonly pipelineId: string;
  readonly triggerId: string;
  readonly status: string;
  readonly scheduledFor: number | null;
  readonly attempt: number;
  readonly node: string;
  readonly startedAt: number;
  readonly attemptStartedAt: number;
  readonly endedAt: number | null;
  readonly retryAt: number | null;
  readonly isCancelRequested: boolean;
  readonly cancelAt: number | null;
  readonly cancelUser: string | null;
  readonly attempts: readonly SeenAttempt[];
}

export interface SeenEvent {
  readonly at: number;
  readonly name: string;
  readonly pipelineId: string | null;
  /** Of the trigger, the decision or the run that it is about. */
  readonly id: string | null;
}

/** A call of a pipeline's function. */
export interface SeenCall {
  readonly at: number;
  readonly pipelineId: string;
  readonly runId: string;
  readonly attempt: number;
}

export interface SeenDeed {
  readonly deed: Deed;
  /** When it was done. */
  readonly at: number;
  /** Code of the error when it was refused. */
  readonly refused: string | null;
  /** Of the triggers or the run concerned. */
  readonly ids: readonly string[];
}

export interface SeenAnswer {
  readonly askedAt: number;
  readonly pipelineId: string;
  readonly at: number;
  readonly answer: string;
  readonly text: string;
  readonly triggerId: string | null;
  readonly runId: string | null;
  readonly decisionIds: readonly string[];
  readonly nextFireAt: number | null;
  /** Why this instant was asked for. */
  readonly why: "fire" | "recheck" | "retry" | "notBefore" | "expiry" | "any";
  /** The waiting trigger that it was asked for. */
  readonly of: string | null;
}

export interface SeenUpcoming {
  readonly askedAt: number;
  readonly fires: readonly { readonly pipelineId: string; readonly at: number }[];
}

/** A span in which no node was up, or one node was not. */
export interface SeenDown {
  readonly node: number;
  readonly from: number;
  readonly until: number;
  readonly how: "stop" | "kill";
}

export interface Seen {
  readonly store: string;
  readonly triggers: readonly SeenTrigger[];
  /** Each look at a held trigger is one, whether or not it has a record of its own. */
  readonly decisions: readonly SeenDecision[];
  /** What is wrong with records that stand for several looks. */
  readonly misfolded: readonly string[];
  readonly runs: readonly SeenRun[];
  readonly events: readonly SeenEvent[];
  readonly calls: readonly SeenCall[];
  readonly deeds: readonly SeenDeed[];
  readonly answers: readonly SeenAnswer[];
  readonly upcoming: readonly SeenUpcoming[];
  readonly downs: readonly SeenDown[];
  readonly errors: readonly string[];
  /** Times at which a store was not to be had, which none of the checks allows for. */
  readonly outages: readonly string[];
  /** JSON of the history of each pipeline, as `backtest` takes it. */
  readonly histories: ReadonlyMap<string, string>;
  /** The end of the world. */
  readonly endedAt: number;
}
