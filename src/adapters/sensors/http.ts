import { hash } from "node:crypto";
import { HeadgateError, quote } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Sensor, SensorPollResult } from "../../ports/sensor.js";
import { SENSOR_TIMING, type SensorMode, type SensorTiming, timingOf, truthOf } from "../../trigger/sensor.js";
import { ADDRESS_OPTIONS, type AddressOptions, AddressRule } from "../shared/address.js";
import { checkPath, jsonOf, valueAt } from "../shared/json-path.js";
import { addressOf, ask, checkUrl, type WebAnswer } from "../shared/request.js";

/** Options of {@link httpSensor}. */
export interface HttpSensorOptions extends SensorTiming, AddressOptions {
  /** The address that is polled. */
  url: string;
  /** Default `"GET"`. */
  method?: "GET" | "HEAD" | "POST";
  /** Sent with every request. Default none. */
  headers?: Readonly<Record<string, string>>;
  /** Sent with every request. Default none. */
  body?: string;
  /** The largest answer, bytes. Default 1 MiB. */
  limit?: number;
  /**
   * The part that is watched: `"changed"`, the server's ETag, else its Last-Modified, else the body; the `"status"`; or what stands at a path of its JSON.
   * Default `"changed"`.
   */
  watch?: "changed" | "status" | { path: string };
  /** `"change"`: raises a trigger when it differs from the last time; `"edge"` and `"level"`: when it becomes, or while it is, what `equals` says. Default `"change"`. */
  mode?: "change" | SensorMode;
  /** For edge and level. Default: a status from 200 to 299, else anything but nothing, `false`, `0` and `""`. */
  equals?: unknown;
  /** True if what is there at the very first look counts as a change. Default `"ignore"`. */
  first?: "ignore" | "take";
  /** Default: made of the address. */
  name?: string;
}

/** Facts of the server's last response. */
interface Cursor {
  readonly value: unknown;
  readonly etag?: string;
  readonly lastModified?: string;
}

/**
 * Looks at a resource over http or https; what has not changed is not sent again (RFC 9110, section 13). Raises triggers with the parameters `{ url, value, previous }`.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * httpSensor({ url: "https://data.example/prices.json", every: "5m" });
 * httpSensor({ url: "https://data.example/status", watch: { path: "update_available" }, mode: "edge" });
 */
export function httpSensor(options: HttpSensorOptions): Sensor {
  checkOptions(
    options,
    {
      ...SENSOR_TIMING,
      ...ADDRESS_OPTIONS,
      url: true,
      method: true,
      headers: true,
      body: true,
      limit: true,
      watch: true,
      mode: true,
      equals: true,
      first: true,
      name: true,
    },
    "httpSensor",
  );
  const { url, watch = "changed", mode = "change", first = "ignore" } = options;
  if (first !== "ignore" && first !== "take") throw bad(`first: ${quote(first)} is unknown; allowed: ignore, take`);
  checkUrl(url, "httpSensor: url");
  if (watch !== "changed" && watch !== "status") checkOptions(watch, { path: true }, "httpSensor: watch");
  if (watch !== "changed" && watch !== "status") checkPath(watch?.path, "httpSensor: watch.path");
  if (!["change", "edge", "level"].includes(mode)) throw bad(`mode: ${quote(mode)} is unknown; allowed: change, edge, level`);
  if (mode !== "change" && watch === "changed") throw bad(`mode ${mode} needs a value that is true or false; watch a path or the status`);
  const rule = new AddressRule(options);
  const address = addressOf(url);
  return {
    ...timingOf(options.name ?? `http ${address}`.slice(0, 100), options),
    poll: async ({ cursor, signal }) => {
      const last = mode === "change" ? (cursor as Cursor | null) : null;
      const answer = await ask(requestOf(options, last), rule, signal);
      if (answer.status === 304 && last !== null) return { events: [], cursor: last };
      const value = watchedOf(answer, watch);
      if (mode === "change") return changeOf({ ...validatorsOf(answer, watch), value }, last, first, address);
      const isTrue =
        options.equals !== undefined ? isSame(value, options.equals) : watch === "status" ? isFine(answer.status) : Boolean(value);
      const what = watch === "status" ? "status" : (watch as { path: string }).path;
      return truthOf(mode, isTrue, cursor, {
        reason: `${address}: ${what} is ${JSON.stringify(value)?.slice(0, 200)}`,
        parameters: { url: address, value: value ?? null },
      });
    },
  };
}

function requestOf({ url, method, headers = {}, body, limit }: HttpSensorOptions, last: Cursor | null) {
  const lowered = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    url,
    headers: {
      ...lowered,
      ...(last?.etag === undefined ? {} : { "if-none-match": last.etag }),
      ...(last?.lastModified === undefined || last.etag !== undefined ? {} : { "if-modified-since": last.lastModified }),
    },
    ...(method === undefined ? {} : { method }),
    ...(body === undefined ? {} : { body }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function isFine(status: number): boolean {
  return status >= 200 && status < 300;
}

function watchedOf({ status, headers, text }: WebAnswer, watch: NonNullable<HttpSensorOptions["watch"]>): unknown {
  if (watch === "status") return status;
  if (!isFine(status)) throw new HeadgateError("SENSOR_FAILED", `responded with ${status}`);
  if (watch === "changed") return headers.etag ?? headers["last-modified"] ?? hash("sha256", text);
  return valueAt(jsonOf(text), watch.path) ?? null;
}

/** Returns the validators of a request; a watch on the status has none, since an unchanged resource would return 304. */
function validatorsOf({ headers }: WebAnswer, watch: HttpSensorOptions["watch"]): Omit<Cursor, "value"> {
  const { etag, "last-modified": lastModified } = headers;
  if (watch === "status") return {};
  return { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
}

function changeOf(next: Cursor, last: Cursor | null, first: "ignore" | "take", address: string): SensorPollResult {
  const isChanged = last === null ? first === "take" : !isSame(next.value, last.value);
  if (!isChanged) return { events: [], cursor: next };
  const parameters = { url: address, value: next.value, previous: last?.value ?? null };
  return { events: [{ reason: `${address} has changed`, parameters }], cursor: next };
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `httpSensor: ${problem}`);
}
