import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError, quote } from "../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument, type OptionNames } from "../../base/options.js";
import type { AlertRun } from "../../monitor/alert.js";
import type { AlertNotification } from "../../monitor/notification.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import { redactor } from "../../run/redact.js";
import { secretsOfNamed, secretsOfUrl } from "../../run/secret-forms.js";

/** Text of a notification for people. */
export interface RenderedAlert {
  readonly subject: string;
  readonly text: string;
}

/** Options that every channel takes. */
export interface ChannelOptions {
  /** Name used in routes. Default: its kind. */
  name?: string;
  /** Time one notification may take. Default `"10s"`. */
  timeout?: Duration;
  /** Number of notifications that may be sent per period; what exceeds it is sent later, together. Default 20 a minute. */
  rateLimit?: { count: number; per: Duration };
  /** Custom text. Default: a subject, and a line for each alert. */
  render?: (notification: AlertNotification) => RenderedAlert;
}

export const CHANNEL_OPTIONS: OptionNames<ChannelOptions> = { name: true, timeout: true, rateLimit: true, render: true };

/** The parts of a channel that follow from its options. */
export function channelOf(kind: string, options: ChannelOptions): Omit<AlertChannel, "send"> {
  const { name = kind, rateLimit } = options;
  const where = `${kind} channel`;
  if (rateLimit !== undefined) checkOptions(rateLimit, { count: true, per: true }, `${where}: rateLimit`);
  if (typeof name !== "string" || name.length === 0 || name.length > 100)
    throw new HeadgateError("INVALID_ARGUMENT", `${where}: name ${quote(name)} must have 1 to 100 characters`);
  if (rateLimit !== undefined) checkInteger(rateLimit.count, { least: 1 }, "rateLimit.count", invalidArgument(where));
  return {
    name,
    timeoutMs: durationMs(options.timeout ?? "10s", `${where}: timeout`),
    ...(rateLimit === undefined
      ? {}
      : { rateLimit: { count: rateLimit.count, perMs: durationMs(rateLimit.per, `${where}: rateLimit.per`) } }),
  };
}

const ANSWER_SHOWN = 100;
/** Shorter parts of a path are words. */
const LEAST_SEGMENT = 8;

/**
 * Returns a function that shows the beginning of what a receiver answered. Some repeat what they got: the address (whose path is the secret of many webhooks), what is
 * secret in its query, and the headers are taken out before it is cut.
 */
export function answerShower(url: string, headers: Readonly<Record<string, string>> = {}): (text: string) => string {
  const { pathname, search } = new URL(url);
  const segments = pathname.split("/").filter((one) => one.length >= LEAST_SEGMENT);
  const addresses = [url, pathname + search, pathname].filter((one) => one.length >= LEAST_SEGMENT);
  const redact = redactor([...addresses, ...segments, ...secretsOfUrl(url), ...secretsOfNamed(headers)]);
  return (text) => redact(text).slice(0, ANSWER_SHOWN);
}

export function rendered(notification: AlertNotification, { render }: ChannelOptions): RenderedAlert {
  if (render === undefined) return { subject: notification.subject, text: notification.text };
  const { subject, text } = render(notification);
  return { subject: String(subject), text: String(text) };
}

/** Notifications in JSON, in snake_case. */
export function jsonOf({ id, at, severity, subject, text, alerts, insteadOf }: AlertNotification): Record<string, unknown> {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id,
    at: at.toISOString(),
    severity,
    subject,
    text,
    instead_of: insteadOf,
    alerts: alerts.map(({ kind, alert, at: happenedAt, link }) => ({
      kind,
      at: iso(happenedAt),
      id: alert.id,
      rule: alert.rule,
      severity: alert.severity,
      pipeline: alert.pipelineId,
      message: alert.message,
      value: alert.value,
      limit: alert.limit,
      labels: alert.labels,
      since: iso(alert.since),
      fired_at: iso(alert.firedAt),
      run: alert.run ? runJson(alert.run, iso) : null,
      link,
    })),
  };
}

function runJson(run: AlertRun, iso: (ms: number | null) => string | null): Record<string, unknown> {
  const { id, status, attempt, startedAt, endedAt, error, trigger } = run;
  return {
    id,
    status,
    attempt,
    started_at: iso(startedAt),
    ended_at: iso(endedAt),
    error: error === null ? null : { message: error.message, code: error.code },
    trigger:
      trigger === null
        ? null
        : { id: trigger.id, kind: trigger.kind, scheduled_for: iso(trigger.scheduledFor), user: trigger.user, reason: trigger.reason },
  };
}
