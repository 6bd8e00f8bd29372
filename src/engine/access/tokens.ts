import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError, quote } from "../../base/errors.js";
import { toDate } from "../../base/instant.js";
import { lazyModule } from "../../base/lazy-module.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import { isReservedUser } from "../../monitor/reserved-user.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { ACT_OPTIONS, checkAct, text } from "../../pipeline/requests.js";
import {
  type IssuedToken,
  ROLES,
  type Role,
  type TokenHolder,
  type TokenInfo,
  type TokenOptions,
  type Tokens,
} from "../../ports/scheduler-api/tokens.js";
import type { Core } from "../context/core.js";
import { allDocuments, DocumentCollection } from "../context/document-collection.js";
import { sha256 } from "./audit-keys.js";
import type { AuditRecorder } from "./audit-log.js";

interface KeptToken {
  readonly id: string;
  readonly role: Role;
  readonly pipelines: readonly string[] | null;
  readonly description: string | null;
  readonly createdAt: number;
  readonly createdBy: string | null;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  /** SHA-256, hexadecimal. */
  readonly hash: string;
  readonly previous: { readonly hash: string; readonly until: number } | null;
  /** Absent from tokens of 0.1.0, like the next one. */
  readonly user?: string | null;
  readonly actsForOthers?: boolean;
}

const TOKEN_OPTIONS: OptionNames<TokenOptions> = {
  role: true,
  pipelines: true,
  description: true,
  user: true,
  actsForOthers: true,
  createdBy: true,
  expiresIn: true,
  reason: true,
  caller: true,
};
const KIND = "token";
const LIMIT = 1_000;
const FORM = /^hg_([0-9a-z]{4,40})_[\w-]{20,100}$/;

/** Knows which pipelines there are. */
interface KnownPipelines {
  has(pipelineId: string): boolean;
}

type TokenServiceCore = Pick<Core, "clock" | "newId" | "newSecret" | "store">;

/**
 * Tokens for those who ask over HTTP. Only SHA-256 hashes are kept, in the store: what is issued, rotated or revoked on one node is so on all at once.
 */
export class TokenService implements Tokens {
  readonly #core: TokenServiceCore;
  readonly #audit: AuditRecorder;
  readonly #documents: DocumentCollection;
  readonly #pipelines: KnownPipelines;

  constructor(core: TokenServiceCore, audit: AuditRecorder, pipelines: KnownPipelines) {
    this.#pipelines = pipelines;
    this.#core = core;
    this.#audit = audit;
    this.#documents = new DocumentCollection(core, "tokens", [KIND]);
  }

