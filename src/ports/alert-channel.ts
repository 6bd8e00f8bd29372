import type { AlertNotification } from "../monitor/notification.js";

/** The port through which alerts reach people. It may be slow, fail or hang: that holds up nothing but itself. */
export interface AlertChannel {
  /** Unique among a scheduler's channels; routes name it. */
  readonly name: string;
  /** How long one notification may take, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** How many may be sent in how long, ms; what comes beyond is sent later, together. Default 20 a minute. */
  readonly rateLimit?: { readonly count: number; readonly perMs: number };
  /** Tells people. What it throws is tried again, with the same `id`. */
  send(notification: AlertNotification, options: { readonly signal: AbortSignal; readonly now: number }): Promise<void>;
}
