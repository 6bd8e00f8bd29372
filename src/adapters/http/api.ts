import type { Scheduler } from "../../index.js";
import { AuditGuard, unavailable } from "./audit-guard.js";
import { Authentication, requireRole } from "./auth.js";
import { checked, parseJson, queryOf } from "./body.js";
import { CallLog } from "./call-log.js";
import { addressKey, forwardedAddress, plainAddress } from "./client-address.js";
import { EventStream } from "./events.js";
import { fromFetch, type HttpRequest, type Reply, requestIdOf } from "./http-request.js";
import { answerOnce } from "./idempotency.js";
import { failedReply } from "./net.js";
import { openApiOf } from "./openapi.js";
import { type ResolvedOptions, resolveOptions, type TriggerApiOptions } from "./options.js";
import { Problem, problemBody, problemOf } from "./problem.js";
import { RateLimiter } from "./rate-limit.js";
import { headOf, Replies, withText } from "./reply.js";
import { type Answer, type Call, type Caller, type Route, type RouteInfo, route } from "./route.js";
import { controlRoutes } from "./routes/control.js";
import { listRoutes } from "./routes/lists.js";
import { monitoringRoutes } from "./routes/monitoring.js";
import { pipelineRoutes } from "./routes/pipelines.js";
import { runRoutes } from "./routes/runs.js";
import { settingsRoutes } from "./routes/settings.js";
import { skipRoutes } from "./routes/skips.js";
import { metricsRoute, systemRoutes } from "./routes/system.js";
import { tokenRoutes } from "./routes/tokens.js";
import { triggerRoutes } from "./routes/triggers.js";
import { namesOf, Routing } from "./routing.js";
import { Signatures } from "./signatures.js";
import { topLevelText } from "./top-level-text.js";

/** Facts about a request that only the host knows. */
export interface Connection {
  /** Address of the connected peer. */
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
  answer(request: HttpRequest, connection?: Connection): Promise<Reply>;
  /** Returns true if a path is one of the API's. */
  handles(path: string): boolean;
  /** Everything that can be requested, with the least role that may. */
  readonly routes: readonly RouteInfo[];
  /** The OpenAPI 3.1 document. */
  openapi(): Record<string, unknown>;
  /** The largest body, bytes. */
  readonly bodyLimit: number;
  /** Clock and error report of the scheduler, for what mounts the API. */
  readonly host: Pick<Scheduler["host"], "clock" | "report">;
  /** Ends the event streams; the scheduler's own stop does so too. */
  close(): void;
}

const NO_BYTES = new Uint8Array();
/** Bytes of the name of a source in a body, each of its 128 characters escaped. */
const LONGEST_SOURCE = 6 * 128;
const NOBODY: Caller = { id: "", role: "viewer", pipelines: [], user: null, actsForOthers: false };
/** Of `/health` and `/ready`, per address: far more than any load balancer asks. */
const HEALTH_LIMIT = { requests: 6_000, perMs: 60_000 };

/** Where a request comes from. */
type Origin = Omit<Connection, "address"> & Pick<Call, "address" | "requestId">;

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
  return new Api(scheduler, resolveOptions(options, process.env));
}

class Api implements TriggerApi {
  readonly routes: readonly Route[];
  readonly #scheduler: Scheduler;
  readonly #options: ResolvedOptions;
  readonly #authentication: Authentication;
  readonly #signatures: Signatures;
  readonly #events: EventStream;
  readonly #tokenLimit: RateLimiter | null;
  readonly #addressLimit: RateLimiter | null;
  readonly #healthLimit: RateLimiter | null;
  readonly #routing: Routing;
  readonly #auditGuard: AuditGuard;
  readonly #calls: CallLog;
  readonly #replies: Replies;
  #document: Record<string, unknown> | null = null;