  async issue(options: TokenOptions): Promise<IssuedToken> {
    checkOptions(options, TOKEN_OPTIONS, "tokens.issue");
    const { clock, newId, newSecret } = this.#core;
    if (!ROLES.includes(options.role)) throw bad("role", `${quote(options.role)} is unknown; allowed: ${ROLES.join(", ")}`);
    const pipelines = options.pipelines ?? null;
    if (pipelines !== null && (!Array.isArray(pipelines) || pipelines.length === 0))
      throw bad("pipelines", "must be a list of at least one pipeline id");
    for (const id of pipelines ?? [])
      if (!this.#pipelines.has(id))
        throw new HeadgateError("UNKNOWN_PIPELINE", `there is no pipeline ${quote(id)}`, { details: { pipelineId: id } });
    const now = clock.now();
    const id = newId(now)
      .toLowerCase()
      .replaceAll(/[^0-9a-z]/g, "")
      .slice(0, 40);
    const token = `hg_${id}_${newSecret()}`;
    const made: KeptToken = {
      id,
      role: options.role,
      pipelines,
      description: text(options.description, "description", 200),
      createdAt: now,
      createdBy: text(options.createdBy, "createdBy", 200),
      user: userOf(options.user),
      actsForOthers: options.actsForOthers === true,
      expiresAt: options.expiresIn === undefined ? null : now + durationMs(options.expiresIn, "expiresIn"),
      revokedAt: null,
      hash: sha256(token),
      previous: null,
    };
    const { reason, caller, createdBy } = options;
    const act = { ...(reason === undefined ? {} : { reason }), ...(caller === undefined ? {} : { caller }) };
    await this.#write("token.issue", createdBy === undefined ? act : { ...act, user: createdBy }, (all) => {
      const alive = all.filter(({ expiresAt, revokedAt }) => revokedAt === null && (expiresAt ?? now) >= now);
      if (alive.length >= LIMIT) throw new HeadgateError("TOO_MANY", `the limit of ${LIMIT} tokens is reached; revoke some`);
      const dead = all.length >= LIMIT ? all.filter((one) => !alive.includes(one)) : [];
      return { made, removed: dead.map((one) => one.id), before: null };
    });
    return { ...infoOf(made), token };
  }

  async list(): Promise<readonly TokenInfo[]> {
    return (await allDocuments(this.#core.store, KIND)).map(({ value }) => infoOf(value as KeptToken));
  }

  async rotate(id: string, options: ActionContext & { /** Default `"1h"`. */ overlap?: Duration } = {}): Promise<IssuedToken> {
    checkOptions(options, { ...ACT_OPTIONS, overlap: true }, "tokens.rotate");
    const { clock, newSecret } = this.#core;
    const until = clock.now() + durationMs(options.overlap ?? "1h", "overlap");
    const token = `hg_${id}_${newSecret()}`;
    let made: KeptToken | undefined;
    await this.#write("token.rotate", options, (all) => {
      const old = this.#usable(all, id);
      made = { ...old, hash: sha256(token), previous: { hash: old.hash, until } };
      return { made, before: infoOf(old) };
    });
    return { ...infoOf(made as KeptToken), token };
  }

  async revoke(id: string, act: ActionContext = {}): Promise<TokenInfo> {
    checkAct(act, "tokens.revoke");
    const revokedAt = this.#core.clock.now();
    let made: KeptToken | undefined;
    await this.#write("token.revoke", act, (all) => {
      const old = this.#usable(all, id);
      made = { ...old, revokedAt, previous: null };
      return { made, before: infoOf(old) };
    });
    return infoOf(made as KeptToken);
  }

  async holderOf(token: string): Promise<TokenHolder | "unknown" | "expired" | "revoked"> {
    const [holder = "unknown"] = await this.holdersOf([token]);
    return holder;
  }

  async holdersOf(tokens: readonly string[]): Promise<readonly (TokenHolder | "unknown" | "expired" | "revoked")[]> {
    const ids = [...new Set(tokens.flatMap((token) => FORM.exec(token)?.[1] ?? []))];
    const found = ids.length === 0 ? [] : await this.#core.store.documents(KIND, ids);
    const all = found.flatMap((one) => (one === null ? [] : [one.value as KeptToken]));
    return tokens.map((token) => this.#holderAmong(all, token));
  }

  #holderAmong(all: readonly KeptToken[], token: string): TokenHolder | "unknown" | "expired" | "revoked" {
    const id = FORM.exec(token)?.[1];
    const found = id === undefined ? undefined : all.find((one) => one.id === id);
    const now = this.#core.clock.now();
    const presented = Buffer.from(sha256(token), "hex");
    const isCurrent = equals(presented, found?.hash ?? "");
    const isPrevious = equals(presented, found?.previous?.hash ?? "");
    if (found === undefined || !(isCurrent || isPrevious)) return "unknown";
    if (found.revokedAt !== null) return "revoked";
    const until = Math.min(
      found.expiresAt ?? Number.POSITIVE_INFINITY,
      isCurrent ? Number.POSITIVE_INFINITY : (found.previous?.until ?? 0),
    );
    if (until <= now) return "expired";
    const { role, pipelines, user = null, actsForOthers = false } = found;
    return { id: found.id, role, pipelines, user, actsForOthers, validUntil: until === Number.POSITIVE_INFINITY ? null : toDate(until) };
  }

  #usable(all: readonly KeptToken[], id: string): KeptToken {
    const found = all.find((one) => one.id === id && one.revokedAt === null);
    if (found === undefined) throw new HeadgateError("NOT_FOUND", `no active token ${quote(id)}`, { details: { id } });
    return found;
  }

  async #write(
    action: string,
    act: ActionContext,
    make: (all: readonly KeptToken[]) => { made: KeptToken; removed?: readonly string[]; before: TokenInfo | null },
  ): Promise<void> {
    const written = await this.#documents.change(() => {
      const { made, removed = [], before } = make([...this.#documents.of(KIND).values()].map(({ value }) => value as KeptToken));
      const change = { action, pipelineId: null, before, after: infoOf(made), ids: [made.id] };
      const writes = [{ kind: KIND, id: made.id, value: made }, ...removed.map((id) => ({ kind: KIND, id, value: null }))];
      return { writes, change, user: act.user ?? null, noted: this.#audit.noted(change, act) };
    });
    if (written !== null) this.#audit.logChange(written.change, act);
  }
}

/** Returns true if a hash is the one in hexadecimal, in constant time. */
function equals(hash: Buffer, hex: string): boolean {
  const other = Buffer.alloc(hash.length);
  other.write(hex, "hex");
  return lazyModule("node:crypto").timingSafeEqual(hash, other) && hex !== "";
}

function infoOf(token: KeptToken): TokenInfo {
  const { hash: _, previous, createdAt, expiresAt, revokedAt, user = null, actsForOthers = false, ...rest } = token;
  return {
    ...rest,
    user,
    actsForOthers,
    createdAt: toDate(createdAt),
    expiresAt: toDate(expiresAt),
    revokedAt: toDate(revokedAt),
    previousUntil: toDate(previous?.until ?? null),
  };
}

function userOf(given: string | undefined): string | null {
  const user = text(given, "user", 200);
  if (user !== null && isReservedUser(user))
    throw bad("user", `${quote(user)} is reserved for requests without a token; choose another name`);
  return user;
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `token: ${name}: ${problem}`, { details: { option: name } });
}
