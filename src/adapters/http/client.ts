import type { z } from "zod";
import { checkOptions, invalidArgument } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import { type ClientEventsOptions, readEvents } from "./client-events.js";
import type * as schemas from "./schemas.js";
import type * as monitoring from "./schemas-monitoring.js";
import type * as requests from "./schemas-requests.js";

export type { ClientEvent, ClientEventsOptions } from "./client-events.js";

/** Responses of the API, by name. */
export type Trigger = z.output<typeof schemas.trigger>;
export type Run = z.output<typeof schemas.run>;
export type Decision = z.output<typeof schemas.decision>;
export type TriggerStatus = z.output<typeof schemas.triggerStatus>;
export type Pipeline = z.output<typeof schemas.pipeline>;
export type Settings = z.output<typeof schemas.settings>;
export type Explanation = z.output<typeof schemas.explanation>;
export type UpcomingFire = z.output<typeof schemas.upcomingFire>;
export type Info = z.output<typeof schemas.info>;
export type Maintenance = z.output<typeof schemas.maintenance>;
export type Statistics = z.output<typeof monitoring.statistics>;
export type Alert = z.output<typeof monitoring.alert>;
export type Silence = z.output<typeof monitoring.silence>;
export type Node = z.output<typeof monitoring.node>;
export type Adaptive = z.output<typeof monitoring.adaptive>;
export type Skips = z.output<typeof schemas.skipped>;
export type CancelledMany = z.output<typeof schemas.cancelledMany>;
export type Token = z.output<typeof schemas.token>;
export type IssuedToken = z.output<typeof schemas.issuedToken>;
export type AuditRecord = z.output<typeof schemas.audit>;
export type AuditHead = z.output<typeof schemas.auditHead>;
export type AuditCheck = z.output<typeof schemas.auditCheck>;
export type Health = z.output<typeof schemas.health>;
export type Paused = z.output<typeof schemas.paused>;
export interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}
type Input<S extends z.ZodType> = z.input<S>;
/** Pipelines of a list over all of them: ids with commas between them, or those of a tag or an owner. */
type Selecting = { readonly pipeline?: string; readonly tag?: string; readonly owner?: string };
/** Fields by which a request selects pipelines, where the path names one. */
type Selection = "pipeline" | "dag_id" | "all" | "pipelines" | "tag" | "owner";
type Query = Readonly<Record<string, string | number | undefined>>;

interface Sent {
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** Where the API is mounted, such as `"https://etl.example/scheduler"`. */
  baseUrl: string;
  /** A token of the service. */
  token: string;
  /** Default: the global one. */
  fetch?: typeof fetch;
}

/** An answer that something is wrong. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  /** The stable code, such as `"UNKNOWN_PIPELINE"`. */
  readonly code: string;
  /** Seconds after which to try again, if the service says so. */
  readonly retryAfter: number | null;
  /** The whole problem, as RFC 9457 has it. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(status: number, problem: Readonly<Record<string, unknown>>, retryAfter: number | null) {
    super(typeof problem.detail === "string" ? problem.detail : `the service responded with ${status}`);
    this.status = status;
    this.code = typeof problem.code === "string" ? problem.code : "UNKNOWN";
    this.retryAfter = retryAfter;
    this.problem = problem;
  }
}

/** Client of a headgate service, created by {@link createClient}. */
export type Client = ReturnType<typeof createClient>;

/**
 * A typed client of the API, for Node and browsers: it needs nothing but `fetch`. Rejects with {@link ApiError} when the service refuses.
 *
 * @example
 * const client = createClient({ baseUrl: "http://localhost:5000", token });
 * const trigger = await client.trigger({ pipeline: "daily-sales", reason: "prices corrected" }, { idempotencyKey: "fix-4711" });
 */
