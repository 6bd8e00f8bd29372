import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import type { Instant } from "../../base/instant.js";
import { lazyModule } from "../../base/lazy-module.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import type { Health } from "../../gate/conditions/outside.js";
import { PROBE_OPTIONS, type ProbeOptions, policyOf } from "../../gate/probe.js";
import type { Probe } from "../../ports/probe.js";
import { ADDRESS_OPTIONS, type AddressOptions, AddressRule } from "../shared/address.js";
import { checkPath, jsonOf, valueAt } from "../shared/json-path.js";
import { addressOf, ask, checkUrl, type WebRequest } from "../shared/request.js";

/** Request over http or https. */
export interface HttpQuestion extends ProbeOptions, AddressOptions {
  url: string;
  /** Default `"GET"`. */
  method?: "GET" | "HEAD" | "POST";
  headers?: Readonly<Record<string, string>>;
  /** Sent as it is. */
  body?: string;
  /** The largest answer, bytes. Default 1 MiB. */
  limit?: number;
}

const HTTP_QUESTION: OptionNames<HttpQuestion> = {
  ...PROBE_OPTIONS,
  ...ADDRESS_OPTIONS,
  url: true,
  method: true,
  headers: true,
  body: true,
  limit: true,
};

/** Options of {@link httpProbe}. */
export interface HttpProbeOptions extends HttpQuestion {
  /** The status, or statuses, of something healthy. Default: any 2xx. */
  status?: number | readonly number[];
  /** Value required in its response, which must be JSON; without `equals`, anything but a missing value, `false`, `0` and `""`. Default: the status alone counts. */
  json?: { path: string; equals?: unknown };
  /** Slower is not healthy. Default: the timeout. */
  maxLatency?: Duration;
}

/**
 * Returns true if a server answers well over http or https. At most five redirects.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * healthy({ probes: [httpProbe({ url: "https://warehouse.example/health", json: { path: "status", equals: "ok" } })] });
 */
export function httpProbe(options: HttpProbeOptions): Probe<Health> {
  checkOptions(options, { ...HTTP_QUESTION, status: true, json: true, maxLatency: true }, "httpProbe");
  const { status, json, maxLatency, ...question } = options;
  if (json !== undefined) checkOptions(json, { path: true, equals: true }, "httpProbe: json");
  if (json !== undefined) checkPath(json.path, "httpProbe: json.path");
  const maxLatencyMs = maxLatency === undefined ? null : durationMs(maxLatency, "httpProbe: maxLatency");
  const statuses = status === undefined ? null : typeof status === "number" ? [status] : status;
  const web = webOf(question, "httpProbe", json === undefined);
  return {
    name: nameOf(options, [status, json, maxLatencyMs]),
    ...policyOf(options, "httpProbe"),
    ...(maxLatencyMs === null ? {} : { timeoutMs: Math.min(maxLatencyMs, policyOf(options, "httpProbe").timeoutMs ?? maxLatencyMs) }),
    measure: async ({ signal }) => {
      const answer = await web(signal);
      const evidence = { address: addressOf(options.url), status: answer.status };
      const isWanted = statuses === null ? answer.status >= 200 && answer.status < 300 : statuses.includes(answer.status);
      if (!isWanted) return { isHealthy: false, reason: `responded with ${answer.status}`, evidence };
      if (json === undefined) return { isHealthy: true, reason: `responded with ${answer.status}`, evidence };
      const found = valueAt(jsonOf(answer.text), json.path);
      const isHealthy = json.equals === undefined ? Boolean(found) : JSON.stringify(found) === JSON.stringify(json.equals);
      const shown = (JSON.stringify(found) ?? "nothing").slice(0, 100);
      return { isHealthy, reason: `reports ${json.path}: ${shown}`, evidence: { ...evidence, path: json.path, value: shown } };
    },
  };
}

/**
 * When data was made, as a server's JSON says: ISO 8601, or a number of seconds or milliseconds since 1970.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * stale({ olderThan: "6h", source: httpTimestamp({ url: "https://data.example/status", path: "datasets[0].updated_at" }) });
 */
export function httpTimestamp(options: HttpQuestion & { path: string }): Probe<Instant | null> {
  checkOptions(options, { ...HTTP_QUESTION, path: true }, "httpTimestamp");
  const { path, ...question } = options;
  checkPath(path, "httpTimestamp: path");
  const web = webOf(question, "httpTimestamp", false);
  return {
    name: nameOf(options, [path]),
    ...policyOf(options, "httpTimestamp"),
    measure: async ({ signal }) => {
      const { status, text } = await web(signal);
      if (status < 200 || status >= 300) throw new HeadgateError("PROBE_FAILED", `responded with ${status}`);
      return instantOf(valueAt(jsonOf(text), path), path);
    },
  };
}

/** Numbers below 1e11 are seconds: in milliseconds they would be before March 1973. */
export function instantOf(value: unknown, where: string): Instant | null {
  if (value === null) return null;
  if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value < 1e11 ? value * 1_000 : value);
  if (value instanceof Date) return value;
  // PostgreSQL writes 2026-03-02 10:00:00+00: ISO 8601 wants a T and minutes in the zone, and what has no zone is meant in UTC
  const text =
    typeof value === "string"
      ? value
          .trim()
          .replace(" ", "T")
          .replace(/([+-]\d\d)$/, "$1:00")
      : "";
  const zoned = /^\d{4}-\d\d-\d\dT[\d:.]+$/.test(text) ? `${text}Z` : text;
  const ms = /^\d{4}-/.test(zoned) ? Date.parse(zoned) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new HeadgateError("PROBE_FAILED", `${where}: ${JSON.stringify(value)?.slice(0, 100) ?? "nothing"} is not an instant`);
}

function webOf({ url, method = "GET", headers = {}, body, limit, ...rest }: HttpQuestion, where: string, isHeadEnough: boolean) {
  checkUrl(url, `${where}: url`);
  const lowered = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const request: WebRequest = {
    url,
    method,
    headers: lowered,
    isHeadEnough,
    ...(body === undefined ? {} : { body }),
    ...(limit === undefined ? {} : { limit }),
  };
  const rule = new AddressRule(rest);
  return (signal: AbortSignal) => ask(request, rule, signal);
}

/** Two questions that differ in anything are two probes; what may be secret in them is not shown. */
function nameOf({ name, url, method, headers, body }: HttpQuestion, rest: readonly unknown[]): string {
  if (name !== undefined) return name;
  const { search, username, password } = new URL(url);
  const more = [search, username, password, method, headers, body, rest];
  const isPlain =
    `${search}${username}${password}` === "" &&
    headers === undefined &&
    body === undefined &&
    rest.every((one) => one === undefined || one === null);
  return isPlain ? addressOf(url) : `${addressOf(url)} #${lazyModule("node:crypto").hash("sha256", JSON.stringify(more)).slice(0, 8)}`;
}
