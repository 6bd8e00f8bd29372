import { createHash } from "node:crypto";
import { composedKey, keyOf } from "./idempotency-key.js";
import { Problem, problemOf } from "./problem.js";
import type { Answer, Call, Route } from "./route.js";

/** The stored part of a response: all that its caller sees of it. */
type Kept = Required<Pick<Answer, "status" | "text" | "headers" | "pipelineId">> & Pick<Answer, "ids">;

/**
 * Does what is asked once under an idempotency key: the same request gets the first answer, byte for byte; another one is refused. What was refused frees its key,
 * so that it can be asked for rightly. After a crash between the act and its answer the act is asked for again; its own key makes it one.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 * @throws Problem `IDEMPOTENCY_CONFLICT`
 */
export async function answerOnce(one: Route, call: Call, act: () => Promise<Answer>): Promise<Answer> {
  const own = one.once === undefined ? undefined : keyOf(call, ...one.once.headers);
  if (own === undefined) return act();
  const { host } = call.scheduler;
  const key =
    one.once?.scope === undefined || call.caller.deliveryKey !== undefined ? own : composedKey("source", one.once.scope(call), own);
  const request = digestOf(one, call);
  const at = host.clock.now();
  const known = await host.saveResponse({ key, request, at, answer: null });
  if (known.request !== request)
    throw new Problem(422, "IDEMPOTENCY_CONFLICT", "the idempotency key was already used for another request; use a new one");
  if (known.answer !== null) return known.answer as Kept;
  try {
    const { status, body, headers = {}, pipelineId = null, ids = [] } = await act();
    const shown = ids.length <= 100 ? ids : [ids[0] as string, ids.at(-1) as string];
    const answer: Kept = { status, text: JSON.stringify(body), headers, pipelineId, ids: shown };
    return (await host.saveResponse({ key, request, at, answer })).answer as Kept;
  } catch (error) {
    if (problemOf(error).status < 500) await host.releaseKey(key, request);
    throw error;
  }
}

/** The same for the same request, in whichever order its fields are. */
function digestOf({ id }: Route, { params, query, body = null }: Call): string {
  const inOrder = (_: string, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : value;
  return createHash("sha256")
    .update(JSON.stringify([id, params, query, body], inOrder))
    .digest("base64url");
}
