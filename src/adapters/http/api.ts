import { randomUUID } from "node:crypto";
import { Hono } from "hono";
import type { z } from "zod";
import type { Scheduler } from "../../index.js";
import { Authentication, requireRole } from "./auth.js";
import { checked, parseJson, readBody, refuseNul } from "./body.js";
import { EventStream } from "./events.js";
import { Limit } from "./limits.js";
import { openApiOf } from "./openapi.js";
import { type Settled, settled, type TriggerApiOptions } from "./options.js";
import { Problem, problemBody, problemOf } from "./problem.js";
import { type Answer, type Call, type Caller, type Route, route } from "./route.js";
import { controlRoutes } from "./routes/control.js";
import { pipelineRoutes } from "./routes/pipelines.js";
import { settingsRoutes } from "./routes/settings.js";
import { systemRoutes } from "./routes/system.js";
import { tokenRoutes } from "./routes/tokens.js";
import { triggerRoutes } from "./routes/triggers.js";
import { Signatures } from "./webhooks.js";

/** What only the host knows of a request. */
export interface Connection {
  /** The address of whoever is connected. */
  readonly address?: string | undefined;
  /** Where the API is mounted, without a slash at the end. Default `""`. */
  readonly prefix?: string | undefined;
  /** The host's own parser has read the body and kept no bytes: signatures cannot be checked. */
  readonly isParsed?: boolean | undefined;
}

/** The API of one scheduler. */
export interface TriggerApi {
  /** Answers a request: for any host that has standard requests. */
  fetch(request: Request, connection?: Connection): Promise<Response>;
  /** Whether a path is one of the API's. */
  handles(path: string): boolean;
  /** Everything that can be asked, with the least role that may. */
  readonly routes: readonly Route[];
  /** The OpenAPI 3.1 document. */
  openapi(): Record<string, unknown>;
  /** The largest body, bytes. */
  readonly bodyLimit: number;
  /** Ends the event streams; the scheduler's own stop does so too. */
  close(): void;
}

type Bindings = { readonly connection: Connection; readonly path: string };

const COUNT_TRUST_MS = 1_000;
const SECURE: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/**
 * The HTTP API of a scheduler as a standard `fetch` handler; `nodeTriggerApi`, `expressTriggerApi` and `fastifyTriggerApi` mount it. Closed unless a token opens it.
 * TLS is the host's.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `MISSING_PEER`
 * @example
 * const api = createTriggerApi(scheduler, { defaultPipeline: "daily-sales" });
 * createServer(nodeTriggerApi(api)).listen(5000);
 */
export function createTriggerApi(scheduler: Scheduler, options: TriggerApiOptions = {}): TriggerApi {
  return new Api(scheduler, settled(options, process.env));
}

class Api implements TriggerApi {
  readonly routes: readonly Route[];
  readonly #scheduler: Scheduler;
  readonly #options: Settled;
  readonly #authentication: Authentication;
  readonly #signatures: Signatures;
  readonly #events: EventStream;
  readonly #tokenLimit: Limit | null;
  readonly #addressLimit: Limit | null;
  readonly #hono = new Hono<{ Bindings: Bindings }>();
  #document: Record<string, unknown> | null = null;
  #waiting = { at: Number.NEGATIVE_INFINITY, count: 0 };

