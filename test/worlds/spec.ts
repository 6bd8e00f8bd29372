/** A random world as plain data: what is configured, and what happens. Instants are epoch ms, lengths ms. Imports nothing. */

export type Weekday = "sunday" | "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday";

export type CalendarSpec =
  | {
      readonly type: "window";
      readonly start: string;
      readonly end: string;
      readonly days: readonly Weekday[] | null;
      readonly zone: string;
    }
  | { readonly type: "span"; readonly from: number; readonly until: number }
  | { readonly type: "business"; readonly zone: string; readonly holidays: readonly string[] };

export type ScheduleSpec =
  | { readonly type: "cron"; readonly expression: string; readonly zone: string }
  | { readonly type: "every"; readonly ms: number; readonly anchor: number }
  | { readonly type: "at"; readonly instants: readonly number[] }
  | { readonly type: "union"; readonly parts: readonly ScheduleSpec[] }
  | { readonly type: "except" | "within"; readonly of: ScheduleSpec; readonly calendar: CalendarSpec }
  | { readonly type: "manual" };

export type OnBlock = "skip" | "hold";

/** A condition; `onBlock: null` leaves it to the pipeline. */
export type ConditionSpec =
  | { readonly type: "window"; readonly calendar: CalendarSpec; readonly onBlock: OnBlock | null }
  | { readonly type: "business"; readonly calendar: CalendarSpec; readonly onBlock: OnBlock | null }
  | { readonly type: "stale"; readonly olderThan: number; readonly onBlock: OnBlock | null }
  | { readonly type: "succeeded"; readonly pipelineId: string; readonly within: number | null; readonly onBlock: OnBlock | null }
  | { readonly type: "max"; readonly count: number; readonly period: number; readonly onBlock: OnBlock | null }
  /** Answers by {@link signalAt}; `fails`: throws where it would block. */
  | {
      readonly type: "custom" | "probe";
      readonly name: string;
      readonly period: number;
      readonly share: number;
      readonly fails: boolean;
      readonly onError: "pass" | "block";
      readonly onBlock: OnBlock | null;
    }
  /** Never answers: its timeout ends it. */
  | {
      readonly type: "hang";
      readonly name: string;
      readonly timeout: number;
      readonly onError: "pass" | "block";
      readonly onBlock: OnBlock | null;
    }
  | { readonly type: "all" | "any"; readonly parts: readonly ConditionSpec[] }
  | { readonly type: "not"; readonly part: ConditionSpec };

type Overlap = "queue" | "queue_one" | "skip" | "cancel_running";
type Catchup = "none" | "latest" | "all";
export type Priority = "critical" | "high" | "normal" | "low";

export interface ExecutionSpec {
  readonly retries: number;
  readonly retryDelay: number;
  /** `linear`: the delay times the number of the failed attempt, by a function. */
  readonly backoff: "fixed" | "exponential" | "linear";
  readonly maxRetryDelay: number;
  readonly jitter: number;
  readonly retryOn: readonly string[] | null;
  readonly timeout: number;
  readonly totalTimeout: number | null;
  readonly maxActiveRuns: number;
  readonly overlap: Overlap;
  readonly catchup: Catchup;
  readonly catchupWindow: number;
  readonly priority: Priority;
  readonly pool: string | null;
}

/** How long attempts take and how they end: shares of failures, of final ones, and of attempts that never end. */
export interface FateSpec {
  readonly longest: number;
  readonly fail: number;
  readonly final: number;
  readonly hang: number;
}

export interface PipelineSpec {
  readonly id: string;
  readonly schedule: ScheduleSpec;
  readonly after: readonly string[];
  readonly conditions: readonly ConditionSpec[];
  readonly onBlock: OnBlock;
  readonly holdFor: number;
  readonly recheckInterval: number;
  readonly execution: ExecutionSpec;
  readonly fate: FateSpec;
}

/** What people, systems and machines do. */
export type Deed = { readonly at: number } & (
  | {
      readonly kind: "trigger";
      readonly pipelineId: string;
      readonly as: "manual" | "immediate" | "forced" | "webhook";
      readonly priority: Priority | null;
      readonly notBefore: number | null;
      readonly key: string | null;
    }
  | { readonly kind: "backfill"; readonly pipelineId: string; readonly from: number; readonly to: number }
  | { readonly kind: "pause"; readonly pipelineId: string | null; readonly duration: number | null }
  | { readonly kind: "resume"; readonly pipelineId: string | null }
  | { readonly kind: "cancel"; readonly pipelineId: string; readonly what: "run" | "waiting" }
  | { readonly kind: "recheck"; readonly pipelineId: string | null }
  | { readonly kind: "replace"; readonly pipeline: PipelineSpec }
  /** A node ends, in order (`stop`) or at once (`kill`), and another takes its place later. */
  | { readonly kind: "down"; readonly node: number; readonly how: "stop" | "kill"; readonly length: number }
  | { readonly kind: "jump"; readonly by: number }
);

export type Theme = "plain" | "restarts" | "nodes" | "steps";

export interface World {
  readonly seed: number;
  readonly theme: Theme;
  readonly from: number;
  readonly to: number;
  readonly pools: Readonly<Record<string, number>>;
  readonly globalLimit: number | null;
  readonly misfireThreshold: number;
  readonly lease: number;
  readonly timerTrust: number;
  readonly nodes: 1 | 2;
  /** What every draw of the scheduler's random source comes to, in [0, 1). */
  readonly draw: number;
  readonly pipelines: readonly PipelineSpec[];
  /** In order of time, at most one at an instant. */
  readonly deeds: readonly Deed[];
  /** When `explain` and `upcoming` are asked while the world goes on. */
  readonly asks: readonly number[];
}

export interface Fate {
  readonly kind: "ok" | "fail" | "final" | "hang";
  readonly ms: number;
  readonly code: string | null;
}
