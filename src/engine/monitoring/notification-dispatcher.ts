import { formatDuration } from "../../base/duration.js";
import { errorOf, HeadgateError } from "../../base/errors.js";
import { withTimeout } from "../../base/with-timeout.js";
import {
  type AlertNotification,
  type Delivery,
  merged,
  notificationOf,
  unblocked,
  untried,
  withFollowing,
} from "../../monitor/notification.js";
import type { AlertChannel } from "../../ports/alert-channel.js";
import { redactError } from "../../run/redact.js";
import type { Core } from "../context/core.js";
import type { LeaderElector } from "../context/leader-elector.js";
import { isUnavailable } from "../context/store-health.js";
import type { AlertStateStore, StoredAlerts } from "./alert-state.js";
import type { MonitoringSettings } from "./monitoring-options.js";

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_RATE = { count: 20, perMs: 60_000 };
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 10 * 60_000;
/** Number of failures of a delivery after which its fallback is notified too. */
const FALLBACK_AFTER = 3;
/** Time after which an undelivered notification is dropped. */
const GIVE_UP_MS = 24 * 3_600_000;

/** Returns true if a delivery is due; one whose wait exceeds the longest was put off by a clock that was ahead. */
function isDue({ nextAt }: Delivery, now: number): boolean {
  return nextAt <= now || nextAt > now + LONGEST_WAIT_MS;
}

type NotificationDispatcherCore = Pick<Core, "clock" | "events" | "logger" | "newId" | "redact">;

/**
 * Takes what is on its way to where it goes: one at a time per channel, within its rate, again after failures, and what happened to one alert in the order in which it did. Holds up
 * nobody.
 */
export class NotificationDispatcher {
  readonly #core: NotificationDispatcherCore;
  readonly #state: AlertStateStore;
  readonly #elector: LeaderElector;
  #channels: ReadonlyMap<string, AlertChannel> = new Map();
  #baseUrl: string | null = null;
  readonly #busy = new Map<string, Promise<void>>();
  /** When the last notifications were sent, by channel. */
  readonly #sent = new Map<string, number[]>();
  /** Failures in a row, by channel. */
  readonly #failures = new Map<string, number>();
  readonly #stopping = new AbortController();

  constructor(core: NotificationDispatcherCore, state: AlertStateStore, elector: LeaderElector) {
    this.#core = core;
    this.#elector = elector;
    this.#state = state;
  }

  /** Other channels from now on, and another address that links begin with. */
  use({ channels, baseUrl }: Pick<MonitoringSettings, "channels" | "baseUrl">): void {
    this.#channels = channels;
    this.#baseUrl = baseUrl;
  }

  /** Sends what is due; gives when the next is, epoch ms, `null` for none. */
  deliver(now: number): number | null {
    let next: number | null = null;
    for (const [name, channel] of this.#channels) {
      const waiting = this.#state.kept.deliveries.filter((one) => one.channel === name);
      const ready = unblocked(waiting);
      const [first] = ready.filter((one) => isDue(one, now));
      const soonest = Math.min(...ready.map(({ nextAt }) => nextAt));
      if (waiting.length === 0 || this.#busy.has(name)) continue;
      const { free, freeAt } = this.#room(channel, now);
      const at = Math.max(soonest, free > 0 ? 0 : freeAt);
      if (first === undefined || free === 0) {
        next = Math.min(next ?? at, at);
        continue;
      }
      const fresh = untried(waiting).filter((one) => isDue(one, now));
      const isCrowded = first.attempts === 0 && fresh.length > free;
      const together: readonly [Delivery, ...Delivery[]] = isCrowded ? [first, ...fresh.slice(1)] : withFollowing(first, waiting);
      const work = this.#send(channel, together, now).finally(() => this.#busy.delete(name));
      this.#busy.set(name, work);
      this.#core.clock.track?.(work, "condition");
    }
    return next;
  }

  /** Resolves when nothing is being sent. */
  async idle(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy.values());
  }

