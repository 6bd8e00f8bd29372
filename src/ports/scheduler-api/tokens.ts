import type { Duration } from "../../base/duration.js";
import type { ActionContext } from "../../pipeline/request-options.js";

/** Permissions of a token's holder: `viewer` reads; `operator` also triggers, cancels, pauses and resumes; `admin` everything. */
export type Role = (typeof ROLES)[number];

export const ROLES = ["viewer", "operator", "admin"] as const;

/** Description of a token; never the token itself. */
export interface TokenInfo {
  readonly id: string;
  readonly role: Role;
  /** The pipelines it is limited to; `null`: all. */
  readonly pipelines: readonly string[] | null;
  readonly description: string | null;
  /** The name that acts when a request gives none; `null`: the token's id. */
  readonly user: string | null;
  /** Requests may give any other name as `user`. */
  readonly actsForOthers: boolean;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Until when the token from before its rotation is still good. */
  readonly previousUntil: Date | null;
}

/** A new token: its secret is shown only this once. */
export interface IssuedToken extends TokenInfo {
  readonly token: string;
}

export interface TokenOptions extends Omit<ActionContext, "user"> {
  /** Permissions of its holder. */
  role: Role;
  /** Limits it to these. Default: all. */
  pipelines?: readonly string[];
  /** For people. Default none. */
  description?: string;
  /** The name that its holder acts as; at most 200 characters. Default: the token's id. */
  user?: string;
  /** Allows its holder to act as any user, named in `user` of requests: for services that act for their own users. Default false. */
  actsForOthers?: boolean;
  /** Issuer, at most 200 characters. Default: none. */
  createdBy?: string;
  /** Default: never. */
  expiresIn?: Duration;
}

/** The holder of a token. */
export interface TokenHolder extends Pick<TokenInfo, "id" | "role" | "pipelines" | "user" | "actsForOthers"> {
  /** When the text that was presented expires, by itself or because it was rotated; `null`: never. */
  readonly validUntil: Date | null;
}

/** Tokens for callers of the HTTP API. The store keeps their hashes. */
export interface Tokens {
  /**
   * Makes a token.
   *
   * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `UNKNOWN_PIPELINE`, `TOO_MANY` beyond 1,000 tokens
   * @example
   * const { token } = await scheduler.tokens.issue({ role: "operator", pipelines: ["daily-sales"], expiresIn: "90d" });
   */
  issue(options: TokenOptions): Promise<IssuedToken>;

  /** List tokens, without their secrets. */
  list(): Promise<readonly TokenInfo[]>;

  /**
   * Replaces a token by a new one with the same rights; the old one is good for the overlap.
   *
   * @throws HeadgateError `NOT_FOUND` when there is none or it was revoked, `INVALID_DURATION`
   */
  rotate(id: string, options?: ActionContext & { /** Default `"1h"`. */ overlap?: Duration }): Promise<IssuedToken>;

  /**
   * Ends a token, and the one it replaced, at once.
   *
   * @throws HeadgateError `NOT_FOUND` when there is none or it was revoked
   */
  revoke(id: string, act?: ActionContext): Promise<TokenInfo>;

  /** Returns the holder of a token, else why it is invalid. Takes the same time whatever is wrong with the secret. */
  holderOf(token: string): Promise<TokenHolder | "unknown" | "expired" | "revoked">;

  /** The same for several tokens by one reading of the store, in their order. */
  holdersOf(tokens: readonly string[]): Promise<readonly (TokenHolder | "unknown" | "expired" | "revoked")[]>;
}
