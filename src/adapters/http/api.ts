import { randomUUID } from "node:crypto";
import { TrieRouter } from "hono/router/trie-router";
import type { z } from "zod";
import type { Scheduler } from "../../index.js";
import { type Asked, askedBy, type Reply } from "./asked.js";
import { Authentication, requireRole } from "./auth.js";
import { checked, parseJson, refuseNul } from "./body.js";
import { EventStream } from "./events.js";
import { Limit } from "./limits.js";
import { answerOnce } from "./once.js";
import { openApiOf } from "./openapi.js";
import { type Settled, settled, type TriggerApiOptions } from "./options.js";
import { Problem, problemBody, problemOf } from "./problem.js";
import { type Answer, type Call, type Caller, type Route, type RouteInfo, route } from "./route.js";
import { controlRoutes } from "./routes/control.js";
import { monitoringRoutes } from "./routes/monitoring.js";
import { pipelineRoutes } from "./routes/pipelines.js";
import { settingsRoutes } from "./routes/settings.js";
import { metricsRoute, systemRoutes } from "./routes/system.js";
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
  /** The same for hosts that have none. */
  answer(asked: Asked, connection?: Connection): Promise<Reply>;
  /** Whether a path is one of the API's. */
  handles(path: string): boolean;
  /** Everything that can be asked, with the least role that may. */
  readonly routes: readonly RouteInfo[];
  /** The OpenAPI 3.1 document. */
  openapi(): Record<string, unknown>;
  /** The largest body, bytes. */
  readonly bodyLimit: number;
  /** Ends the event streams; the scheduler's own stop does so too. */
  close(): void;
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});
const NOBODY: Caller = { id: "", role: "viewer", pipelines: [] };
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
  /** Paths without names in them, by method and path. */
  readonly #plain = new Map<string, Route>();
  readonly #router = new TrieRouter<Route>();
  readonly #secure: Readonly<Record<string, string>>;
  #document: Record<string, unknown> | null = null;
  #waiting = { at: Number.NEGATIVE_INFINITY, count: 0 };

  constructor(scheduler: Scheduler, options: Settled) {
    this.#scheduler = scheduler;
    this.#options = options;
    this.#secure = options.hsts ? { ...SECURE, "strict-transport-security": "max-age=31536000" } : SECURE;
    this.#authentication = new Authentication(scheduler, options.tokens);
    this.#signatures = new Signatures(options.webhooks);
    this.#events = new EventStream(scheduler, this.#authentication);
    this.#tokenLimit = options.tokenLimit === null ? null : new Limit("token", options.tokenLimit);
    this.#addressLimit = options.addressLimit === null ? null : new Limit("address", options.addressLimit);
    this.routes = [
      ...systemRoutes,
      this.#documentRoute(),
      ...triggerRoutes,
      ...settingsRoutes,
      ...controlRoutes,
      ...pipelineRoutes,
      ...monitoringRoutes,
      this.#events.route,
      ...tokenRoutes,
      ...(options.metrics === null ? [] : [metricsRoute(options.metrics)]),
    ];
    for (const one of this.routes) {
      if (one.path.includes("{")) this.#router.add(one.method, one.path.replaceAll(/\{(\w+)\}/g, ":$1"), one);
      else this.#plain.set(`${one.method} ${one.path}`, one);
    }
  }

  get bodyLimit(): number {
    return this.#options.bodyLimit;
  }

  async fetch(request: Request, connection: Connection = {}): Promise<Response> {
    const { status, headers, body, stream } = await this.answer(askedBy(request), connection);
    return new Response(stream ?? body, { status, headers });
  }

  async answer(asked: Asked, connection: Connection = {}): Promise<Reply> {
    const end = asked.url.indexOf("?");
    const path = end === -1 ? asked.url : asked.url.slice(0, end);
    const plain = this.#plain.get(`${asked.method} ${path}`);
    if (plain !== undefined) return this.#answer(plain, asked, NO_PARAMS, connection);
    const [found] = this.#router.match(asked.method, path)[0];
    if (found === undefined) return this.#nowhere(asked, path);
    const params = decoded(found[1] as Record<string, string>);
    return params === null ? this.#nowhere(asked, path) : this.#answer(found[0], asked, params, connection);
  }

  handles(path: string): boolean {
    return path.startsWith("/api/v1/") || this.#plain.has(`GET ${path}`);
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

  async #answer(one: Route, request: Asked, params: Readonly<Record<string, string>>, connection: Connection): Promise<Reply> {
    const requestId = requestIdOf(request);
    const address = this.#addressOf(request, connection);
    const headers: Record<string, string> = { "x-request-id": requestId };
    let caller: Caller | null = null;
    let answer: Answer;
    let outcome: string;
    try {
      if (this.#addressLimit !== null && one.role !== "public") await this.#addressLimit.count(address ?? "unknown");
      const asked = await this.#call(one, request, params, connection, headers, (found) => {
        caller = found;
      });
      answer = await answerOnce(one, asked, async () => {
        if (one.adds) await this.#refuseWhenFull();
        return one.handle(asked);
      });
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
    return this.#reply(request, answer, headers);
  }

  /** Who asks for what: limits, token, role, body, in the order of their cost. */
  async #call(
    one: Route,
    asked: Asked,
    params: Readonly<Record<string, string>>,
    connection: Connection,
    headers: Record<string, string>,
    onCaller: (caller: Caller) => void,
  ): Promise<Call> {
    const { bodyLimit, bodyTimeoutMs } = this.#options;
    const { clock } = this.#scheduler.host;
    if (one.role === "public") return this.#asCall(asked, params, connection, NOBODY, {}, undefined);
    const isSigned = one.role === "signed" && asked.header("authorization") === null;
    let caller = isSigned ? null : await this.#authentication.callerOf(asked.header("authorization"));
    if (caller !== null) await this.#admit(caller, one, headers, onCaller);
    const bytes = one.method === "GET" ? null : await asked.bytes({ limit: bodyLimit, timeoutMs: bodyTimeoutMs, clock });
    const json =
      bytes === null || (one.body === undefined && !one.isRaw) || (bytes.length === 0 && one.isBodyOptional)
        ? undefined
        : parseJson(bytes, asked.header("content-type"));
    if (caller === null) {
      if (connection.isParsed)
        throw new Problem(
          500,
          "RAW_BODY_MISSING",
          "the host has read the body before this API; mount it first, or keep the bytes as req.rawBody",
        );
      const source = params.source ?? sourceOf(json);
      caller = this.#signatures.signerOf(source, asked.header, bytes ?? new Uint8Array(), clock.now());
      await this.#admit(caller, one, headers, onCaller);
    }
    refuseNul(params, "path");
    const query = one.query === undefined ? {} : queryOf(asked, one.query);
    const body = one.body === undefined || json === undefined ? json : checked(one.body, json, "body");
    return this.#asCall(asked, params, connection, caller, query, body);
  }

  /** Written out: a spread copy costs more than all the rest of it. */
  #asCall(
    { header }: Asked,
    params: Readonly<Record<string, string>>,
    { prefix = "" }: Connection,
    caller: Caller,
    query: Readonly<Record<string, unknown>>,
    body: unknown,
  ): Call {
    return { scheduler: this.#scheduler, options: this.#options, caller, header, params, query, body, prefix };
  }

  async #admit(caller: Caller, one: Route, headers: Record<string, string>, onCaller: (caller: Caller) => void): Promise<void> {
    onCaller(caller);
    if (this.#tokenLimit !== null) Object.assign(headers, this.#tokenLimit.told(await this.#tokenLimit.count(caller.id)));
    requireRole(caller, one.role === "signed" || one.role === "public" ? "operator" : one.role);
  }

  /** Counted at most once a second: a line that is full is so for longer. */
  async #refuseWhenFull(): Promise<void> {
    const { queueLimit } = this.#options;
    const now = this.#scheduler.host.clock.now();
    if (Math.abs(now - this.#waiting.at) >= COUNT_TRUST_MS)
      this.#waiting = { at: now, count: await this.#scheduler.host.countWaiting(queueLimit) };
    if (this.#waiting.count < queueLimit) return;
    throw new Problem(503, "QUEUE_FULL", `${queueLimit} triggers wait already; try again later`, { headers: { "retry-after": "30" } });
  }

  #problem(error: unknown, requestId: string): Answer {
    const problem = problemOf(error);
    if (problem.code === "INTERNAL") this.#scheduler.host.report(error, `request ${requestId}`);
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
      this.#scheduler.host.report(error, `writing request ${requestId} into the audit log`);
      return error;
    }
  }

  /** The address of whoever asks, as far as the proxies in between are believed. */
  #addressOf(request: Asked, connection: Connection): string | null {
    const { trustProxy } = this.#options;
    const own = connection.address ?? null;
    if (trustProxy === 0) return own;
    const forwarded = (request.header("x-forwarded-for") ?? "").split(",").map((part) => part.trim());
    const claimed = forwarded.at(-trustProxy);
    return claimed !== undefined && /^[0-9a-fA-F.:]{2,45}$/.test(claimed) ? claimed : own;
  }

  #reply(asked: Asked, { status, body, headers = {}, stream = undefined, text: given }: Answer, own: Record<string, string>): Reply {
    const text = given ?? (body === undefined ? null : JSON.stringify(body));
    const all: Record<string, string> = Object.assign({ "content-type": "application/json" }, this.#secure, own, headers);
    if (text !== null) all["content-length"] = String(Buffer.byteLength(text));
    if (this.#options.cors.length > 0) Object.assign(all, this.#cors(asked));
    return { status, headers: all, body: text, stream: stream ?? null };
  }

  #cors(request: Asked): Record<string, string> {
    const origin = request.header("origin");
    if (origin === null || !this.#options.cors.includes(origin)) return {};
    const exposed = "Location, ETag, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id";
    return { "access-control-allow-origin": origin, "access-control-expose-headers": exposed, vary: "Origin" };
  }

  #nowhere(request: Asked, path: string): Reply {
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
      return { status: 204, headers: { ...this.#secure, ...cors, ...allowed }, body: null, stream: null };
    }
    const problem =
      methods.length === 0
        ? new Problem(404, "NOT_FOUND", "there is nothing here; /api/v1/openapi.json says what there is")
        : new Problem(405, "METHOD_NOT_ALLOWED", `this answers to ${methods.join(", ")}`, { headers: { allow: methods.join(", ") } });
    return this.#reply(request, this.#problem(problem, requestId), { "x-request-id": requestId });
  }
}

function requestIdOf(request: Asked): string {
  const given = request.header("x-request-id");
  return given !== null && /^[\w.-]{1,100}$/.test(given) ? given : randomUUID();
}

function queryOf({ url }: Asked, schema: z.ZodObject): Record<string, unknown> {
  const at = url.indexOf("?");
  const given = at === -1 ? {} : Object.fromEntries(new URLSearchParams(url.slice(at)));
  refuseNul(given, "query");
  return checked(schema, given, "query");
}

/** `null` for what is no percent-encoding. */
function decoded(params: Readonly<Record<string, string>>): Record<string, string> | null {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    return null;
  }
}

function sourceOf(json: unknown): string {
  const source = (json as { source?: unknown } | null | undefined)?.source;
  return typeof source === "string" ? source : "";
}
