import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";
import { checkOptions } from "../../base/options.js";
import type { AuditKeys, AuditSettings } from "../../monitor/audit.js";

/** Options of the audit log. */
export interface AuditOptions {
  /**
   * Seals every record with HMAC-SHA256, so that who can write to the database but does not have the key cannot rewrite the log unnoticed. At least 32 characters, the same on all
   * nodes. Default: none, records are sealed with SHA-256 only.
   */
  key?: string;
  /** Keys of records that were sealed before, or that other nodes have already. Needed for as long as such records are kept. Default none. */
  previousKeys?: readonly string[];
  /** Time after a record the newest hash is reported, at most: event `audit.head` and a line of the log. Default `"10m"`. */
  headInterval?: Duration;
}

const LEAST_KEY = 32;

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function auditSettings(options: AuditOptions = {}): AuditSettings {
  checkOptions(options, { key: true, previousKeys: true, headInterval: true }, "audit", (name, problem) => bad(name ?? "options", problem));
  const { key, previousKeys = [], headInterval = "10m" } = options;
  if (!Array.isArray(previousKeys)) throw bad("previousKeys", "must be an array of strings");
  const headIntervalMs = durationMs(headInterval, "createScheduler: audit.headInterval");
  if (headIntervalMs < 1_000) throw bad("headInterval", `must be at least 1 s (got ${headIntervalMs} ms)`);
  const byId = new Map<string, string>();
  for (const [name, value] of [
    ...(key === undefined ? [] : [["key", key] as const]),
    ...previousKeys.map((one) => ["previousKeys", one] as const),
  ]) {
    if (typeof value !== "string" || value.length < LEAST_KEY)
      throw bad(name, `must have at least ${LEAST_KEY} characters, such as those of \`openssl rand -hex 32\``);
    byId.set(idOf(value), value);
  }
  const keys: AuditKeys = {
    current: key === undefined ? null : idOf(key),
    hash: (text, keyId) => {
      if (keyId === null) return sha256(text);
      const known = byId.get(keyId);
      return known === undefined ? null : hmac(known, text);
    },
  };
  return { keys, headIntervalMs };
}

export function sha256(text: string): string {
  return lazyModule("node:crypto").hash("sha256", text);
}

function hmac(key: string, text: string): string {
  return lazyModule("node:crypto").createHmac("sha256", key).update(text).digest("hex");
}

/** Names a key without saying anything of it. */
function idOf(key: string): string {
  return hmac(key, "id of a headgate audit key").slice(0, 16);
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `createScheduler: audit.${name}: ${problem}`, { details: { option: `audit.${name}` } });
}
