import type { z } from "zod";
import type { Duration } from "../base/duration.js";
import { HeadgateError, quote } from "../base/errors.js";
import { epochMs, type Instant } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import { type NewTrigger, PRIORITIES, type Priority } from "../trigger/trigger.js";
import { measuredJsonCopy } from "./json.js";
import { issuesOf, type Pipeline } from "./pipeline.js";

/** What may be asked for by hand or by another system. */
export type AskedKind = "manual" | "immediate" | "webhook" | "file" | "sensor";

/** Options of `Scheduler.trigger`. */
export interface TriggerOptions {
  /** Default `"manual"`. `"immediate"` skips the conditions and goes to the head of the line. */
  kind?: AskedKind;
  /** Why; at most 1,000 characters. */
  reason?: string;
  /** Who; at most 200 characters. */
  user?: string;
  /** Default: the pipeline's. */
  priority?: Priority;
  /** Checked by the pipeline's schema; JSON of at most 1,000,000 characters. */
  parameters?: unknown;
  /** Asking again with the same key gives the first trigger; at most 255 characters. */
  idempotencyKey?: string;
  /** Not before this instant. */
  notBefore?: Instant;
  /**
   * A client of the store's database on which a transaction of yours is open: the trigger is accepted when that commits, and not at all if it does not.
   * PostgreSQL only.
   */
  transaction?: unknown;
  /** Runs although paused, whatever the conditions, and beyond `maxActiveRuns`. Default false. */
  force?: boolean;
  /** Records the trigger in the audit log, in one transaction with it; not together with `transaction`. Default: none, what code triggers is not recorded. */
  caller?: ActionCaller;
}

/** The caller of an API on whose behalf something is done, as the audit log records it. */
export interface ActionCaller {
  /** Id of the caller's token; at most 200 characters. */
  readonly token: string;
  readonly role?: string | null;
  readonly address?: string | null;
  /** At most 100 characters. */
  readonly requestId?: string | null;
}

/** Who does something, and why. */
export interface Act {
  reason?: string;
  user?: string;
  /** Default: none, it is done by code. */
  caller?: ActionCaller;
}

/** Options of `Scheduler.pause`. */
export interface PauseOptions extends Act {
  /** Default: the whole scheduler. */
  pipelineId?: string;
  /** Resumes by itself after this. Default: never. */
  duration?: Duration;
}

/** Options of `Scheduler.resume`. */
export interface ResumeOptions extends Act {
  /** Default: the whole scheduler. */
  pipelineId?: string;
}

/** Options of `Scheduler.backfill`. */
export interface BackfillOptions extends Act {
  /** The first instant whose fire times are wanted. */
  from: Instant;
  /** The end, exclusive. Default now. */
  to?: Instant;
  /** Default `"low"`. */
  priority?: Priority;
  parameters?: unknown;
  /** Asking again with the same key makes nothing twice. Default: a new one. */
  idempotencyKey?: string;
}

const KINDS: readonly AskedKind[] = ["manual", "immediate", "webhook", "file", "sensor"];
const TRIGGER: OptionNames<TriggerOptions> = {
  kind: true,
  reason: true,
  user: true,
  priority: true,
  parameters: true,
  idempotencyKey: true,
  notBefore: true,
  transaction: true,
  force: true,
  caller: true,
};
export const ACT_OPTIONS: OptionNames<Act> = { reason: true, user: true, caller: true };
const PARAMETERS_LIMIT = 1_000_000;

/**
 * A checked request for a run.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_INSTANT`, `INVALID_PARAMETERS`
 */
export async function triggerRequest(
  pipeline: Pipeline,
  options: TriggerOptions,
  id: string,
  requestedBy: string | null = null,
): Promise<NewTrigger> {
  checkOptions(options, TRIGGER, "trigger");
  if (options.force !== undefined && typeof options.force !== "boolean")
    throw bad("force", `must be true or false (got ${shown(options.force)})`);
  if (options.caller !== undefined && options.transaction !== undefined)
    throw bad("caller", "cannot be given with `transaction`: the audit log would be locked until that commits");
  const kind = options.kind ?? "manual";
  if (!KINDS.includes(kind)) throw bad("kind", `${quote(kind)} cannot be asked for; allowed: ${KINDS.join(", ")}`);
  return {
    id,
    pipelineId: pipeline.id,
    kind,
    priority: priorityOf(options.priority ?? pipeline.execution.priority),
    scheduledFor: null,
    key: text(options.idempotencyKey, "idempotencyKey", 255),
    reason: text(options.reason, "reason", 1_000),
    user: text(options.user, "user", 200),
    requestedBy,
    ...(await checkedParameters(pipeline, options.parameters)),
    notBefore: options.notBefore === undefined ? null : epochMs(options.notBefore, "notBefore"),
    isForced: options.force === true,
  };
}

/** What is wrong with one parameter, as `details.problems` of `INVALID_PARAMETERS` has it. */
export interface ParameterProblem {
  /** Names and indexes that lead to it; empty for the parameters as a whole. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const PROBLEMS_SHOWN = 50;

function problemsOf(error: z.ZodError): readonly ParameterProblem[] {
  return error.issues.slice(0, PROBLEMS_SHOWN).flatMap((issue): ParameterProblem[] => {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: [...path, key], message: "is not a parameter that is known here" }));
  });
}

/** Parameters as they are kept, and their bytes: what was given, once the schema has accepted it; the schema makes them again for the run. */
export async function checkedParameters(
  pipeline: Pipeline,
  given: unknown,
): Promise<{ readonly parameters: unknown; readonly size: number }> {
  const problem = (text: string, cause?: unknown, problems: readonly ParameterProblem[] = []) =>
    new HeadgateError("INVALID_PARAMETERS", `parameters of ${pipeline.id}: ${text}`, {
      cause,
      details: { pipelineId: pipeline.id, problems },
    });
  let kept: { readonly copy: unknown; readonly size: number };
  try {
    kept = measuredJsonCopy(given, PARAMETERS_LIMIT, "parameters");
  } catch (cause) {
    throw problem((cause as Error).message, cause);
  }
  const checked = { parameters: kept.copy, size: kept.size };
  const value = kept.copy ?? {};
  if (pipeline.parameters === null) {
    if (typeof value !== "object" || Array.isArray(value)) throw problem("must be an object");
    return checked;
  }
  const parsed = await pipeline.parameters.safeParseAsync(value);
  if (!parsed.success) throw problem(issuesOf(parsed.error), parsed.error, problemsOf(parsed.error));
  return checked;
}

/**
 * Refuses what is no object with a reason and a user.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export function checkAct(act: Act, where: string): void {
  checkOptions(act, ACT_OPTIONS, where);
}

/**
 * Returns the id of a trigger or a run.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for anything but text
 */
export function checkedId(id: string, where: string): string {
  if (typeof id === "string") return id;
  throw new HeadgateError("INVALID_ARGUMENT", `${where}: must be the id of a trigger or a run (got ${shown(id)})`);
}

export function priorityOf(value: Priority): Priority {
  if (PRIORITIES.includes(value)) return value;
  throw bad("priority", `${quote(value)} is unknown; allowed: ${PRIORITIES.join(", ")}`);
}

export function text(value: string | undefined, name: string, limit: number): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") throw bad(name, "must be text");
  if (value.length === 0 || value.length > limit) throw bad(name, `must have 1 to ${limit} characters`);
  return value;
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `${name}: ${problem}`, { details: { option: name } });
}
