import { createHmac, timingSafeEqual } from "node:crypto";
import { HeadgateError } from "../../base/errors.js";
import type { Priority, Trigger } from "../../index.js";
import { type Signer, signerOf } from "../outside/standard-webhooks.js";
import { admissionOf } from "./admission.js";
import { composedKey, keyOf } from "./key.js";
import { pipelineOf } from "./pipeline-of.js";
import { Problem } from "./problem.js";
import type { Call, Caller } from "./route.js";

/** Who may send webhooks. */
export interface WebhookSource {
  /** As the body's `source`, or the last part of `/api/v1/webhooks/{source}`. */
  source: string;
  /** The pipelines it may trigger. Default: all. */
  pipelines?: readonly string[];
  /** With it, a signature does in place of a token. For `standard` as that scheme writes it (`whsec_…`). */
  secret?: string;
  /** `standard`: Standard Webhooks; `github`: `X-Hub-Signature-256`. Default `"standard"`. */
  scheme?: "standard" | "github";
  /** The events that trigger; others are answered with 422. Default: all. */
  events?: readonly string[];
  /** Makes the run's parameters of what was sent. Default: what was sent, if it is an object. */
  parameters?: (payload: unknown) => Record<string, unknown>;
}

/** Seconds by which a signature's time may differ from ours. @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
const TOLERANCE_S = 300;

/** Checks the signatures of the sources that have a secret. */
export class Signatures {
  readonly #sources = new Map<string, WebhookSource>();
  readonly #signers = new Map<string, Signer>();

