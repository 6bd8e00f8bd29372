import type { TriggerFileOptions } from "../../adapters/files/watch.js";
import type { QueueLimitsOptions, RateLimit, StaticToken, TriggerApiOptions } from "../../adapters/http/options.js";
import type { ServerLimits } from "../../adapters/http/server-limits.js";
import { Signatures } from "../../adapters/http/signatures.js";
import type { WebhookSource } from "../../adapters/http/webhook-source.js";
import { checkPath, valueAt } from "../../adapters/shared/json-path.js";
import type { RetentionOptions } from "../../adapters/stores/sql/sql-store.js";
import { durationMs, formatDuration } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import type { AuditOptions } from "../../engine/access/audit-keys.js";
import { storeFromUrl } from "../../entry/store-from-url.js";
import { isReservedUser } from "../../monitor/reserved-user.js";
import type { Store } from "../../ports/store.js";
import { secretsOfUrl } from "../../run/secret-forms.js";
import type { Path } from "../diagnostic.js";
import type { ApiConfig } from "../schema/sections.js";
import { type BuildContext, camel } from "./context.js";

/** Where the HTTP API listens. */
export interface ListenOptions {
  /** The address that it listens on. */
  readonly host: string;
  /** The port that it listens on; 0: any that is free. */
  readonly port: number;
  /** A path before all others, such as `/etl`; `""`: none. */
  readonly prefix: string;
  /** Limits of connections and requests. */
  readonly limits: ServerLimits;
}

const DEFAULT_STORE = "sqlite:./headgate.db";

export interface ChosenStore {
  readonly store: Store | undefined;
  /** Makes the memory store with the same retention, where neither file nor environment has chosen a store. */
  readonly fallback: (() => Store) | null;
}

export function storeOf(context: BuildContext): ChosenStore {
  const path = ["store", "url"];
  const chosen = context.text(path, context.config.store?.url) ?? context.env.DATABASE_URL;
  const url = chosen ?? DEFAULT_STORE;
  if (/:\/\/[^/]*:[^/]*@/.test(url)) for (const one of [url, ...secretsOfUrl(url)]) context.secrets.add(one);
  const file = /^sqlite:(?!\/)(.+)$/.exec(url)?.[1];
  const { retention } = context.config.resources ?? {};
  const options = retention === undefined ? {} : { retention: camel(retention) as RetentionOptions };
  return {
    store: context.make(path, () =>
      storeFromUrl(file === undefined ? url : `sqlite://${encodeURI(context.file(decodeURIComponent(file)))}`, options),
    ),
    fallback: chosen === undefined ? () => storeFromUrl("memory:", options) : null,
  };
}

export function apiOf(context: BuildContext): { listen: ListenOptions; options: TriggerApiOptions } | null {
  const api: Partial<ApiConfig> = context.config.triggers?.api ?? {};
  const { enabled = true, host = "127.0.0.1", port = 5_000, prefix = "", connections, queue_limits: queueLimits, ...rest } = api;
  if (rest.default_pipeline !== undefined) context.checkPipelines(["triggers", "api", "default_pipeline"], rest.default_pipeline);
  const security = context.config.security ?? {};
  const adminToken = context.secret(["security", "admin_token"], security.admin_token) ?? context.env.PIPELINE_API_TOKEN ?? null;
  if (adminToken !== null) context.secrets.add(adminToken);
  if (adminToken !== null && adminToken.length < 16)
    context.refuse(
      ["security", "admin_token"],
      "(or PIPELINE_API_TOKEN) must have at least 16 characters, such as those of `openssl rand -hex 32`",
    );
  const limits = security.rate_limits ?? {};
  const { per_token, per_address } = limits === false ? { per_token: false as const, per_address: false as const } : limits;
  const webhooks = webhooksOf(context);
  const options: TriggerApiOptions = {
    ...camel(rest),
    ...(queueLimits === undefined ? {} : { queueLimits: queueLimitsOf(queueLimits) }),
    adminToken,
    tokens: tokensOf(context),
    ...(webhooks === undefined ? {} : { webhooks }),
    ...limit("tokenLimit", per_token),
    ...limit("addressLimit", per_address),
  };
  return enabled ? { listen: { host, port, prefix, limits: connectionLimits(context, api) }, options } : null;
}

const LEAST_TIMEOUT_MS = 1_000;

function connectionLimits(context: BuildContext, { connections = {}, body_timeout, trust_proxy = 0 }: Partial<ApiConfig>): ServerLimits {
  const path = ["triggers", "api", "connections"];
  const { max, max_per_address: perAddress, max_requests } = connections;
  const timeout = (name: "headers_timeout" | "request_timeout" | "keep_alive_timeout", fallback: number) => {
    const ms = connections[name] === undefined ? fallback : durationMs(connections[name], name);
    if (ms < LEAST_TIMEOUT_MS) context.refuse([...path, name], `must be at least ${formatDuration(LEAST_TIMEOUT_MS)}`);
    return ms;
  };
  const headersTimeoutMs = timeout("headers_timeout", 10_000);
  const least = headersTimeoutMs + durationMs(body_timeout ?? "10s", "body_timeout");
  const requestTimeoutMs = timeout("request_timeout", Math.max(30_000, least));
  if (requestTimeoutMs < least)
    context.refuse(
      [...path, "request_timeout"],
      `must be at least ${formatDuration(least)}, as long as headers_timeout and body_timeout together: otherwise it would cut off bodies sent in time`,
    );
  return {
    headersTimeoutMs,
    requestTimeoutMs,
    keepAliveTimeoutMs: timeout("keep_alive_timeout", 10_000),
    ...(perAddress === undefined && trust_proxy === 0 ? {} : { maxConnectionsPerAddress: perAddress || null }),
    ...(max === undefined ? {} : { maxConnections: max }),
    ...(max_requests === undefined ? {} : { maxRequestsPerConnection: max_requests }),
  };
}

