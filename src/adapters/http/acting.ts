import type { ActionContext } from "../../index.js";
import { Problem } from "./problem.js";
import type { Call, Caller } from "./route.js";

/** Returns the name that a caller acts as when a request gives none. */
export function nameOf({ user, id }: Pick<Caller, "user" | "id">): string {
  return user ?? id;
}

/**
 * Returns who acts by a call, and why: the name that the request gives if the token may act for others or it is the token's own, and always the token beside it.
 *
 * @throws Problem `FORBIDDEN` for another's name
 */
export function actOf(
  { caller, address, requestId }: Pick<Call, "caller" | "address" | "requestId">,
  { user, reason }: { readonly user?: string | undefined; readonly reason?: string | undefined } = {},
): Required<Pick<ActionContext, "user" | "caller">> & Pick<ActionContext, "reason"> {
  const own = nameOf(caller);
  if (user !== undefined && user !== own && !caller.actsForOthers)
    throw new Problem(
      403,
      "FORBIDDEN",
      `this token acts as ${JSON.stringify(own)} only: leave out the field user, or use a token that was issued with acts_for_others`,
    );
  const by = { token: caller.id, role: caller.role, address, requestId };
  return { user: user ?? own, caller: by, ...(reason === undefined ? {} : { reason }) };
}

/**
 * Refuses to hand out a token that acts under another's name to a caller that may not do so itself.
 *
 * @throws Problem `FORBIDDEN`
 */
export function refuseOthersName(
  { caller }: Pick<Call, "caller">,
  token: { readonly user?: string | null; readonly actsForOthers?: boolean },
): void {
  if (caller.actsForOthers) return;
  if (token.actsForOthers === true) throw new Problem(403, "FORBIDDEN", "only a token with acts_for_others can create another one with it");
  if ((token.user ?? null) !== null && token.user !== nameOf(caller))
    throw new Problem(
      403,
      "FORBIDDEN",
      `this token acts as ${JSON.stringify(nameOf(caller))} only, and cannot create one with another user`,
    );
}
