import { consoleChannel } from "../../adapters/alerts/console.js";
import { emailChannel } from "../../adapters/alerts/email.js";
import { slackChannel } from "../../adapters/alerts/slack.js";
import { webhookChannel } from "../../adapters/alerts/webhook.js";
import type { AlertRule } from "../../monitor/alert.js";
import * as rules from "../../monitor/rules.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import type { MonitoringOptions } from "../../ports/scheduler-api/monitoring-options.js";
import type { Path } from "../diagnostic.js";
import type { ChannelConfig, MonitoringConfig } from "../schema/monitoring.js";
import { type BuildContext, camel, OWN_ADDRESSES } from "./context.js";

type RuleName = keyof NonNullable<MonitoringConfig["rules"]>;

/** Factory and default of each rule; `null`: only enabled when it is named. */
const RULES: { readonly [Name in RuleName]: readonly [make: (options: never) => AlertRule, usual: object | null] } = {
  run_failed: [rules.runFailed, {}],
  run_retried: [rules.runRetried, {}],
  sla_missed: [rules.slaMissed, {}],
  sla_at_risk: [rules.slaAtRisk, {}],
  missed_schedule: [rules.missedSchedule, {}],
  long_running: [rules.longRunning, {}],
  consecutive_failures: [rules.consecutiveFailures, {}],
  failure_rate: [rules.failureRate, null],
  stale_data: [rules.staleData, null],
  queue_backlog: [rules.queueBacklog, {}],
  probe_unhealthy: [rules.probeUnhealthy, { for: "1m" }],
  sensor_failing: [rules.sensorFailing, {}],
  clock_skew: [rules.clockSkew, { for: "1m" }],
  node_lost: [rules.nodeLost, {}],
  node_failing: [rules.nodeFailing, {}],
};

/** Alerts are raised when the file has a section for them. */
export function monitoringOf(context: BuildContext): MonitoringOptions | undefined {
  const section = context.config.monitoring;
  if (section === undefined) return undefined;
  const path = ["monitoring"];
  const channels = Object.entries(section.channels ?? {}).flatMap(
    ([name, config]) => channelOf(context, [...path, "channels", name], name, config) ?? [],
  );
  const known = Object.keys(section.channels ?? {});
  const routes = section.routes?.map((route, index) => {
    const at = [...path, "routes", index];
    for (const name of route.channels) context.checkName([...at, "channels"], "channel", name, known);
    if (route.fallback !== undefined) context.checkName([...at, "fallback"], "channel", route.fallback, known);
    context.checkPipelines([...at, "pipelines"], route.pipelines);
    return camel(route);
  });
  return {
    rules: rulesOf(context, section),
    channels,
    ...camel({ every: section.every, base_url: section.base_url }),
    ...(routes === undefined ? {} : { routes }),
  };
}

function rulesOf(context: BuildContext, { rules: named = {} }: MonitoringConfig): readonly AlertRule[] {
  return Object.entries(RULES).flatMap(([name, [make, usual]]) => {
    const config = named[name as RuleName];
    if (config === false || (config === undefined && usual === null)) return [];
    const path = ["monitoring", "rules", name];
    if (config !== undefined && "pipelines" in config) context.checkPipelines([...path, "pipelines"], config.pipelines);
    return context.make(path, () => make({ ...usual, ...camel(config ?? {}) } as never)) ?? [];
  });
}

function channelOf(
  context: BuildContext,
  path: Path,
  name: string,
  { console: lines, email, slack, webhook, ...rest }: ChannelConfig,
): AlertChannel | undefined {
  const options = { name, ...camel(rest) };
  if (lines !== undefined) return context.make(path, () => consoleChannel(options));
  if (email !== undefined) {
    const server = context.secret([...path, "email", "server"], email.server);
    return context.make([...path, "email"], () => emailChannel({ ...options, ...email, server }));
  }
  if (slack !== undefined) {
    const url = context.secret([...path, "slack", "url"], slack.url);
    return context.make([...path, "slack"], () => slackChannel({ ...OWN_ADDRESSES, ...options, ...camel(slack), url }));
  }
  const { url, secret, ...others } = webhook as NonNullable<typeof webhook>;
  const secrets = {
    url: context.secret([...path, "webhook", "url"], url),
    ...camel({ secret: context.secret([...path, "webhook", "secret"], secret) }),
  };
  return context.make([...path, "webhook"], () => webhookChannel({ ...OWN_ADDRESSES, ...options, ...camel(others), ...secrets }));
}