function queueLimitsOf({ pipeline, token, total, reserved }: NonNullable<ApiConfig["queue_limits"]>): QueueLimitsOptions {
  return {
    ...(pipeline === undefined ? {} : { pipeline: camel(pipeline) }),
    ...(token === undefined ? {} : { token: camel(token) }),
    ...(total === undefined ? {} : { total: camel(total) }),
    ...(reserved === undefined ? {} : { reserved: camel(reserved) }),
  };
}

function limit<Name extends string>(name: Name, value: false | RateLimit | undefined): { [Key in Name]?: RateLimit | null } {
  return (value === undefined ? {} : { [name]: value === false ? null : value }) as { [Key in Name]?: RateLimit | null };
}

function tokensOf(context: BuildContext): readonly StaticToken[] {
  const ids = new Set<string>();
  return (context.config.security?.tokens ?? []).map((one, index) => {
    const path = ["security", "tokens", index];
    if (ids.has(one.id)) context.refuse([...path, "id"], `duplicate token id ${one.id}`);
    if (isReservedUser(one.id)) context.refuse([...path, "id"], `\`${one.id}\` is reserved; choose another name`);
    if (one.user !== undefined && isReservedUser(one.user))
      context.refuse([...path, "user"], `\`${one.user}\` is reserved; choose another name`);
    ids.add(one.id);
    context.checkPipelines([...path, "pipelines"], one.pipelines);
    const token = context.secret([...path, "token"], one.token);
    if (token.length < 16) context.refuse([...path, "token"], "must have at least 16 characters, such as those of `openssl rand -hex 32`");
    const { id, role, pipelines = null, user = null, acts_for_others: actsForOthers = false } = one;
    return { id, role, token, pipelines, user, actsForOthers };
  });
}

export function auditOf(context: BuildContext): AuditOptions | undefined {
  const audit = context.config.security?.audit;
  if (audit === undefined) return undefined;
  const path = ["security", "audit"];
  const key = context.secret([...path, "key"], audit.key);
  const previousKeys = (audit.previous_keys ?? []).map((one, index) => context.secret([...path, "previous_keys", index], one));
  const isShort = (one: string | undefined) => one !== undefined && one.length < 32;
  const short = "must have at least 32 characters, such as those of `openssl rand -hex 32`";
  if (isShort(key)) context.refuse([...path, "key"], short);
  for (const [index, one] of previousKeys.entries()) if (isShort(one)) context.refuse([...path, "previous_keys", index], short);
  const { head_interval: headInterval } = audit;
  return { previousKeys, ...(key === undefined ? {} : { key }), ...(headInterval === undefined ? {} : { headInterval }) };
}

function webhooksOf(context: BuildContext): readonly WebhookSource[] | undefined {
  const sources = new Set<string>();
  const before = context.problems.length;
  const webhooks = context.config.triggers?.webhooks?.map((one, index): WebhookSource => {
    const path = ["triggers", "webhooks", index];
    if (sources.has(one.source)) context.refuse([...path, "source"], `duplicate source ${JSON.stringify(one.source)}`);
    sources.add(one.source);
    context.checkPipelines([...path, "pipelines"], one.pipelines);
    const secret =
      typeof one.secret === "object"
        ? one.secret.map((text, nth) => webhookSecret(context, [...path, "secret", nth], text))
        : webhookSecret(context, [...path, "secret"], one.secret);
    const { secret: _, parameters: at, ...rest } = one;
    if (at !== undefined) context.make([...path, "parameters"], () => checkPath(at, "parameters"));
    return {
      ...(at === undefined ? {} : { parameters: (payload: unknown) => parametersAt(payload, at) }),
      ...camel(rest),
      ...(secret === undefined ? {} : { secret }),
    };
  });
  if (webhooks !== undefined && context.problems.length === before) context.make(["triggers", "webhooks"], () => new Signatures(webhooks));
  return webhooks;
}

function webhookSecret<Text extends string | undefined>(context: BuildContext, path: Path, value: Text): string | Text {
  const secret = context.secret(path, value);
  if (secret !== undefined && secret.length < 16) context.refuse(path, "must have at least 16 characters");
  return secret ?? value;
}

function parametersAt(payload: unknown, at: string): Record<string, unknown> {
  const found = valueAt(payload, at);
  if (typeof found === "object" && found !== null && !Array.isArray(found)) return found as Record<string, unknown>;
  throw new HeadgateError("INVALID_PARAMETERS", `there is no object at ${at}`);
}

export function triggerFilesOf(context: BuildContext): TriggerFileOptions | null {
  const files = context.config.triggers?.files;
  if (files === undefined) return null;
  context.checkPipelines(["triggers", "files", "pipeline"], files.pipeline);
  const { work_directory: work, ...rest } = files;
  return {
    ...camel(rest),
    directory: context.file(files.directory),
    ...(work === undefined ? {} : { workDirectory: context.file(work) }),
  };
}