  constructor(scheduler: Scheduler, options: Settled) {
    this.#scheduler = scheduler;
    this.#options = options;
    this.#authentication = new Authentication(scheduler, options.adminToken);
    this.#signatures = new Signatures(options.webhooks);
    this.#events = new EventStream(scheduler);
    this.#tokenLimit = options.tokenLimit === null ? null : new Limit("token", options.tokenLimit);
    this.#addressLimit = options.addressLimit === null ? null : new Limit("address", options.addressLimit);
    this.routes = [
      ...systemRoutes,
      this.#documentRoute(),
      ...triggerRoutes,
      ...settingsRoutes,
      ...controlRoutes,
      ...pipelineRoutes,
      this.#events.route,
      ...tokenRoutes,
    ];
    for (const one of this.routes) {
      this.#hono.on(one.method, one.path.replaceAll(/\{(\w+)\}/g, ":$1"), (context) =>
        this.#answer(one, context.req.raw, context.req.param(), context.env),
      );
    }
    this.#hono.notFound((context) => this.#nowhere(context.req.raw, context.env));
  }

  get bodyLimit(): number {
    return this.#options.bodyLimit;
  }

  async fetch(request: Request, connection: Connection = {}): Promise<Response> {
    return this.#hono.fetch(request, { connection, path: new URL(request.url).pathname });
  }

  handles(path: string): boolean {
    return path.startsWith("/api/v1/") || path === "/health" || path === "/ready";
  }

  openapi(): Record<string, unknown> {
    this.#document ??= openApiOf(this.routes, "1");
    return this.#document;
  }

  close(): void {
    this.#events.close();
  }

  #documentRoute(): Route {
    return route({
      id: "openapi",
      method: "GET",
      path: "/api/v1/openapi.json",
      summary: "This document",
      tag: "system",
      role: "viewer",
      answers: { 200: { description: "An OpenAPI 3.1 document." } },
      handle: () => ({ status: 200, body: this.openapi() }),
    });
  }

  async #answer(one: Route, request: Request, params: Record<string, string>, { connection }: Bindings): Promise<Response> {
    const requestId = requestIdOf(request);
    const address = this.#addressOf(request, connection);
    const headers: Record<string, string> = { "x-request-id": requestId };
    let caller: Caller | null = null;
    let answer: Answer;
    let outcome: string;
    try {
      if (this.#addressLimit !== null && one.role !== "public")
        Object.assign(headers, await this.#addressLimit.count(address ?? "unknown"));
      const asked = await this.#call(one, request, params, connection, headers, (found) => {
        caller = found;
      });
      answer = await one.handle(asked);
      outcome = String(answer.status);
    } catch (error) {
      answer = this.#problem(error, requestId);
      outcome = `${answer.status} ${(answer.body as { code: string }).code}`;
    }
    const written = one.role === "public" ? null : this.#write(one, caller, answer, outcome, address, requestId);
    if (one.method !== "GET") {
      const failure = await written;
      if (failure && answer.status < 400) answer = this.#problem(failure, requestId);
    }
    return this.#respond(request, answer, headers);
  }

  /** Who asks for what: limits, token, role, body, in the order of their cost. */
  async #call(
    one: Route,
    request: Request,
    params: Record<string, string>,
    connection: Connection,
    headers: Record<string, string>,
    onCaller: (caller: Caller) => void,
  ): Promise<Call> {
    const { bodyLimit, bodyTimeoutMs } = this.#options;
    const { clock } = this.#scheduler;
    const base = { scheduler: this.#scheduler, options: this.#options, request, params, prefix: connection.prefix ?? "" };
    if (one.role === "public") return { ...base, caller: { id: "", role: "viewer", pipelines: [] }, query: {}, body: undefined };
    const isSigned = one.role === "signed" && !request.headers.has("authorization");
    let caller = isSigned ? null : await this.#authentication.callerOf(request.headers);
    if (caller !== null) await this.#admit(caller, one, headers, onCaller);
    const bytes = one.method === "GET" ? null : await readBody(request, bodyLimit, bodyTimeoutMs, clock);
    const json =
      bytes === null || (one.body === undefined && !one.isRaw) || (bytes.length === 0 && one.isBodyOptional)
        ? undefined
        : parseJson(bytes, request.headers.get("content-type"));
    if (caller === null) {
      if (connection.isParsed)
        throw new Problem(
          500,
          "RAW_BODY_MISSING",
          "the host has read the body before this API; mount it first, or keep the bytes as req.rawBody",
        );
      const source = params.source ?? sourceOf(json);
      caller = this.#signatures.signerOf(source, request.headers, bytes ?? new Uint8Array(), clock.now());
      await this.#admit(caller, one, headers, onCaller);
    }
    refuseNul(params, "path");
    const query = one.query === undefined ? {} : queryOf(request, one.query);
    const body = one.body === undefined || json === undefined ? json : checked(one.body, json, "body");
    if (one.adds) await this.#refuseWhenFull();
    return { ...base, caller, query, body };
  }

  async #admit(caller: Caller, one: Route, headers: Record<string, string>, onCaller: (caller: Caller) => void): Promise<void> {
    onCaller(caller);
    if (this.#tokenLimit !== null) Object.assign(headers, await this.#tokenLimit.count(caller.id));
    requireRole(caller, one.role === "signed" || one.role === "public" ? "operator" : one.role);
  }

  /** Counted at most once a second: a line that is full is so for longer. */
  async #refuseWhenFull(): Promise<void> {
    const { queueLimit } = this.#options;
    const now = this.#scheduler.clock.now();
    if (Math.abs(now - this.#waiting.at) >= COUNT_TRUST_MS)
      this.#waiting = { at: now, count: await this.#scheduler.countWaiting(queueLimit) };
    if (this.#waiting.count < queueLimit) return;
    throw new Problem(503, "QUEUE_FULL", `${queueLimit} triggers wait already; try again later`, { headers: { "retry-after": "30" } });
  }

  #problem(error: unknown, requestId: string): Answer {
    const problem = problemOf(error);
    if (problem.code === "INTERNAL") this.#scheduler.report(error, `request ${requestId}`);
    return {
      status: problem.status,
      body: problemBody(problem, requestId),
      headers: { ...problem.headers, "content-type": "application/problem+json" },
    };
  }

  /** Writes a call down; gives the error when that cannot be done. */
  async #write(
    one: Route,
    caller: Caller | null,
    answer: Answer,
    outcome: string,
    address: string | null,
    requestId: string,
  ): Promise<unknown> {
    try {
      await this.#scheduler.audit.append({
        kind: "call",
        action: `${one.method} ${one.path}`,
        pipelineId: answer.pipelineId ?? null,
        user: null,
        token: caller?.id ?? null,
        role: caller?.role ?? null,
        address,
        requestId,
        outcome,
        reason: null,
        before: null,
        after: null,
      });
      return null;
    } catch (error) {
      this.#scheduler.report(error, `writing request ${requestId} into the audit log`);
      return error;
    }
  }

  /** The address of whoever asks, as far as the proxies in between are believed. */
  #addressOf(request: Request, connection: Connection): string | null {
    const { trustProxy } = this.#options;
    const own = connection.address ?? null;
    if (trustProxy === 0) return own;
    const forwarded = (request.headers.get("x-forwarded-for") ?? "").split(",").map((part) => part.trim());
    const claimed = forwarded.at(-trustProxy);
    return claimed !== undefined && /^[0-9a-fA-F.:]{2,45}$/.test(claimed) ? claimed : own;
  }

  #respond(request: Request, { status, body, headers = {}, stream }: Answer, own: Record<string, string>): Response {
    const all = { "content-type": "application/json", ...SECURE, ...own, ...headers, ...this.#cors(request) };
    if (this.#options.hsts) Object.assign(all, { "strict-transport-security": "max-age=31536000" });
    return new Response(stream ?? (body === undefined ? null : JSON.stringify(body)), { status, headers: all });
  }

  #cors(request: Request): Record<string, string> {
    const origin = request.headers.get("origin");
    if (origin === null || !this.#options.cors.includes(origin)) return {};
    const exposed = "Location, ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";
    return { "access-control-allow-origin": origin, "access-control-expose-headers": exposed, vary: "Origin" };
  }

  #nowhere(request: Request, { path }: Bindings): Response {
    const methods = this.routes
      .filter((one) => new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path))
      .map(({ method }) => method);
    const requestId = requestIdOf(request);
    const cors = this.#cors(request);
    if (request.method === "OPTIONS" && methods.length > 0 && "access-control-allow-origin" in cors) {
      const allowed = {
        "access-control-allow-methods": methods.join(", "),
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, If-Match",
        "access-control-max-age": "600",
      };
      return new Response(null, { status: 204, headers: { ...SECURE, ...cors, ...allowed } });
    }
    const problem =
      methods.length === 0
        ? new Problem(404, "NOT_FOUND", "there is nothing here; /api/v1/openapi.json says what there is")
        : new Problem(405, "METHOD_NOT_ALLOWED", `this answers to ${methods.join(", ")}`, { headers: { allow: methods.join(", ") } });
    return this.#respond(request, this.#problem(problem, requestId), { "x-request-id": requestId });
  }
}

function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && /^[\w.-]{1,100}$/.test(given) ? given : randomUUID();
}

function queryOf(request: Request, schema: z.ZodObject): Record<string, unknown> {
  const given = Object.fromEntries(new URL(request.url).searchParams);
  refuseNul(given, "query");
  return checked(schema, given, "query");
}

function sourceOf(json: unknown): string {
  const source = (json as { source?: unknown } | null | undefined)?.source;
  return typeof source === "string" ? source : "";
}