  constructor(scheduler: Scheduler, options: ResolvedOptions) {
    this.#scheduler = scheduler;
    this.#options = options;
    this.#replies = new Replies(options);
    this.#authentication = new Authentication(scheduler, options.tokens);
    this.#signatures = new Signatures(options.webhooks);
    this.#events = new EventStream(scheduler, this.#authentication);
    this.#tokenLimit = options.tokenLimit === null ? null : new RateLimiter("token", options.tokenLimit);
    this.#addressLimit = options.addressLimit === null ? null : new RateLimiter("address", options.addressLimit);
    this.#healthLimit = options.addressLimit === null ? null : new RateLimiter("health", HEALTH_LIMIT);
    this.#auditGuard = new AuditGuard(scheduler);
    this.#calls = new CallLog(scheduler, this.#auditGuard);
    this.routes = [
      ...systemRoutes,
      this.#documentRoute(),
      ...triggerRoutes,
      ...settingsRoutes,
      ...controlRoutes,
      ...skipRoutes,
      ...runRoutes,
      ...pipelineRoutes,
      ...listRoutes,
      ...monitoringRoutes,
      this.#events.route,
      ...tokenRoutes,
      ...(options.metrics === null ? [] : [metricsRoute(options.metrics)]),
    ];
    this.#routing = new Routing(this.routes);
  }

  get host(): TriggerApi["host"] {
    return this.#scheduler.host;
  }

  get bodyLimit(): number {
    return this.#options.bodyLimit;
  }

  async fetch(request: Request, connection: Connection = {}): Promise<Response> {
    try {
      const { status, headers, body, stream } = await this.answer(fromFetch(request), connection);
      return new Response(stream ?? body, { status, headers });
    } catch (error) {
      const { status, headers, body } = failedReply(this.host, error, "handling a request");
      return new Response(body, { status, headers });
    }
  }

