import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { checkInteger, checkOptions, type OptionNames, type RefuseOption } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { Role } from "../../index.js";
import { isReservedUser } from "../../monitor/reserved-user.js";
import { DEFAULT_QUEUE_LIMITS, type QueueLimit, type QueueLimits } from "../../trigger/queue-limits.js";
import type { WebhookSource } from "./webhook-source.js";

/** A limit of requests in a window of time. */
export interface RateLimit {
  requests: number;
  per: Duration;
}

/**
 * Limits of the queue; triggers beyond them are rejected with `QUEUE_FULL`, over all nodes: a number of triggers (`count`) and the bytes of their parameters as JSON
 * (`bytes`), integers ≥ 0. Triggers of schedules and of pipelines that follow others are never refused.
 */
export interface QueueLimitsOptions {
  /** Of one pipeline. Default 10,000 and 64 MiB; beyond it 503. */
  pipeline?: Partial<QueueLimit>;
  /** Of what one token, or one webhook source, requested. Default 10,000 and 64 MiB; beyond it 429. */
  token?: Partial<QueueLimit>;
  /** In all. Default 20,000 and 256 MiB; beyond it 503. */
  total?: Partial<QueueLimit>;
  /** While the total is reached, what a pipeline and a token may have waiting all the same. Default 100 and 1 MiB. */
  reserved?: Partial<QueueLimit>;
}

/** Metrics as text. */
export interface MetricsSource {
  readonly contentType: string;
  /** True if `metrics` can leave out what is not of some pipelines. Without it, tokens that are limited to pipelines get 403. */
  readonly isFilterable?: boolean;
  /** @param options - `pipelines`: only series of these, and none that are about more than one pipeline */
  metrics(options?: { readonly pipelines: readonly string[] }): Promise<string>;
}

/** A token that is not in the store but in the service's own configuration. */
export interface StaticToken {
  /** Name of its holder in the audit log. */
  readonly id: string;
  readonly role: Role;
  /** At least 16 characters. */
  readonly token: string;
  /** The pipelines it is limited to; `null`: all. */
  readonly pipelines: readonly string[] | null;
  /** The name that acts when a request gives none. Default: `id`. */
  readonly user?: string | null;
  /** Requests may give any other name as `user`. Default false. */
  readonly actsForOthers?: boolean;
}

/** Options of `createTriggerApi`. */
export interface TriggerApiOptions {
  /** Your own token with the role admin, in addition to those of `scheduler.tokens`. Default: the environment's `PIPELINE_API_TOKEN`, else none. `null`: none. */
  adminToken?: string | null;
  /** Your own tokens, in addition to those of `scheduler.tokens`. Default none. */
  tokens?: readonly StaticToken[];
  /** The pipeline that is meant when a request names none and there are several. Default: such a request is refused. */
  defaultPipeline?: string;
  /** Sources of webhooks and their signatures. Default: anyone with a token that may trigger, with any source. */
  webhooks?: readonly WebhookSource[];
  /** The largest body, bytes. Default 1 MiB. */
  bodyLimit?: number;
  /** Time a body may take to arrive. Default `"10s"`. */
  bodyTimeout?: Duration;
  /** Per token, on this node. Default 600 a minute; `null`: none. */
  tokenLimit?: RateLimit | null;
  /** Per address, on this node, before the token is looked at. Default 1,200 a minute; `null`: none. */
  addressLimit?: RateLimit | null;
  /** Limits of the queue: per pipeline, per token and in all. Default: see {@link QueueLimitsOptions}. */
  queueLimits?: QueueLimitsOptions;
  /** Number of proxies in front of this service whose `X-Forwarded-For` is trusted. Default 0: none. */
  trustProxy?: number;
  /** Origins whose pages may call this API. Default none. */
  cors?: readonly string[];
  /** Source of `/metrics`, served to viewers: `prometheusMetrics(scheduler)` of `headgate/prometheus`. Default: there is no `/metrics`. */
  metrics?: MetricsSource;
  /** Sends `Strict-Transport-Security`, for a host that serves TLS only. Default false. */
  hsts?: boolean;
}

export interface ResolvedOptions {
  readonly tokens: readonly StaticToken[];
  readonly defaultPipeline: string | null;
  readonly webhooks: readonly WebhookSource[];
  readonly bodyLimit: number;
  readonly bodyTimeoutMs: number;
  readonly tokenLimit: { readonly requests: number; readonly perMs: number } | null;
  readonly addressLimit: { readonly requests: number; readonly perMs: number } | null;
  readonly queueLimits: QueueLimits;
  readonly trustProxy: number;
  readonly cors: readonly string[];
  readonly hsts: boolean;
  readonly metrics: MetricsSource | null;
}

const OPTIONS: OptionNames<TriggerApiOptions> = {
  adminToken: true,
  tokens: true,
  defaultPipeline: true,
  webhooks: true,
  bodyLimit: true,
  bodyTimeout: true,
  tokenLimit: true,
  addressLimit: true,
  queueLimits: true,
  trustProxy: true,
  cors: true,
  hsts: true,
  metrics: true,
};
const LEAST_TOKEN = 16;
/** Id of the holder of `adminToken`. */
const ADMIN_ID = "environment";

