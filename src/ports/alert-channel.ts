import type { AlertNotification } from "../monitor/notification.js";

/** The port through which alerts reach people. It may be slow, fail or hang: that holds up nothing but itself. */
export interface AlertChannel {
  /** Unique among a scheduler's channels; routes name it. */
  readonly name: string;
  /** Time one notification may take, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** Number of notifications that may be sent per period, ms; what exceeds it is sent later, together. Default 20 a minute. */
  readonly rateLimit?: { readonly count: number; readonly perMs: number };
  /** Sends a notification. If it throws, it is called again with the same `id`. */
  send(notification: AlertNotification, options: { readonly signal: AbortSignal; readonly now: number }): Promise<void>;
}
