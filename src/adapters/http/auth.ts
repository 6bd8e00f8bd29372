import { hash, timingSafeEqual } from "node:crypto";
import type { Role, Scheduler } from "../../index.js";
import type { StaticToken } from "./options.js";
import { Problem } from "./problem.js";
import type { Caller } from "./route.js";

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Authenticates a request by its bearer token. @see https://www.rfc-editor.org/rfc/rfc6750 */
export class Authentication {
  readonly #scheduler: Scheduler;
  readonly #own: readonly { readonly digest: Buffer; readonly caller: Caller }[];

  constructor(scheduler: Scheduler, tokens: readonly StaticToken[]) {
    this.#scheduler = scheduler;
    this.#own = tokens.map(({ token, id, role, pipelines, user = null, actsForOthers = false }) => ({
      digest: digest(token),
      caller: { id, role, pipelines, user, actsForOthers },
    }));
  }

  /** @throws Problem `UNAUTHENTICATED`, `TOKEN_EXPIRED`, `TOKEN_REVOKED` */
  async callerOf(authorization: string | null): Promise<Caller> {
    const token = bearerOf(authorization);
    if (token === null) throw refused("UNAUTHENTICATED", "a token is required: send Authorization: Bearer …", "Bearer");
    const own = this.#ownCallerOf(token);
    if (own !== null) return own;
    const holder = await this.#scheduler.tokens.holderOf(token);
    if (holder === "expired") throw refused("TOKEN_EXPIRED", "this token has expired", 'Bearer error="invalid_token"');
    if (holder === "revoked") throw refused("TOKEN_REVOKED", "this token was revoked", 'Bearer error="invalid_token"');
    if (holder === "unknown") throw refused("UNAUTHENTICATED", "this token is unknown", 'Bearer error="invalid_token"');
    return holder;
  }

  /** Checks the tokens of open streams again, by at most one reading of the store; `null` for each that is no longer good. */
  async recheck(authorizations: readonly (string | null)[]): Promise<readonly (Grant | null)[]> {
    const tokens = authorizations.map(bearerOf);
    const own = tokens.map((token) => (token === null ? null : this.#ownCallerOf(token)));
    const unknown = tokens.flatMap((token, index) => (token !== null && own[index] === null ? [token] : []));
    const holders = unknown.length === 0 ? [] : await this.#scheduler.tokens.holdersOf(unknown);
    const found = new Map(unknown.map((token, index) => [token, holders[index]]));
    return tokens.map((token, index) => {
      const caller = own[index] ?? null;
      if (caller !== null) return { caller, validUntil: null };
      const holder = token === null ? undefined : found.get(token);
      return typeof holder === "object" ? { caller: holder, validUntil: holder.validUntil?.getTime() ?? null } : null;
    });
  }

  #ownCallerOf(token: string): Caller | null {
    if (this.#own.length === 0) return null;
    const given = digest(token);
    const known = this.#own.filter((one) => timingSafeEqual(given, one.digest)); // all of them, so that none is found sooner
    return known[0]?.caller ?? null;
  }
}

/** A caller, and when its token expires, epoch ms; `null`: never. */
export interface Grant {
  readonly caller: Caller;
  readonly validUntil: number | null;
}

function bearerOf(authorization: string | null): string | null {
  return /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** @throws Problem `FORBIDDEN` when a caller's role is not enough */
export function requireRole(caller: Caller, role: Role): void {
  if (RANK[caller.role] >= RANK[role]) return;
  throw new Problem(403, "FORBIDDEN", `this requires the role ${role}; the token has ${caller.role}`);
}

function refused(code: "UNAUTHENTICATED" | "TOKEN_EXPIRED" | "TOKEN_REVOKED", detail: string, challenge: string): Problem {
  return new Problem(401, code, detail, { headers: { "www-authenticate": challenge } });
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