/** Refuses options within an option of `createTriggerApi`. */
function within(path: string): RefuseOption {
  return (name, problem) => bad(name === null ? path : `${path}.${name}`, problem);
}

function checkList<T>(list: readonly T[], path: string, names: OptionNames<NoInfer<T>>): void {
  if (!Array.isArray(list)) throw bad(path, `must be an array (got ${shown(list)})`);
  for (const [index, one] of list.entries()) checkOptions(one as T, names, path, within(`${path}[${index}]`));
}

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function resolveOptions(options: TriggerApiOptions, environment: Readonly<Record<string, string | undefined>>): ResolvedOptions {
  const refuse: RefuseOption = (name, problem) => bad(name ?? "options", problem);
  checkOptions(options, OPTIONS, "createTriggerApi", refuse);
  const whole = (name: "bodyLimit" | "trustProxy", fallback: number, least: number) => {
    const value = options[name] ?? fallback;
    checkInteger(value, { least }, name, refuse);
    return value;
  };
  const limit = (name: "tokenLimit" | "addressLimit", requests: number) => {
    const value = options[name] === undefined ? { requests, per: "1m" } : options[name];
    if (value === null) return null;
    checkOptions(value, { requests: true, per: true }, name, within(name));
    checkInteger(value.requests, { least: 1 }, "requests", within(name));
    const perMs = durationMs(value.per, `${name}.per`);
    if (perMs < 1_000) throw bad(name, "per must be at least 1 s");
    return { requests: value.requests, perMs };
  };
  const adminToken = options.adminToken === undefined ? (environment.PIPELINE_API_TOKEN ?? null) : options.adminToken;
  if (adminToken !== null && adminToken.length < LEAST_TOKEN) {
    throw bad(
      "adminToken",
      `(or PIPELINE_API_TOKEN) has ${adminToken.length} characters; use at least ${LEAST_TOKEN}, such as of \`openssl rand -hex 32\``,
    );
  }
  const { tokens = [], webhooks = [] } = options;
  checkList(tokens, "tokens", { id: true, role: true, token: true, pipelines: true, user: true, actsForOthers: true });
  checkList(webhooks, "webhooks", { source: true, pipelines: true, secret: true, scheme: true, events: true, parameters: true });
  const problem = staticTokenProblem(tokens);
  if (problem !== null) throw bad("tokens", problem);
  for (const { id, token } of tokens)
    if (token.length < LEAST_TOKEN) throw bad("tokens", `${id} has ${token.length} characters; use at least ${LEAST_TOKEN}`);
  return {
    tokens:
      adminToken === null ? tokens : [{ id: ADMIN_ID, role: "admin", token: adminToken, pipelines: null, actsForOthers: true }, ...tokens],
    defaultPipeline: options.defaultPipeline ?? null,
    webhooks,
    bodyLimit: whole("bodyLimit", 1_048_576, 1),
    bodyTimeoutMs: durationMs(options.bodyTimeout ?? "10s", "bodyTimeout"),
    tokenLimit: limit("tokenLimit", 600),
    addressLimit: limit("addressLimit", 1_200),
    queueLimits: queueLimitsOf(options.queueLimits),
    trustProxy: whole("trustProxy", 0, 0),
    cors: options.cors ?? [],
    hsts: options.hsts ?? false,
    metrics: options.metrics ?? null,
  };
}

function queueLimitsOf(given: QueueLimitsOptions = {}): QueueLimits {
  checkOptions(given, { pipeline: true, token: true, total: true, reserved: true }, "queueLimits", within("queueLimits"));
  const limitOf = (scope: keyof QueueLimits): QueueLimit => {
    const path = `queueLimits.${scope}`;
    if (given[scope] !== undefined) checkOptions(given[scope], { count: true, bytes: true }, path, within(path));
    const limit = { ...DEFAULT_QUEUE_LIMITS[scope], ...given[scope] };
    for (const [unit, value] of Object.entries(limit)) checkInteger(value, { least: 0 }, unit, within(path));
    return limit;
  };
  return { pipeline: limitOf("pipeline"), token: limitOf("token"), total: limitOf("total"), reserved: limitOf("reserved") };
}

/** Ids name holders in limits, idempotency keys and the audit log: two must never be the same. */
function staticTokenProblem(tokens: readonly StaticToken[]): string | null {
  const ids = new Set<string>();
  for (const { id, user = null } of tokens) {
    if (typeof id !== "string" || !/^[\w.@-]{1,100}$/.test(id))
      return `${JSON.stringify(id)} must have 1 to 100 letters, digits, dots, dashes, underscores or @ as its id`;
    if (isReservedUser(id)) return `the id ${id} is reserved; choose another one`;
    if (ids.has(id)) return `two tokens have the id ${id}; ids must be unique`;
    if (user !== null && (user.length === 0 || user.length > 200)) return `${id}: user must have 1 to 200 characters`;
    if (user !== null && isReservedUser(user)) return `${id}: the user ${JSON.stringify(user)} is reserved; choose another name`;
    ids.add(id);
  }
  return null;
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `createTriggerApi: ${name}: ${problem}`, { details: { option: name } });
}
