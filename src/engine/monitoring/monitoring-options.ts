import { durationMs } from "../../base/duration.js";
import { HeadgateError, quote } from "../../base/errors.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import { shown } from "../../base/shown.js";
import type { AlertRule } from "../../monitor/alert.js";
import type { AlertRoute } from "../../monitor/notification.js";
import { defaultRules } from "../../monitor/rules.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import type { MonitoringOptions } from "../../ports/scheduler-api/monitoring-options.js";

/** {@link MonitoringOptions} checked. */
export interface MonitoringSettings {
  readonly rules: readonly AlertRule[];
  readonly channels: ReadonlyMap<string, AlertChannel>;
  readonly routes: readonly AlertRoute[];
  readonly everyMs: number;
  /** Without a slash at its end. */
  readonly baseUrl: string | null;
}

const ROUTE: OptionNames<AlertRoute> = {
  channels: true,
  severities: true,
  pipelines: true,
  tags: true,
  rules: true,
  groupBy: true,
  fallback: true,
  continue: true,
};

/** @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION` */
export function monitoringOf(options: MonitoringOptions): MonitoringSettings {
  checkOptions(options, { rules: true, channels: true, routes: true, every: true, baseUrl: true }, "monitoring");
  const { rules = defaultRules(), channels = [] } = options;
  for (const [name, list] of Object.entries({ rules, channels, routes: options.routes ?? [] }))
    if (!Array.isArray(list)) throw bad(name, `must be an array (got ${shown(list)})`);
  refuseTwice(
    rules.map(({ name }) => name),
    "rules",
  );
  refuseTwice(
    channels.map(({ name }) => name),
    "channels",
  );
  for (const one of channels) if (typeof one?.send !== "function") throw bad("channels", `${quote(one?.name)} has no function send`);
  const byName = new Map(channels.map((one) => [one.name, one]));
  const routes = options.routes ?? (channels.length === 0 ? [] : [{ channels: [...byName.keys()] }]);
  for (const [index, route] of routes.entries()) {
    checkOptions(route, ROUTE, `monitoring.routes[${index}]`);
    const { channels: names, fallback } = route;
    for (const name of fallback === undefined ? names : [...names, fallback])
      if (!byName.has(name))
        throw bad("routes", `channel ${quote(name)} is unknown; available: ${[...byName.keys()].join(", ") || "none"}`);
  }
  const known = new Set(rules.map(({ name }) => name));
  for (const name of routes.flatMap((route) => route.rules ?? []))
    if (!known.has(name)) throw bad("routes", `rule ${quote(name)} is unknown; available: ${[...known].join(", ")}`);
  const everyMs = durationMs(options.every ?? "15s", "monitoring.every");
  if (everyMs < 100) throw bad("every", "must be at least 100 ms");
  return { rules, channels: byName, routes, everyMs, baseUrl: baseUrlOf(options.baseUrl) };
}

function baseUrlOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.password}${url.search}${url.hash}` === "";
  if (!isPlain) throw bad("baseUrl", `must be an http or https address without user, query and fragment (got ${shown(text)})`);
  return url.href.replace(/\/+$/, "");
}

function refuseTwice(names: readonly string[], option: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw bad(option, `two are named ${quote(twice)}; names must be unique`);
}

function bad(option: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `monitoring.${option}: ${problem}`, { details: { option } });
}
