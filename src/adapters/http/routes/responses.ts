import type { z } from "zod";
import type { Trigger } from "../../../index.js";
import type { Answer, Route } from "../route.js";
import * as schemas from "../schemas.js";
import { triggerShort } from "../short.js";

export function ok(description: string, schema: z.ZodType): Route["answers"] {
  return { 200: { description, schema } };
}

export const ACCEPTED: Route["answers"] = {
  202: { description: "The trigger was accepted; Location has its URL.", schema: schemas.trigger },
};

/** A trigger that was accepted, and where to ask what becomes of it. Large parameters are not repeated: answers are kept under their idempotency keys. */
export function accepted(trigger: Trigger, prefix: string): Answer {
  return {
    status: 202,
    body: triggerShort(trigger).json,
    headers: { location: `${prefix}/api/v1/trigger/status/${encodeURIComponent(trigger.id)}` },
    pipelineId: trigger.pipelineId,
    ids: [trigger.id],
  };
}

/** Options without those that were not given. */
export function given<T extends Record<string, unknown>>(options: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const kept: { [Name in keyof T]?: Exclude<T[Name], undefined> } = {};
  for (const name in options) if (options[name] !== undefined) kept[name] = options[name] as Exclude<T[typeof name], undefined>;
  return kept;
}
