import { checkOptions } from "../../base/options.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import { CHANNEL_OPTIONS, type ChannelOptions, channelOf, rendered } from "./channel.js";

/** Options of {@link consoleChannel}. */
export interface ConsoleChannelOptions extends ChannelOptions {
  /** Where lines go. Default `console.error`. */
  write?: (line: string) => void;
}

/**
 * Writes alerts to the console.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 */
export function consoleChannel(options: ConsoleChannelOptions = {}): AlertChannel {
  checkOptions(options, { ...CHANNEL_OPTIONS, write: true }, "console channel");
  const { write = (line) => console.error(line) } = options;
  return {
    ...channelOf("console", options),
    send: async (notification) => {
      const { subject, text } = rendered(notification, options);
      const instead = notification.insteadOf === null ? "" : ` (channel ${notification.insteadOf} is not responding)`;
      if (options.render === undefined) write(`[headgate]${instead} ${text}`);
      else write(subject.endsWith(text) ? subject : `${subject}\n${text}`);
    },
  };
}
