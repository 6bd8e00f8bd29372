import { hash, timingSafeEqual } from "node:crypto";
import type { Role, Scheduler } from "../../index.js";
import type { StaticToken } from "./options.js";
import { Problem } from "./problem.js";
import type { Caller } from "./route.js";

const RANK: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Who a request comes from, by its bearer token. @see https://www.rfc-editor.org/rfc/rfc6750 */
export class Authentication {
  readonly #scheduler: Scheduler;
  readonly #own: readonly { readonly digest: Buffer; readonly caller: Caller }[];

  constructor(scheduler: Scheduler, tokens: readonly StaticToken[]) {
    this.#scheduler = scheduler;
    this.#own = tokens.map(({ token, ...caller }) => ({ digest: digest(token), caller }));
  }

  /** @throws Problem `UNAUTHENTICATED`, `TOKEN_EXPIRED`, `TOKEN_REVOKED` */
  async callerOf(authorization: string | null): Promise<Caller> {
    const token = /^Bearer ([\x21-\x7e]{1,500})$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) throw refused("UNAUTHENTICATED", "send a token: Authorization: Bearer …", "Bearer");
    if (this.#own.length > 0) {
      const given = digest(token);
      const known = this.#own.filter((one) => timingSafeEqual(given, one.digest)); // all of them, so that none is found sooner
      if (known[0] !== undefined) return known[0].caller;
    }
    const holder = await this.#scheduler.tokens.holderOf(token);
    if (holder === "expired") throw refused("TOKEN_EXPIRED", "this token has expired", 'Bearer error="invalid_token"');
    if (holder === "revoked") throw refused("TOKEN_REVOKED", "this token was revoked", 'Bearer error="invalid_token"');
    if (holder === "unknown") throw refused("UNAUTHENTICATED", "this token is not known here", 'Bearer error="invalid_token"');
    return holder;
  }
}

/** @throws Problem `FORBIDDEN` when a caller's role is not enough */
export function requireRole(caller: Caller, role: Role): void {
  if (RANK[caller.role] >= RANK[role]) return;
  throw new Problem(403, "FORBIDDEN", `this needs the role ${role}; the token's is ${caller.role}`);
}

function refused(code: "UNAUTHENTICATED" | "TOKEN_EXPIRED" | "TOKEN_REVOKED", detail: string, challenge: string): Problem {
  return new Problem(401, code, detail, { headers: { "www-authenticate": challenge } });
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