  /** @throws HeadgateError `INVALID_ARGUMENT`, `MISSING_PEER` */
  constructor(sources: readonly WebhookSource[]) {
    for (const one of sources) {
      const bad = (problem: string) =>
        new HeadgateError("INVALID_ARGUMENT", `createTriggerApi: webhooks: ${JSON.stringify(one.source)}: ${problem}`);
      if (typeof one.source !== "string" || one.source === "") throw bad("source must be a name");
      if (this.#sources.has(one.source)) throw bad("is there twice");
      if (one.scheme !== undefined && one.scheme !== "standard" && one.scheme !== "github") throw bad("scheme must be standard or github");
      if (one.secret !== undefined && one.secret.length < 16) throw bad("secret must have at least 16 characters");
      this.#sources.set(one.source, one);
      if (one.secret !== undefined && (one.scheme ?? "standard") === "standard") this.#signers.set(one.source, signerOf(one.secret, bad));
    }
  }

  get(source: string): WebhookSource | undefined {
    return this.#sources.get(source);
  }

  /** Who has signed a request. @throws Problem `UNAUTHENTICATED`, `INVALID_SIGNATURE` */
  signerOf(source: string, header: Call["header"], bytes: Uint8Array, now: number): Caller {
    const known = this.#sources.get(source);
    if (known?.secret === undefined)
      throw new Problem(401, "UNAUTHENTICATED", "send a token, or a signature of a source that has a secret here", {
        headers: { "www-authenticate": "Bearer" },
      });
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (known.scheme === "github") checkGithub(known.secret, header, payload);
    else checkStandard(this.#signers.get(source) as Signer, header, payload, now);
    return { id: signerId(source), role: "operator", pipelines: known.pipelines ?? null };
  }
}

function refused(detail: string): Problem {
  return new Problem(401, "INVALID_SIGNATURE", detail);
}

function checkStandard(signer: Signer, header: Call["header"], payload: Buffer, now: number): void {
  const [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => header(name));
  if (!id || !timestamp || !signature) throw refused("webhook-id, webhook-timestamp and webhook-signature must be there");
  if (!/^\d{1,12}$/.test(timestamp)) throw refused("webhook-timestamp must be seconds since 1970");
  if (Math.abs(now / 1_000 - Number(timestamp)) > TOLERANCE_S)
    throw refused(`webhook-timestamp differs by more than ${TOLERANCE_S} s from the time here`);
  const expected = Buffer.from(signer.sign(id, new Date(Number(timestamp) * 1_000), payload.toString("utf8")));
  const isSigned = signature
    .split(" ")
    .slice(0, 20)
    .some((one) => isSame(Buffer.from(one), expected));
  if (!isSigned) throw refused("webhook-signature is not that of the body");
}

/** @see https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
function checkGithub(secret: string, header: Call["header"], payload: Buffer): void {
  const signature = header("x-hub-signature-256");
  if (signature === null) throw refused("X-Hub-Signature-256 must be there");
  const expected = `sha256=${createHmac("sha256", secret).update(payload).digest("hex")}`;
  if (!isSame(Buffer.from(signature), Buffer.from(expected))) throw refused("X-Hub-Signature-256 is not that of the body");
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function signerId(source: string): string {
  return `webhook:${source}`;
}

interface Sent {
  readonly source: string;
  readonly event: string | null;
  readonly payload: unknown;
  readonly pipeline?: string | undefined;
  readonly dag_id?: string | undefined;
  readonly priority?: Priority | undefined;
}

/** The trigger that a webhook asks for; sent again under the same id, the first one. */
export function webhookTrigger(
  call: Pick<Call, "scheduler" | "options" | "caller" | "header">,
  { source, event, payload, pipeline, dag_id, priority }: Sent,
): Promise<Trigger> {
  const { webhooks } = call.options;
  const known = webhooks.find((one) => one.source === source);
  if (webhooks.length > 0 && known === undefined)
    throw new Problem(403, "SOURCE_NOT_ALLOWED", `source ${JSON.stringify(source.slice(0, 128))} may not send webhooks here`);
  const { host } = call.scheduler;
  const isNamed = (pipeline ?? dag_id) !== undefined;
  const [first, ...others] = known?.pipelines ?? (isNamed ? [] : host.pipelinesOfSource(source));
  const named = pipeline ?? dag_id ?? (others.length === 0 ? first : undefined);
  const pipelineId = pipelineOf(call, { pipeline: named, ...(pipeline === undefined ? {} : { dag_id }) });
  if (known?.pipelines !== undefined && !known.pipelines.includes(pipelineId))
    throw new Problem(403, "SOURCE_NOT_ALLOWED", `source ${source} may not trigger ${pipelineId}`);
  if (host.webhookSourcesOf(pipelineId)?.includes(source) === false)
    throw new Problem(403, "SOURCE_NOT_ALLOWED", `source ${JSON.stringify(source.slice(0, 128))} may not trigger ${pipelineId}`);
  if (known?.events !== undefined && (event === null || !known.events.includes(event)))
    throw new Problem(
      422,
      "INVALID_REQUEST",
      `source ${source} may trigger by ${known.events.join(", ")}, not by ${JSON.stringify(event?.slice(0, 100) ?? null)}`,
    );
  const key = keyOf(call, "webhook-id", "x-github-delivery", "idempotency-key");
  const options = {
    kind: "webhook" as const,
    user: call.caller.id,
    reason: `webhook of ${source}${event === null ? "" : `: ${event}`}`.slice(0, 1_000),
    parameters: parametersOf(known, payload),
    ...(priority === undefined ? {} : { priority }),
    ...(key === undefined ? {} : { idempotencyKey: call.caller.id === signerId(source) ? key : composedKey("source", source, key) }),
  };
  return host.trigger(pipelineId, options, admissionOf(call));
}

function parametersOf(source: WebhookSource | undefined, payload: unknown): Record<string, unknown> {
  if (source?.parameters === undefined)
    return typeof payload === "object" && payload !== null && !Array.isArray(payload) ? (payload as Record<string, unknown>) : { payload };
  try {
    return source.parameters(payload);
  } catch (error) {
    throw new Problem(
      422,
      "INVALID_REQUEST",
      `source ${source.source}: no parameters could be made of this: ${(error as Error).message.slice(0, 200)}`,
    );
  }
}
