import type { z } from "zod";
import { HeadgateError, quote } from "../base/errors.js";
import { epochMs } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { shown } from "../base/shown.js";
import { measuredJsonCopy } from "../run/json-copy.js";
import { type NewTrigger, PRIORITIES, type Priority } from "../trigger/trigger.js";
import { issuesOf, type Pipeline } from "./pipeline.js";
import type { ActionContext, RequestedKind, RunOptions, TriggerOptions, WaitOptions } from "./request-options.js";

const KINDS: readonly RequestedKind[] = ["manual", "immediate", "webhook", "file", "sensor"];
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
const { transaction: _, ...LASTING } = TRIGGER;
const WAIT: OptionNames<WaitOptions> = { signal: true };
const RUN: OptionNames<RunOptions> = { ...LASTING, ...WAIT };
export const ACT_OPTIONS: OptionNames<ActionContext> = { reason: true, user: true, caller: true };
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
    throw bad("caller", "cannot be combined with `transaction`, which would lock the audit log until it commits");
  const kind = options.kind ?? "manual";
  if (!KINDS.includes(kind)) throw bad("kind", `${quote(kind)} cannot be requested; allowed: ${KINDS.join(", ")}`);
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

/**
 * Returns the options of a run, those of its trigger apart from those of the waiting.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`; the signal's reason when it has aborted
 */
export function runRequest(options: RunOptions): { readonly trigger: TriggerOptions; readonly signal: AbortSignal | undefined } {
  checkOptions(options, RUN, "run");
  const { signal, ...trigger } = options;
  return { trigger, signal: checkedSignal(signal, "run") };
}

/**
 * Returns the signal that ends the waiting.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`; the signal's reason when it has aborted
 */
export function waitSignal(options: WaitOptions): AbortSignal | undefined {
  checkOptions(options, WAIT, "waitFor");
  return checkedSignal(options.signal, "waitFor");
}

function checkedSignal(signal: AbortSignal | undefined, where: string): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (typeof signal !== "object" || signal === null || typeof signal.throwIfAborted !== "function")
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: signal: must be an AbortSignal (got ${shown(signal)})`, {
      details: { option: "signal" },
    });
  signal.throwIfAborted();
  return signal;
}

/** Problem with one parameter, an item of `details.problems` of `INVALID_PARAMETERS`. */
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
    return issue.keys.map((key) => ({ path: [...path, key], message: "unknown parameter" }));
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
export function checkAct(act: ActionContext, where: string): void {
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
