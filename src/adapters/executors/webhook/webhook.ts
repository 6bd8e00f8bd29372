import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { HeadgateError, NonRetryableError } from "../../../base/errors.js";
import { checkOptions } from "../../../base/options.js";
import type { Scheduler } from "../../../index.js";
import type { RemoteCall, RemoteExecutor, RemoteRun, RemoteState } from "../../../ports/executor.js";
import { secretsOfNamed, secretsOfUrl } from "../../../run/secret-forms.js";
import { triggerView } from "../../../trigger/view.js";
import { AddressRule, type PrivateNetworks } from "../../shared/address.js";
import { jsonProblemOf } from "../../shared/json-syntax.js";
import { ask, checkUrl } from "../../shared/request.js";
import { signerOf } from "../../shared/standard-webhooks.js";

/** Options of {@link webhookExecutor}. */
export interface WebhookExecutorOptions {
  /** Where runs are posted. */
  url: string;
  /** Signs what is sent, by Standard Webhooks, and makes the one-time tokens of callbacks: `whsec_` and base64. Needs the package `standardwebhooks`. */
  secret: string;
  /** Where {@link WebhookExecutor.callbacks} is mounted, as the receiver sees it. Without it, only an answer that is the result will do. Default none. */
  callbackUrl?: string;
  /** Sent with every request. Default none. */
  headers?: Readonly<Record<string, string>>;
  /** Addresses of private networks that may be asked. Default: all; the address is the host's own. */
  allowPrivateNetworks?: PrivateNetworks;
}

/** An executor that posts runs, and takes their results. */
export interface WebhookExecutor extends RemoteExecutor {
  /** The path of `callbackUrl`; `null` without one. */
  readonly callbackPath: string | null;
  /** A listener for `node:http`, Express or Fastify's raw requests that takes callbacks: `POST {callbackUrl}/{run}/{attempt}/{token}`. */
  callbacks(scheduler: Scheduler): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

type Ended = Exclude<RemoteState, { status: "running" } | { status: "lost" }>;
/** Where a run is: it has answered, or will call back. */
type Reference = { readonly submissionId: string; readonly ended: Ended | null };

const CALLBACKS = "handling callbacks of runs";
const BODY_LIMIT = 1_048_576;
const result = z.discriminatedUnion("status", [
  z.strictObject({ status: z.literal("running"), progress: z.unknown().optional() }),
  z.strictObject({ status: z.literal("succeeded"), output: z.unknown().optional() }),
  z.strictObject({
    status: z.literal("failed"),
    error: z.strictObject({ message: z.string().max(2_000), code: z.string().max(100).optional() }),
    retryable: z.boolean().optional(),
  }),
]);

/**
 * Posts each attempt, signed, to a service that executes it. A response of 200 is the result: its JSON is the output. 202 means that the service will call back, at an address with a one-time token, with `{ status, output }`,
 * `{ status: "failed", error }` or, meanwhile, `{ status: "running", progress }`. What is posted again has the same `webhook-id`: the service must take it once.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * @throws HeadgateError `INVALID_ARGUMENT`, `MISSING_PEER`
 * @example
 * const executor = webhookExecutor({ url: "https://jobs.example/run", secret, callbackUrl: "https://etl.example/callbacks" });
 * app.use("/callbacks", executor.callbacks(scheduler));
 */
export function webhookExecutor(options: WebhookExecutorOptions): WebhookExecutor {
  checkOptions(options, { url: true, secret: true, callbackUrl: true, headers: true, allowPrivateNetworks: true }, "webhookExecutor");
  const { url, secret, callbackUrl, headers = {} } = options;
  checkUrl(url, "webhookExecutor: url");
  if (callbackUrl !== undefined) checkUrl(callbackUrl, "webhookExecutor: callbackUrl");
  if (typeof secret !== "string" || secret.length < 16) throw bad("secret must have at least 16 characters");
  const signer = signerOf(secret, bad);
  const rule = new AddressRule({ allowPrivateNetworks: options.allowPrivateNetworks ?? true });
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const tokenOf = (submissionId: string) => createHmac("sha256", secret).update(`callback:${submissionId}`).digest("base64url");
  return {
    kind: "remote",
    secrets: [secret, ...secretsOfNamed(headers), ...secretsOfUrl(url), ...secretsOfUrl(callbackUrl ?? "")],
    callbackPath: callbackUrl === undefined ? null : new URL(callbackUrl).pathname.replace(/\/+$/, ""),
    name: "webhook",
    pollMs: 60_000, // there is nothing to poll: the receiver calls back
    submit: async (run, { signal, clock, redact }): Promise<Reference> => {
      const body = JSON.stringify(requestOf(run, callbackUrl, tokenOf(run.submissionId)));
      const seconds = Math.floor(clock.now() / 1_000);
      const signed = {
        "webhook-id": run.submissionId,
        "webhook-timestamp": String(seconds),
        "webhook-signature": signer.sign(run.submissionId, new Date(seconds * 1_000), body),
      };
      const answer = await ask(
        { url, method: "POST", headers: { ...own, ...signed, "content-type": "application/json" }, body },
        rule,
        signal,
      ).catch((cause: unknown) => {
        if (signal.aborted) throw cause;
        throw new HeadgateError("EXECUTOR_UNAVAILABLE", `the service ${(cause as Error).message}`, { cause });
      });
      return { submissionId: run.submissionId, ended: endedBy(answer.status, answer.text, callbackUrl !== undefined, redact) };
    },
    poll: async (reference) => (reference as Reference).ended ?? { status: "running" },
    cancel: async () => {}, // the receiver knows the attempt's time limit
    callbacks: (scheduler) => (request, response) => taken(scheduler, request, response, tokenOf),
  };
}

function requestOf(run: RemoteRun, callbackUrl: string | undefined, token: string): object {
  const { runId, pipelineId, attempt, trigger, parameters, timeoutMs } = run;
  const { interval } = triggerView(trigger);
  return {
    type: "headgate.run",
    data: {
      run_id: runId,
      pipeline: pipelineId,
      attempt,
      scheduled_for: trigger.scheduledFor === null ? null : new Date(trigger.scheduledFor).toISOString(),
      interval: interval === null ? null : { start: interval.start.toISOString(), end: interval.end.toISOString() },
      parameters,
      timeout_ms: timeoutMs,
      ...(callbackUrl === undefined ? {} : { callback_url: `${callbackUrl.replace(/\/+$/, "")}/${runId}/${attempt}/${token}` }),
    },
  };
}

function endedBy(status: number, text: string, hasCallback: boolean, redact: RemoteCall["redact"]): Ended | null {
  if (status === 202 && hasCallback) return null;
  if (status === 202) throw new NonRetryableError("the service responded with 202 and will call back, but no callbackUrl is set");
  if (status >= 200 && status < 300) return { status: "succeeded", output: outputOf(text, redact) };
  const problem = `the service responded with ${status}: ${redact(text).slice(0, 200)}`;
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    throw new HeadgateError("EXECUTOR_UNAVAILABLE", problem, { details: { status } });
  throw new NonRetryableError(problem);
}

function outputOf(text: string, redact: RemoteCall["redact"]): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return redact(text).slice(0, 10_000); // a service may answer in plain words
  }
}