  /** Never rejects: what nothing else has answered is reported and answered with 500. */
  async answer(request: HttpRequest, connection: Connection = {}): Promise<Reply> {
    try {
      const end = request.url.indexOf("?");
      const path = end === -1 ? request.url : request.url.slice(0, end);
      const found = this.#routing.find(request.method, path);
      const reply = await (found.route === null
        ? this.#nowhere(request, found.methods, connection)
        : this.#answer(found.route, request, found.params, connection));
      return request.method === "HEAD" ? headOf(reply, this.host) : reply;
    } catch (error) {
      return failedReply(this.host, error, "handling a request");
    }
  }

  handles(path: string): boolean {
    return path.startsWith("/api/v1/") || this.#routing.hasPlain(path);
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
      summary: "Get this OpenAPI document",
      tag: "system",
      role: "viewer",
      answers: { 200: { description: "An OpenAPI 3.1 document." } },
      handle: () => ({ status: 200, body: this.openapi() }),
    });
  }

  async #answer(one: Route, request: HttpRequest, params: Readonly<Record<string, unknown>>, connection: Connection): Promise<Reply> {
    const requestId = requestIdOf(request);
    const address = this.#addressOf(request, connection);
    const headers: Record<string, string> = { "x-request-id": requestId };
    const isRecordedFirst = one.method !== "GET" || one.role === "admin";
    let caller: Caller | null = null;
    let answer: Answer;
    let outcome: string;
    try {
      await this.#countAddress(one, address);
      const call = await this.#call(one, request, namesOf(params), { ...connection, address, requestId }, headers, (found) => {
        caller = found;
      });
      if (isRecordedFirst) await this.#auditGuard.require();
      answer = withText(await answerOnce(one, call, async () => one.handle(call)));
      outcome = String(answer.status);
    } catch (error) {
      const problem = problemOf(error);
      answer = this.#problem(error, requestId);
      outcome = `${problem.status} ${problem.code}`;
    }
    const written = one.role === "public" ? null : this.#calls.write({ route: one, caller, answer, outcome, address, requestId });
    if (isRecordedFirst) {
      const failure = await written;
      if (failure && answer.status < 400 && one.method === "GET") answer = this.#problem(unavailable(), requestId); // what was done is answered as done
    }
    return this.#replies.reply(request, answer, headers);
  }

  /** @throws Problem `RATE_LIMITED` */
  async #countAddress(one: Route | null, address: string | null): Promise<void> {
    await (one?.role === "public" ? this.#healthLimit : this.#addressLimit)?.count(address === null ? "unknown" : addressKey(address));
  }

  /** Processes a call: limits, token, role, body, in the order of their cost. */
  async #call(
    one: Route,
    request: HttpRequest,
    params: Readonly<Record<string, string>>,
    connection: Origin,
    headers: Record<string, string>,
    onCaller: (caller: Caller) => void,
  ): Promise<Call> {
    const { bodyLimit, bodyTimeoutMs } = this.#options;
    const { clock } = this.#scheduler.host;
    if (one.role === "public") return this.#asCall(request, params, connection, NOBODY, {}, undefined);
    const isSigned = one.role === "signed" && request.header("authorization") === null;
    if (isSigned) this.#signatures.requireSignature(request.header);
    let caller = isSigned ? null : await this.#authentication.callerOf(request.header("authorization"));
    if (caller !== null) await this.#admit(caller, one, headers, onCaller);
    const bytes = one.method === "GET" ? null : await request.bytes({ limit: bodyLimit, timeoutMs: bodyTimeoutMs, clock });
    let source: string | null = null;
    if (caller === null) {
      if (connection.isParsed)
        throw new Problem(
          500,
          "RAW_BODY_MISSING",
          "the host framework has already consumed the body; mount this API first, or keep the bytes as req.rawBody",
        );
      source = params.source ?? topLevelText(bytes ?? NO_BYTES, "source", LONGEST_SOURCE) ?? "";
      caller = this.#signatures.signerOf(source, request.header, bytes ?? NO_BYTES, clock.now());
      await this.#admit(caller, one, headers, onCaller);
    }
    const json =
      bytes === null || (one.body === undefined && !one.isRaw) || (bytes.length === 0 && one.isBodyOptional)
        ? undefined
        : parseJson(bytes, request.header("content-type"));
    if (source !== null && params.source === undefined && sourceOf(json) !== source)
      throw new Problem(401, "INVALID_SIGNATURE", "the body names several sources");
    const query = one.query === undefined ? {} : queryOf(request, one.query);
    const body = one.body === undefined || json === undefined ? json : checked(one.body, json, "body");
    return this.#asCall(request, params, connection, caller, query, body);
  }

  /** Written out: a spread copy costs more than all the rest of it. */
  #asCall(
    { header }: HttpRequest,
    params: Readonly<Record<string, string>>,
    { prefix = "", address, requestId }: Origin,
    caller: Caller,
    query: Readonly<Record<string, unknown>>,
    body: unknown,
  ): Call {
    return { scheduler: this.#scheduler, options: this.#options, caller, header, params, query, body, prefix, address, requestId };
  }

  async #admit(caller: Caller, one: Route, headers: Record<string, string>, onCaller: (caller: Caller) => void): Promise<void> {
    onCaller(caller);
    if (this.#tokenLimit !== null) Object.assign(headers, this.#tokenLimit.headersOf(await this.#tokenLimit.count(caller.id)));
    requireRole(caller, one.role === "signed" || one.role === "public" ? "operator" : one.role);
  }

  #problem(error: unknown, requestId: string): Answer {
    const problem = problemOf(error);
    if (problem.code === "INTERNAL") this.host.report(error, `request ${requestId}`);
    return {
      status: problem.status,
      body: problemBody(problem, requestId),
      headers: { ...problem.headers, "content-type": "application/problem+json" },
    };
  }

  /** Address of the client, as far as the proxies in between are trusted. */
  #addressOf(request: HttpRequest, connection: Connection): string | null {
    const { trustProxy } = this.#options;
    const own = connection.address === undefined ? null : plainAddress(connection.address);
    if (trustProxy === 0) return own;
    const forwarded = (request.header("x-forwarded-for") ?? "").split(",").map((part) => part.trim());
    return forwardedAddress(forwarded.at(-trustProxy) ?? "") ?? own;
  }

  /** Answers a request for which there is no route. */
  async #nowhere(request: HttpRequest, methods: readonly string[], connection: Connection): Promise<Reply> {
    const requestId = requestIdOf(request);
    const own = { "x-request-id": requestId };
    const address = this.#addressOf(request, connection);
    const refusal = (error: unknown) => {
      const { status, code } = problemOf(error);
      this.#calls.countUnknown(request, address, `${status} ${code}`);
      return this.#replies.reply(request, this.#problem(error, requestId), own);
    };
    try {
      await this.#countAddress(null, address);
    } catch (error) {
      return refusal(error);
    }
    const preflight = this.#replies.preflight(request, methods);
    if (preflight !== null) return preflight;
    const problem =
      methods.length === 0
        ? new Problem(404, "NOT_FOUND", "no such route; see /api/v1/openapi.json")
        : new Problem(405, "METHOD_NOT_ALLOWED", `method not allowed; use ${methods.join(", ")}`, {
            headers: { allow: methods.join(", ") },
          });
    return refusal(problem);
  }
}

function sourceOf(json: unknown): string {
  const source = (json as { source?: unknown } | null | undefined)?.source;
  return typeof source === "string" ? source : "";
}
