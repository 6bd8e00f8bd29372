import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { HeadgateError } from "../../base/errors.js";
import { secretKeyOf } from "../shared/standard-webhooks.js";
import { GITHUB_EVENTS } from "./github-events.js";
import { Problem } from "./problem.js";
import type { Call, Caller } from "./route.js";
import type { WebhookSource } from "./webhook-source.js";

/** Seconds by which a signature's time may differ from ours. @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
const TOLERANCE_S = 300;
/** Secrets of one source: the new one, and those before it that are still accepted. */
const MOST_SECRETS = 5;
const LEAST_SECRET = 16;
/** Signatures of one delivery that are looked at. */
const MOST_SIGNATURES = 20;
/** The headers that hold signatures. */
const SIGNATURES = ["webhook-signature", "x-hub-signature-256"];

interface Signed {
  readonly source: WebhookSource;
  readonly keys: readonly (string | Buffer)[];
}

/** Verifies the signatures of the webhook sources that have secrets, over the bytes of the body, before anything is made of them. */
export class Signatures {
  readonly #sources = new Map<string, Signed>();

  /** @throws HeadgateError `INVALID_ARGUMENT` */
  constructor(sources: readonly WebhookSource[]) {
    const owners = new Map<string, string>();
    for (const source of sources) {
      const bad = (problem: string) =>
        new HeadgateError("INVALID_ARGUMENT", `createTriggerApi: webhooks: ${JSON.stringify(source.source)}: ${problem}`);
      if (typeof source.source !== "string" || source.source === "") throw bad("source must be a name");
      if (this.#sources.has(source.source)) throw bad("is declared twice");
      if (source.scheme !== undefined && source.scheme !== "standard" && source.scheme !== "github")
        throw bad("scheme must be standard or github");
      const secrets = secretsOf(source, bad);
      for (const secret of secrets) {
        const owner = owners.get(secret);
        if (owner !== undefined)
          throw bad(
            `its secret is also used by ${JSON.stringify(owner)}, so a webhook signed for one would be accepted for the other; use a different secret`,
          );
      }
      for (const secret of secrets) owners.set(secret, source.source);
      const isGithub = source.scheme === "github";
      const unknown = isGithub && secrets.length > 0 ? (source.events ?? []).filter((event) => !GITHUB_EVENTS.includes(event)) : [];
      if (unknown.length > 0)
        throw bad(
          `events: GitHub does not sign the name of an event, and ${unknown.join(", ")} cannot be recognised by the payload; allowed: ${GITHUB_EVENTS.join(", ")}`,
        );
      this.#sources.set(source.source, { source, keys: secrets.map((one) => (isGithub ? one : secretKeyOf(one, bad))) });
    }
  }

  /** Refuses a request without a token and without a signature, before its body is read. @throws Problem `UNAUTHENTICATED` */
  requireSignature(header: Call["header"]): void {
    if (SIGNATURES.every((name) => header(name) === null)) throw unauthenticated();
  }

  /**
   * Returns the signer of a request, limited to the pipelines of its source.
   *
   * @throws Problem `UNAUTHENTICATED`, `INVALID_SIGNATURE`, `INVALID_REQUEST`
   */
  signerOf(name: string, header: Call["header"], bytes: Uint8Array, now: number): Caller {
    const known = this.#sources.get(name);
    if (known === undefined || known.keys.length === 0) throw unauthenticated();
    const { source, keys } = known;
    const isGithub = source.scheme === "github";
    const id = isGithub ? githubDelivery(keys, header, bytes) : standardDelivery(keys, header, bytes, now);
    return {
      id: signerId(name),
      role: "operator",
      pipelines: source.pipelines ?? null,
      user: null,
      actsForOthers: false,
      deliveryKey: deliveryKey(isGithub ? "github" : "standard", name, id),
    };
  }
}

/** Id of the caller that a signature of a source stands for. */
function signerId(source: string): string {
  return `webhook:${source}`;
}

/** Idempotency key of a webhook. Has no `:`, which every key of a caller has, and so meets none of them; its length does not depend on what it is made of. */
export function deliveryKey(kind: "standard" | "github" | "token", source: string, id: string): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([kind, source, id]))
    .digest("base64url");
  return `webhook-delivery-${digest}`;
}

function secretsOf({ secret }: WebhookSource, bad: (problem: string) => HeadgateError): readonly string[] {
  if (secret === undefined) return [];
  const secrets = typeof secret === "string" ? [secret] : secret;
  if (!Array.isArray(secrets) || secrets.length === 0 || secrets.length > MOST_SECRETS)
    throw bad(`secret must be a string, or an array of 1 to ${MOST_SECRETS}`);
  if (secrets.some((one) => typeof one !== "string" || one.length < LEAST_SECRET))
    throw bad(`secret must have at least ${LEAST_SECRET} characters`);
  return [...new Set(secrets)];
}

/** GitHub signs nothing but the body, and no time: the body is the delivery. @see https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
function githubDelivery(keys: Signed["keys"], header: Call["header"], bytes: Uint8Array): string {
  const signature = header("x-hub-signature-256");
  if (signature === null) throw refused("X-Hub-Signature-256 is missing");
  const isSigned = isAnyOf(
    [signature],
    keys.map((key) => `sha256=${createHmac("sha256", key).update(bytes).digest("hex")}`),
  );
  if (!isSigned) throw refused("X-Hub-Signature-256 does not match the body");
  return createHash("sha256").update(bytes).digest("base64url");
}

function standardDelivery(keys: Signed["keys"], header: Call["header"], bytes: Uint8Array, now: number): string {
  const [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => header(name));
  if (!id || !timestamp || !signature) throw refused("webhook-id, webhook-timestamp or webhook-signature is missing");
  if (!/^[\x21-\x7e]{1,128}$/.test(id))
    throw new Problem(400, "INVALID_REQUEST", "the header webhook-id must have 1 to 128 visible ASCII characters");
  if (!/^\d{1,12}$/.test(timestamp)) throw refused("webhook-timestamp must be seconds since 1970");
  if (Math.abs(now / 1_000 - Number(timestamp)) > TOLERANCE_S)
    throw refused(`webhook-timestamp differs by more than ${TOLERANCE_S} s from the current time`);
  const isSigned = isAnyOf(
    signature.split(" ", MOST_SIGNATURES),
    keys.map((key) => `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(bytes).digest("base64")}`),
  );
  if (!isSigned) throw refused("webhook-signature does not match the body");
  return id;
}

/** Compares all with all, so that the time it takes says nothing of which one it is. */
function isAnyOf(given: readonly string[], expected: readonly string[]): boolean {
  let isFound = false;
  for (const one of given) for (const other of expected) if (isSame(Buffer.from(one), Buffer.from(other))) isFound = true;
  return isFound;
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function refused(detail: string): Problem {
  return new Problem(401, "INVALID_SIGNATURE", detail);
}

function unauthenticated(): Problem {
  return new Problem(401, "UNAUTHENTICATED", "a token is required, or a signature of a configured webhook source", {
    headers: { "www-authenticate": "Bearer" },
  });
}
