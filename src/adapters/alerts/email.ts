import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import { CHANNEL_OPTIONS, type ChannelOptions, channelOf, rendered } from "./channel.js";

/** Options of {@link emailChannel}. */
export interface EmailChannelOptions extends ChannelOptions {
  /** `smtp://user:password@host:587`, or `smtps://…`, or what `nodemailer` takes. */
  server: string | Readonly<Record<string, unknown>>;
  /** The sender's address. */
  from: string;
  /** The recipients' addresses. */
  to: string | readonly string[];
}

interface Transport {
  sendMail(mail: Record<string, unknown>): Promise<unknown>;
  close(): void;
}

/**
 * Sends alerts by mail, through the package `nodemailer`. Mails about one alert make one thread, and are dated when what they report happened.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`; `MISSING_PEER` when it sends
 * @example
 * emailChannel({ server: process.env.SMTP_URL, from: "headgate@example.com", to: "on-call@example.com" });
 */
export function emailChannel(options: EmailChannelOptions): AlertChannel {
  checkOptions(options, { ...CHANNEL_OPTIONS, server: true, from: true, to: true }, "email channel");
  const { server, from } = options;
  const to = typeof options.to === "string" ? [options.to] : [...(options.to ?? [])];
  if (to.length === 0 || [from, ...to].some((one) => typeof one !== "string" || !one.includes("@") || /[\r\n]/.test(one)))
    throw new HeadgateError("INVALID_ARGUMENT", "email channel: from and to must be addresses");
  if (typeof server !== "object" && !(typeof server === "string" && /^smtps?:\/\//.test(server)))
    throw new HeadgateError("INVALID_ARGUMENT", "email channel: server: must be an address such as smtp://user:password@host:587");
  const base = channelOf("email", options);
  let transport: Promise<Transport> | null = null;
  return {
    ...base,
    send: async (notification, { signal }) => {
      transport ??= made(server, base.timeoutMs ?? 10_000);
      transport.catch(() => {
        transport = null;
      });
      const { sendMail } = await transport;
      signal.throwIfAborted();
      const { subject, text } = rendered(notification, options);
      const [first] = notification.alerts;
      const thread = first === undefined ? {} : { references: `<${Buffer.from(first.alert.id).toString("hex").slice(0, 120)}@headgate>` };
      await sendMail({
        from,
        to,
        subject: subject.replaceAll(/[\r\n]+/g, " "),
        text,
        date: notification.at,
        messageId: `<${notification.id}@headgate>`,
        ...thread,
        headers: { "X-Headgate-Severity": notification.severity, "Auto-Submitted": "auto-generated" },
      });
    },
  };
}

async function made(server: EmailChannelOptions["server"], timeoutMs: number): Promise<Transport> {
  let library: typeof import("nodemailer");
  try {
    library = await import("nodemailer");
  } catch (cause) {
    throw new HeadgateError("MISSING_PEER", "the email channel needs the package nodemailer: npm install nodemailer", { cause });
  }
  const patience = { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs };
  const options = typeof server === "string" ? { url: server, ...patience } : { ...patience, ...server };
  const transport = library.createTransport(options as Parameters<typeof library.createTransport>[0]);
  transport.on("error", () => {}); // of a connection or a token between two mails: the next mail says what is wrong
  return { sendMail: (mail) => transport.sendMail(mail), close: () => transport.close() };
}
