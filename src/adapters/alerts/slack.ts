import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import { type AlertNotification, detailsOf, messageOf } from "../../monitor/notification.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import { ADDRESS_OPTIONS, type AddressOptions, AddressRule } from "../shared/address.js";
import { ask, checkUrl } from "../shared/request.js";
import { answerShower, CHANNEL_OPTIONS, type ChannelOptions, channelOf, rendered } from "./channel.js";

/** Options of {@link slackChannel}. */
export interface SlackChannelOptions extends ChannelOptions, AddressOptions {
  /** The address of an incoming webhook, which is a secret. */
  url: string;
}

const SIGNS = { critical: ":red_circle:", warning: ":large_orange_circle:", info: ":large_blue_circle:", resolved: ":white_check_mark:" };
/** Slack takes 50 blocks, and 3,000 characters in each. */
const ALERTS_SHOWN = 20;
const TEXT_LIMIT = 2_900;

/**
 * Sends alerts to a Slack incoming webhook, as blocks.
 *
 * @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 * @see https://docs.slack.dev/reference/block-kit/blocks
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * slackChannel({ url: process.env.SLACK_WEBHOOK_URL });
 */
export function slackChannel(options: SlackChannelOptions): AlertChannel {
  checkOptions(options, { ...CHANNEL_OPTIONS, ...ADDRESS_OPTIONS, url: true }, "slack channel");
  checkUrl(options.url, "slack channel: url");
  const rule = new AddressRule(options);
  const show = answerShower(options.url);
  return {
    ...channelOf("slack", options),
    send: async (notification, { signal }) => {
      const body = JSON.stringify(slackMessage(notification, rendered(notification, options).subject));
      const headers = { "content-type": "application/json" };
      const { status, text } = await ask({ url: options.url, method: "POST", headers, body }, rule, signal);
      if (status === 200) return;
      throw new HeadgateError("CHANNEL_FAILED", `Slack responded with ${status}: ${show(text)}`, { details: { status } });
    },
  };
}

/** The message: what is shown in notifications, and its blocks. */
function slackMessage({ alerts, at }: AlertNotification, subject: string): Record<string, unknown> {
  const shown = alerts.slice(0, ALERTS_SHOWN).map((one) => {
    const { kind, alert } = one;
    const sign = kind === "resolved" ? SIGNS.resolved : SIGNS[alert.severity];
    const whose = alert.pipelineId === null ? "" : ` \`${escaped(alert.pipelineId)}\``;
    const lines = [messageOf(one), ...detailsOf(one)].map(escaped).join("\n");
    const what = `${sign} *${escaped(alert.rule)}*${whose}${kind === "resolved" ? " resolved" : ""}\n${lines}`;
    return { type: "section", text: { type: "mrkdwn", text: what.slice(0, TEXT_LIMIT) } };
  });
  const more = alerts.length - shown.length;
  const seconds = Math.floor(at.getTime() / 1_000);
  const foot = `<!date^${seconds}^{date_short_pretty} {time_secs}|${at.toISOString()}>${more > 0 ? `, and ${more} more` : ""}`;
  return {
    text: escaped(subject),
    blocks: [
      { type: "header", text: { type: "plain_text", text: subject.slice(0, 150) } },
      ...shown,
      { type: "context", elements: [{ type: "mrkdwn", text: foot }] },
    ],
  };
}

/** @see https://docs.slack.dev/messaging/formatting-message-text#escaping */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
