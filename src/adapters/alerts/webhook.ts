import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import { ADDRESS_OPTIONS, type AddressOptions, AddressRule } from "../shared/address.js";
import { ask, checkUrl } from "../shared/request.js";
import { signerOf } from "../shared/standard-webhooks.js";
import { answerShower, CHANNEL_OPTIONS, type ChannelOptions, channelOf, jsonOf, rendered } from "./channel.js";

/** Options of {@link webhookChannel}. */
export interface WebhookChannelOptions extends ChannelOptions, AddressOptions {
  /** The address that alerts are sent to, by POST. */
  url: string;
  /** Signs what is sent, by Standard Webhooks: `whsec_` and base64. Needs the package `standardwebhooks`. Default: not signed. */
  secret?: string;
  /** Sent with every alert. Default none. */
  headers?: Readonly<Record<string, string>>;
}

/**
 * Posts alerts as JSON, signed. What is sent again has the same `webhook-id`.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `MISSING_PEER`
 * @example
 * webhookChannel({ url: "https://incidents.example/hooks/headgate", secret: process.env.INCIDENTS_SECRET });
 */
export function webhookChannel(options: WebhookChannelOptions): AlertChannel {
  checkOptions(options, { ...CHANNEL_OPTIONS, ...ADDRESS_OPTIONS, url: true, secret: true, headers: true }, "webhook channel");
  const { url, secret, headers = {} } = options;
  checkUrl(url, "webhook channel: url");
  const signer =
    secret === undefined ? null : signerOf(secret, (problem) => new HeadgateError("INVALID_ARGUMENT", `webhook channel: ${problem}`));
  const rule = new AddressRule(options);
  const show = answerShower(url, headers);
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    ...channelOf("webhook", options),
    send: async (notification, { signal, now }) => {
      const body = JSON.stringify({
        type: "headgate.alerts",
        timestamp: notification.at.toISOString(),
        data: { ...jsonOf(notification), ...rendered(notification, options) },
      });
      const seconds = Math.floor(now / 1_000);
      const signed: Record<string, string> =
        signer === null
          ? {}
          : { "webhook-timestamp": String(seconds), "webhook-signature": signer.sign(notification.id, new Date(seconds * 1_000), body) };
      const all = { ...own, "content-type": "application/json", "webhook-id": notification.id, ...signed };
      const { status, text } = await ask({ url, method: "POST", headers: all, body }, rule, signal);
      if (status >= 200 && status < 300) return;
      throw new HeadgateError("CHANNEL_FAILED", `responded with ${status}: ${show(text)}`, { details: { status } });
    },
  };
}
