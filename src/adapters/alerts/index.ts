export type { AlertNotification } from "../../monitor/notification.js";
export type { AlertChannel } from "../../ports/alert-channel.js";
export type { AddressOptions, PrivateNetworks } from "../shared/address.js";
export type { ChannelOptions, RenderedAlert } from "./channel.js";
export { type ConsoleChannelOptions, consoleChannel } from "./console.js";
export { type EmailChannelOptions, emailChannel } from "./email.js";
export { type SlackChannelOptions, slackChannel } from "./slack.js";
export { type WebhookChannelOptions, webhookChannel } from "./webhook.js";