async function taken(
  scheduler: Scheduler,
  request: IncomingMessage & { body?: unknown },
  response: ServerResponse,
  tokenOf: (submissionId: string) => string,
): Promise<void> {
  const answer = (status: number, code: string, detail: string) => {
    const body = JSON.stringify(status < 300 ? { status: "ok" } : { type: "about:blank", status, code, detail });
    response
      .writeHead(status, { "content-type": status < 300 ? "application/json" : "application/problem+json", "cache-control": "no-store" })
      .end(body);
  };
  const [, runId = "", attempt = "", token = ""] = /([\w-]{1,64})\/(\d{1,4})\/([\w-]{43})\/?(?:\?.*)?$/.exec(request.url ?? "") ?? [];
  const expected = Buffer.from(tokenOf(`${runId}-${attempt}`));
  const given = Buffer.from(token);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return answer(401, "UNAUTHENTICATED", "this address was not issued by this service");
  if (request.method !== "POST") return answer(405, "METHOD_NOT_ALLOWED", "POST the result");
  let reported: z.output<typeof result>;
  try {
    reported = result.parse(request.body ?? parsed(await bodyOf(request)));
  } catch (error) {
    return answer(
      422,
      "INVALID_REQUEST",
      error instanceof z.ZodError ? z.prettifyError(error).slice(0, 500) : (error as Error).message.slice(0, 200),
    );
  }
  try {
    await scheduler.host.complete(runId, Number(attempt), stateOf(reported));
    scheduler.host.reportSuccess(CALLBACKS);
  } catch (error) {
    if (error instanceof HeadgateError && error.code === "NOT_FOUND") return answer(404, error.code, error.message);
    if (error instanceof HeadgateError && error.code === "ALREADY_FINISHED") return answer(409, error.code, error.message);
    if (error instanceof HeadgateError && error.code === "INVALID_ARGUMENT") return answer(422, error.code, error.message);
    scheduler.host.reportFailure(CALLBACKS, error, `the callback of run ${runId}`);
    return answer(503, "STORE_UNAVAILABLE", "this could not be recorded; try again");
  }
  answer(200, "", "");
}

function stateOf(reported: z.output<typeof result>): Exclude<RemoteState, { status: "lost" }> {
  if (reported.status !== "failed") return reported;
  const { message, code } = reported.error;
  return { status: "failed", error: { message, ...(code === undefined ? {} : { code }) }, isRetryable: reported.retryable ?? true };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`the body is not JSON: ${jsonProblemOf(text)}`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size <= BODY_LIMIT) chunks.push(chunk as Buffer); // the rest is read and dropped, so that its sender gets the response
  }
  if (size > BODY_LIMIT) throw new Error(`request body exceeds ${BODY_LIMIT} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `webhookExecutor: ${problem}`);
}
