import type { Duration } from "../base/duration.js";
import type { Instant } from "../base/instant.js";
import type { Priority } from "../trigger/trigger.js";

/** Kinds of triggers that may be requested by a person or another system. */
export type RequestedKind = "manual" | "immediate" | "webhook" | "file" | "sensor";

/** Options of `Scheduler.trigger`. */
export interface TriggerOptions<Parameters = unknown> {
  /** Default `"manual"`. `"immediate"` skips the conditions and goes to the head of the line. */
  kind?: RequestedKind;
  /** Reason, at most 1,000 characters. Default none. */
  reason?: string;
  /** User, at most 200 characters. Default none. */
  user?: string;
  /** Default: the pipeline's. */
  priority?: Priority;
  /** Checked by the pipeline's schema; JSON of at most 1,000,000 characters. Default: what the schema makes of `{}`. */
  parameters?: Parameters;
  /** Asking again with the same key gives the first trigger; at most 255 characters. Default: every request makes a trigger. */
  idempotencyKey?: string;
  /** The run does not start before this instant. Default: it may start at once. */
  notBefore?: Instant;
  /**
   * A client of the store's database on which a transaction of yours is open: the trigger is accepted when that commits, and not at all if it does not.
   * PostgreSQL only. Default: a transaction of the store's own.
   */
  transaction?: unknown;
  /** Runs although paused, whatever the conditions, and beyond `maxActiveRuns`. Default false. */
  force?: boolean;
  /** Records the trigger in the audit log, in one transaction with it; not together with `transaction`. Default: none, what code triggers is not recorded. */
  caller?: ActionCaller;
}

/** Options of `Scheduler.waitFor`. */
export interface WaitOptions {
  /** Ends the waiting, which rejects with the signal's reason; trigger and run go on. Default: the scheduler's stop alone ends it. */
  signal?: AbortSignal;
}

/** Options of `Scheduler.run`. */
export interface RunOptions<Parameters = unknown> extends Omit<TriggerOptions<Parameters>, "transaction">, WaitOptions {}

/** The last argument of `Scheduler.trigger`: it may be left out when the pipeline runs without parameters. */
export type TriggerArguments<Parameters> = Arguments<Parameters, TriggerOptions<Parameters>>;

/** The last argument of `Scheduler.run`: it may be left out when the pipeline runs without parameters. */
export type RunArguments<Parameters> = Arguments<Parameters, RunOptions<Parameters>>;

/** The last argument of `Scheduler.backfill`, with the parameters that the pipeline cannot run without. */
export type BackfillArgument<Parameters> =
  Arguments<Parameters, BackfillOptions<Parameters>> extends [infer Needed] ? Needed : BackfillOptions<Parameters>;

// biome-ignore lint/complexity/noBannedTypes: whether `{}` will do is the question
type Arguments<Parameters, Options> = {} extends Parameters ? [options?: Options] : [options: Options & { parameters: Parameters }];

/** The caller of an API on whose behalf something is done, as the audit log records it. */
export interface ActionCaller {
  /** Id of the caller's token; at most 200 characters. */
  readonly token: string;
  readonly role?: string | null;
  readonly address?: string | null;
  /** At most 100 characters. */
  readonly requestId?: string | null;
}

/** The user behind an action, and the reason. */
export interface ActionContext {
  /** Reason, at most 1,000 characters. Default none. */
  reason?: string;
  /** User, at most 200 characters. Default none. */
  user?: string;
  /** Default: none, it is done by code. */
  caller?: ActionCaller;
}

/** The pipelines that an action is for, by at most one of these; default: everything. Those of a tag or an owner are the ones that have it at that moment. */
export interface PipelineSelection {
  /** One pipeline. */
  pipelineId?: string;
  /** Each of these pipelines; at least one. */
  pipelineIds?: readonly string[];
  /** The pipelines of this node with this tag; at least one must have it. */
  tag?: string;
  /** The pipelines of this node with this owner; at least one must have it. */
  owner?: string;
}

/** Options of `Scheduler.pause`. */
export interface PauseOptions extends ActionContext, PipelineSelection {
  /** Resumes by itself after this; not together with `until`. Default: never. */
  duration?: Duration;
  /** Resumes by itself at this instant, which is to come. Default: never. */
  until?: Instant;
}

/** Options of `Scheduler.resume`. */
export interface ResumeOptions extends ActionContext, PipelineSelection {}

/** Options of `Scheduler.rerun`. */
export interface RerunOptions extends ActionContext {
  /** Default: the pipeline's. */
  priority?: Priority;
  /** Asking again with the same key gives the first trigger; at most 255 characters. Default: every request makes a trigger. */
  idempotencyKey?: string;
}

/** Options of `Scheduler.backfill`. */
export interface BackfillOptions<Parameters = unknown> extends ActionContext {
  /** The first instant whose fire times are wanted. */
  from: Instant;
  /** The end, exclusive. Default now. */
  to?: Instant;
  /** Default `"low"`. */
  priority?: Priority;
  /** Of every trigger. Default: none. */
  parameters?: Parameters;
  /** Asking again with the same key makes nothing twice. Default: a new one. */
  idempotencyKey?: string;
}