export function createClient(options: ClientOptions) {
  checkOptions(options, { baseUrl: true, token: true, fetch: true }, "createClient");
  const { baseUrl, token, fetch: ask = fetch } = options;
  for (const [name, value] of [
    ["baseUrl", baseUrl],
    ["token", token],
  ] as const)
    if (typeof value !== "string" || value === "") throw invalidArgument("createClient")(name, `must be a string (got ${shown(value)})`);
  const root = baseUrl.replace(/\/+$/, "");

  async function send(method: string, path: string, { query = {}, body, headers = {}, signal }: Sent = {}): Promise<Response> {
    const url = new URL(`${root}${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const response = await ask(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.ok) return response;
    const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
    throw new ApiError(response.status, parsed(await response.text()), Number.isFinite(retryAfter) ? retryAfter : null);
  }

  async function call<T>(method: string, path: string, sent?: Sent): Promise<T> {
    return JSON.parse(await (await send(method, path, sent)).text()) as T;
  }

  async function openEvents(after: string | undefined, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = { accept: "text/event-stream", ...(after === undefined ? {} : { "last-event-id": after }) };
    const { body } = await send("GET", "/api/v1/events", { headers, signal });
    if (body === null) throw new TypeError("the service sent no stream");
    return body;
  }

  const at = (id: string) => `/api/v1/pipelines/${encodeURIComponent(id)}`;
  const keyed = (key: string | undefined) => (key === undefined ? {} : { headers: { "idempotency-key": key } });

  return {
    trigger: (body: Input<typeof requests.triggerBody> = {}, options: { idempotencyKey?: string } = {}) =>
      call<Trigger>("POST", "/api/v1/trigger/manual", { body, ...keyed(options.idempotencyKey) }),
    triggerImmediate: (body: Input<typeof requests.immediateBody> = {}, options: { idempotencyKey?: string } = {}) =>
      call<Trigger>("POST", "/api/v1/trigger/immediate", { body, ...keyed(options.idempotencyKey) }),
    triggerStatus: (id: string) => call<TriggerStatus>("GET", `/api/v1/trigger/status/${encodeURIComponent(id)}`),
    pending: (query: { pipeline?: string; limit?: number; cursor?: string } = {}) =>
      call<Page<Trigger>>("GET", "/api/v1/triggers/pending", { query }),
    cancelTrigger: (id: string, body: { reason?: string; user?: string } = {}) =>
      call<Trigger>("POST", `/api/v1/triggers/${encodeURIComponent(id)}/cancel`, { body }),
    cancelRun: (id: string, body: { reason?: string; user?: string } = {}) =>
      call<Run>("POST", `/api/v1/runs/${encodeURIComponent(id)}/cancel`, { body }),
    cancelMany: (body: Input<typeof requests.cancelManyBody>) => call<CancelledMany>("POST", "/api/v1/triggers/cancel", { body }),
    retryRun: (id: string, body: { reason?: string; user?: string } = {}) =>
      call<Run>("POST", `/api/v1/runs/${encodeURIComponent(id)}/retry`, { body }),
    rerun: (id: string, body: Input<typeof requests.rerunBody> = {}, options: { idempotencyKey?: string } = {}) =>
      call<Trigger>("POST", `/api/v1/runs/${encodeURIComponent(id)}/rerun`, { body, ...keyed(options.idempotencyKey) }),
    pipelines: (query: { limit?: number; cursor?: string } = {}) => call<Page<Pipeline>>("GET", "/api/v1/pipelines", { query }),
    pipeline: (id: string) => call<Pipeline>("GET", at(id)),
    triggers: (id: string, query: Input<typeof requests.triggersQuery> & Query = {}) =>
      call<Page<Trigger>>("GET", `${at(id)}/triggers`, { query }),
    runs: (id: string, query: Input<typeof requests.runsQuery> & Query = {}) => call<Page<Run>>("GET", `${at(id)}/runs`, { query }),
    allTriggers: (query: Input<typeof requests.triggersQuery> & Selecting & Query = {}) =>
      call<Page<Trigger>>("GET", "/api/v1/triggers", { query }),
    allRuns: (query: Input<typeof requests.runsQuery> & Selecting & Query = {}) => call<Page<Run>>("GET", "/api/v1/runs", { query }),
    allDecisions: (query: Input<typeof requests.decisionsQuery> & Selecting & Query = {}) =>
      call<Page<Decision>>("GET", "/api/v1/decisions", { query }),
    allUpcoming: (query: Omit<Input<typeof requests.upcomingQuery>, "cursor"> & Selecting & Query = {}) =>
      call<Page<UpcomingFire>>("GET", "/api/v1/upcoming", { query }),
    run: (id: string) => call<Run>("GET", `/api/v1/runs/${encodeURIComponent(id)}`),
    decisions: (id: string, query: Input<typeof requests.decisionsQuery> & Query = {}) =>
      call<Page<Decision>>("GET", `${at(id)}/decisions`, { query }),
    decision: (id: string) => call<Decision>("GET", `/api/v1/decisions/${encodeURIComponent(id)}`),
    upcoming: (id: string, query: Input<typeof requests.upcomingQuery> & Query = {}) =>
      call<Page<UpcomingFire>>("GET", `${at(id)}/upcoming`, { query }),
    explain: (id: string, instant?: string) => call<Explanation>("GET", `${at(id)}/explain`, { query: { at: instant } }),
    backfill: (id: string, body: Input<typeof requests.backfillBody>, options: { idempotencyKey?: string } = {}) =>
      call<{ count: number; items: readonly Trigger[]; omitted?: readonly string[] | undefined }>("POST", `${at(id)}/backfill`, {
        body,
        ...keyed(options.idempotencyKey),
      }),
    pause: (body: Input<typeof requests.pauseBody> = {}) => call<Paused>("POST", "/api/v1/pipeline/pause", { body }),
    skips: (id: string) => call<Skips>("GET", `${at(id)}/skips`),
    skip: (id: string, body: Input<typeof requests.skipBody> = {}) => call<Skips>("POST", `${at(id)}/skip`, { body }),
    unskip: (id: string, body: Input<typeof requests.unskipBody> = {}) => call<Skips>("POST", `${at(id)}/unskip`, { body }),
    resume: (body: Input<typeof requests.resumeBody> = {}) => call<Paused>("POST", "/api/v1/pipeline/resume", { body }),
    settings: (pipeline?: string) => call<Settings>("GET", "/api/v1/schedule/config", { query: { pipeline } }),
    /** @param options - `ifMatch`: the `ETag` of the settings that were read, quotes included */
    changeSettings: (body: Input<typeof requests.settingsBody>, options: { ifMatch?: string } = {}) =>
      call<Settings>("PUT", "/api/v1/schedule/config", {
        body,
        ...(options.ifMatch === undefined ? {} : { headers: { "if-match": options.ifMatch } }),
      }),
    maintenance: (query: { limit?: number; cursor?: string } = {}) =>
      call<Page<Maintenance>>("GET", "/api/v1/schedule/maintenance", { query }),
    addMaintenance: (body: Input<typeof requests.maintenanceBody>) => call<Maintenance>("POST", "/api/v1/schedule/maintenance", { body }),
    removeMaintenance: (id: string) => call<Maintenance>("DELETE", `/api/v1/schedule/maintenance/${encodeURIComponent(id)}`),
    statistics: () => call<Statistics>("GET", "/api/v1/statistics"),
    pipelineStatistics: (id: string) => call<Statistics>("GET", `${at(id)}/statistics`),
    adaptive: (id: string) => call<Adaptive>("GET", `${at(id)}/adaptive`),
    resetAdaptive: (id: string, body: { reason?: string; user?: string } = {}) =>
      call<Adaptive>("POST", `${at(id)}/adaptive/reset`, { body }),
    alerts: (query: { limit?: number; cursor?: string } = {}) => call<Page<Alert>>("GET", "/api/v1/alerts", { query }),
    silences: (query: { limit?: number; cursor?: string } = {}) => call<Page<Silence>>("GET", "/api/v1/silences", { query }),
    silence: (body: Input<typeof monitoring.silenceBody>) => call<Silence>("POST", "/api/v1/silences", { body }),
    endSilence: (id: string) => call<Silence>("DELETE", `/api/v1/silences/${encodeURIComponent(id)}`),
    nodes: (query: { limit?: number; cursor?: string } = {}) => call<Page<Node>>("GET", "/api/v1/nodes", { query }),
    dismissNode: (node: string, query: { reason?: string; user?: string } = {}) =>
      call<Node>("DELETE", `/api/v1/nodes/${encodeURIComponent(node)}`, { query }),
    /** The pipeline by its id, or the only one. */
    pipelineStatus: (query: Input<typeof requests.namedQuery> & Query = {}) => call<Pipeline>("GET", "/api/v1/pipeline/status", { query }),
    pausePipeline: (id: string, body: Omit<Input<typeof requests.pauseBody>, Selection> = {}) =>
      call<Paused>("POST", `${at(id)}/pause`, { body }),
    resumePipeline: (id: string, body: Omit<Input<typeof requests.resumeBody>, Selection> = {}) =>
      call<Paused>("POST", `${at(id)}/resume`, { body }),
    webhook: (body: Input<typeof requests.webhookBody>, options: { idempotencyKey?: string } = {}) =>
      call<Trigger>("POST", "/api/v1/trigger/webhook", { body, ...keyed(options.idempotencyKey) }),
    /** A webhook in its sender's own format, sent with the client's token. */
    foreignWebhook: (source: string, body: unknown, query: Input<typeof requests.namedQuery> & Query = {}) =>
      call<Trigger>("POST", `/api/v1/webhooks/${encodeURIComponent(source)}`, { body, query }),
    tokens: (query: { limit?: number; cursor?: string } = {}) => call<Page<Token>>("GET", "/api/v1/tokens", { query }),
    token: (id: string) => call<Token>("GET", `/api/v1/tokens/${encodeURIComponent(id)}`),
    issueToken: (body: Input<typeof requests.tokenBody>) => call<IssuedToken>("POST", "/api/v1/tokens", { body }),
    rotateToken: (id: string, body: NonNullable<Input<typeof requests.rotateBody>> = {}) =>
      call<IssuedToken>("POST", `/api/v1/tokens/${encodeURIComponent(id)}/rotate`, { body }),
    revokeToken: (id: string) => call<Token>("DELETE", `/api/v1/tokens/${encodeURIComponent(id)}`),
    audit: (query: { limit?: number; cursor?: string } = {}) => call<Page<AuditRecord>>("GET", "/api/v1/audit", { query }),
    auditRecord: (seq: number) => call<AuditRecord>("GET", `/api/v1/audit/${seq}`),
    auditHead: () => call<AuditHead>("GET", "/api/v1/audit/head"),
    verifyAudit: (query: { seq?: number; hash?: string; limit?: number; cursor?: string } = {}) =>
      call<AuditCheck>("GET", "/api/v1/audit/verify", { query }),
    health: () => call<Health>("GET", "/health"),
    /** Rejects with an {@link ApiError} of status 503 while the scheduler is not ready. */
    ready: () => call<Health>("GET", "/ready"),
    openapi: () => call<Readonly<Record<string, unknown>>>("GET", "/api/v1/openapi.json"),
    /** Metrics in the text format of Prometheus. */
    metrics: async () => (await send("GET", "/metrics")).text(),
    /**
     * Decisions and runs of all nodes as they happen. It connects again by itself, behind the last event; after an event `reset` some may be missing.
     *
     * @example
     * for await (const { event, data } of client.events({ signal })) console.log(event, data);
     */
    events: (options: ClientEventsOptions = {}) => readEvents(openEvents, isPassing, options),
    info: () => call<Info>("GET", "/api/v1/info"),
  };
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return { detail: text.slice(0, 200) }; // a proxy in between has its own way to say no
  }
}

/** True for what may be over the next time: a connection that was lost, a service that is starting or overloaded. */
function isPassing(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status >= 500 || error.status === 429;
}
