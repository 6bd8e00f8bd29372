import { HeadgateError } from "../base/errors.js";
import type { NewTrigger } from "./trigger.js";

/** A number of waiting triggers, and the bytes of their parameters. */
export interface QueueLimit {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Limits of the queue: per pipeline, per token or webhook signer, and in total. While the total is reached, a request is accepted all the same if
 * with it neither its pipeline nor its token exceeds `reserved`, so that nobody can fill the queue for everybody.
 */
export interface QueueLimits {
  readonly pipeline: QueueLimit;
  readonly token: QueueLimit;
  readonly total: QueueLimit;
  readonly reserved: QueueLimit;
}

/** Sender of an external request, and the limits that apply to it. */
export interface Admission {
  /** The id of a token, or of a webhook's signer; at most 200 characters. */
  readonly requestedBy: string;
  /** The same object for all requests of one API: those that come at once are accepted together. */
  readonly limits: QueueLimits;
}

const MIB = 1_048_576;

/** 10,000 triggers and 64 MiB of parameters per pipeline and per token, 20,000 and 256 MiB in all, of which 100 and 1 MiB are reserved for each. */
export const DEFAULT_QUEUE_LIMITS: QueueLimits = Object.freeze({
  pipeline: Object.freeze({ count: 10_000, bytes: 64 * MIB }),
  token: Object.freeze({ count: 10_000, bytes: 64 * MIB }),
  total: Object.freeze({ count: 20_000, bytes: 256 * MIB }),
  reserved: Object.freeze({ count: 100, bytes: MIB }),
});

/** Current use in the scopes of a request: counts are exact up to the limit of the scope. */
export interface QueueUsage {
  readonly total: QueueLimit;
  readonly pipelines: ReadonlyMap<string, QueueLimit>;
  readonly tokens: ReadonlyMap<string, QueueLimit>;
}

export type Adding = Pick<NewTrigger, "pipelineId" | "requestedBy" | "size">;
type Scope = "pipeline" | "token" | "total";

const NOTHING: QueueLimit = Object.freeze({ count: 0, bytes: 0 });

/** @throws HeadgateError `QUEUE_FULL` when a batch would exceed one of the limits; `details` say which (`limit`, `unit`, `most`) */
export function refuseBeyond(limits: QueueLimits, adding: readonly Adding[], waiting: QueueUsage): void {
  const pipelines = added(waiting.pipelines, adding, ({ pipelineId }) => pipelineId);
  const tokens = added(waiting.tokens, adding, ({ requestedBy }) => requestedBy);
  for (const [name, usage] of pipelines) refuse("pipeline", `the queue of pipeline ${name}`, usage, limits.pipeline);
  for (const [name, usage] of tokens) refuse("token", `the queue of requests by ${name}`, usage, limits.token);
  const total = {
    count: waiting.total.count + adding.length,
    bytes: adding.reduce((bytes, { size }) => bytes + size, waiting.total.bytes),
  };
  if (!isWithin(limits.reserved, pipelines, tokens)) refuse("total", "the queue", total, limits.total);
}

/** True when a batch stays within what is reserved for its pipelines and tokens: then the total need not be counted. */
export function isReserved({ reserved }: QueueLimits, adding: readonly Adding[], waiting: Omit<QueueUsage, "total">): boolean {
  const pipelines = added(waiting.pipelines, adding, ({ pipelineId }) => pipelineId);
  return isWithin(
    reserved,
    pipelines,
    added(waiting.tokens, adding, ({ requestedBy }) => requestedBy),
  );
}

function isWithin(limit: QueueLimit, ...scopes: readonly ReadonlyMap<string, QueueLimit>[]): boolean {
  return scopes.every((scope) => [...scope.values()].every((usage) => exceededUnit(usage, limit) === null));
}

/** The usage of every scope that a batch adds to, with the batch. */
function added(
  waiting: ReadonlyMap<string, QueueLimit>,
  adding: readonly Adding[],
  nameOf: (trigger: Adding) => string | null,
): ReadonlyMap<string, QueueLimit> {
  const after = new Map<string, { count: number; bytes: number }>();
  for (const trigger of adding) {
    const name = nameOf(trigger);
    if (name === null) continue;
    let usage = after.get(name);
    if (usage === undefined) {
      usage = { ...(waiting.get(name) ?? NOTHING) };
      after.set(name, usage);
    }
    usage.count++;
    usage.bytes += trigger.size;
  }
  return after;
}

function exceededUnit(usage: QueueLimit, limit: QueueLimit): "count" | "bytes" | null {
  if (usage.count > limit.count) return "count";
  return usage.bytes > limit.bytes ? "bytes" : null;
}

function refuse(scope: Scope, subject: string, usage: QueueLimit, limit: QueueLimit): void {
  const unit = exceededUnit(usage, limit);
  if (unit === null) return;
  const most = limit[unit];
  const held = unit === "count" ? `waiting ${most === 1 ? "trigger" : "triggers"}` : "bytes of parameters of waiting triggers";
  const what = `${most.toLocaleString("en-US")} ${held}`;
  throw new HeadgateError("QUEUE_FULL", `${subject} is full (limit: ${what}); try again when some have run, or cancel some`, {
    details: { limit: scope, unit, most },
  });
}