  /** Stops sending; the next leader tries again. */
  async stop(): Promise<void> {
    this.#stopping.abort(new HeadgateError("SCHEDULER_STOPPED", "the scheduler stopped"));
    await this.idle();
  }

  /** Channels that do not answer: failures in a row. */
  failing(): ReadonlyMap<string, number> {
    return this.#failures;
  }

  #room({ name, rateLimit = DEFAULT_RATE }: AlertChannel, now: number): { free: number; freeAt: number } {
    const recent = (this.#sent.get(name) ?? []).filter((at) => now - at < rateLimit.perMs);
    this.#sent.set(name, recent);
    return { free: Math.max(0, rateLimit.count - recent.length), freeAt: (recent[0] ?? now) + rateLimit.perMs };
  }

  async #send(channel: AlertChannel, deliveries: readonly [Delivery, ...Delivery[]], now: number): Promise<void> {
    const { events, logger } = this.#core;
    const ids = new Set(deliveries.map(({ id }) => id));
    this.#sent.get(channel.name)?.push(now);
    try {
      await this.#guarded(channel, notificationOf(merged(deliveries), this.#baseUrl), now);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      await this.#failed(channel, deliveries, errorOf(error));
      return;
    }
    const failures = this.#failures.get(channel.name) ?? 0;
    if (failures > 0) events.emit("channel.recovered", () => ({ channel: channel.name, failures }));
    this.#failures.delete(channel.name);
    const isKept = await this.#change((kept) => ({ ...kept, deliveries: kept.deliveries.filter(({ id }) => !ids.has(id)) }));
    if (!isKept)
      logger.log("warn", `an alert was sent by ${channel.name}, but another node has taken over: it may be sent again`, {
        channel: channel.name,
      });
  }

  #guarded(channel: AlertChannel, notification: AlertNotification, now: number): Promise<void> {
    const { clock } = this.#core;
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = channel;
    return withTimeout(
      {
        clock,
        timeoutMs,
        error: () => new HeadgateError("CHANNEL_TIMED_OUT", `no response within ${formatDuration(timeoutMs)}`),
        signal: this.#stopping.signal,
      },
      (signal) => channel.send(notification, { signal, now }),
    );
  }

  async #failed({ name }: AlertChannel, deliveries: readonly Delivery[], problem: Error): Promise<void> {
    const { clock, events, logger, newId, redact } = this.#core;
    const error = redactError(problem, redact);
    const now = clock.now();
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    events.emit("channel.failed", () => ({ channel: name, error, failures }));
    logger.log("error", `the alert channel ${name} failed (${failures} in a row): ${error.message}`, { channel: name });
    const ids = new Set(deliveries.map(({ id }) => id));
    const givenUp: Delivery[] = [];
    await this.#change((kept) => {
      givenUp.length = 0;
      const next: Delivery[] = [];
      for (const one of kept.deliveries) {
        if (!ids.has(one.id)) {
          next.push(one);
          continue;
        }
        const attempts = one.attempts + 1;
        const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempts - 1));
        if (now - one.createdAt > GIVE_UP_MS) givenUp.push(one);
        else next.push({ ...one, attempts, nextAt: now + waitMs, error: error.message.slice(0, 300) });
        if (attempts !== FALLBACK_AFTER || one.fallback === null || one.fallback === name) continue;
        next.push({
          ...one,
          id: newId(now),
          channel: one.fallback,
          fallback: null,
          insteadOf: name,
          attempts: 0,
          nextAt: now,
          error: null,
        });
      }
      return { ...kept, deliveries: next };
    });
    for (const one of givenUp)
      events.emit("alert.undelivered", () => ({ channel: name, alerts: one.transitions.map(({ alert }) => alert), error }));
  }

  async #change(make: (kept: StoredAlerts) => StoredAlerts): Promise<boolean> {
    try {
      const isKept = await this.#state.change(make);
      if (!isKept) this.#elector.resign();
      return isKept;
    } catch (error) {
      if (!isUnavailable(error)) this.#core.events.report(error, "recording the delivery of an alert");
      return false;
    }
  }
}
