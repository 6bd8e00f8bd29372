import type { AlertState } from "../../monitor/alert.js";
import type { Delivery } from "../../monitor/notification.js";
import { alertFromStored, deliveryFromStored } from "../../monitor/stored-alerts.js";
import type { Core } from "../context/core.js";

const KEY = "alerts";
/** The lease by which one node evaluates rules and delivers alerts. */
const LEADERSHIP = "headgate: alerts";
const DELIVERIES_KEPT = 1_000;

/** Stored alerts: those that are pending or firing, and undelivered notifications. */
export interface StoredAlerts {
  readonly alerts: readonly AlertState[];
  readonly deliveries: readonly Delivery[];
}

const NOTHING: StoredAlerts = { alerts: [], deliveries: [] };

type AlertStateStoreCore = Pick<Core, "clock" | "node" | "settings" | "store">;

/** Alerts as the store keeps them: written by the one node that leads, refused from one that no longer does, read by all. */
export class AlertStateStore {
  readonly #core: AlertStateStoreCore;
  #kept: StoredAlerts = NOTHING;
  #version = 0;
  #leadsUntil = 0;
  #claimAt = 0;
  #line: Promise<unknown> = Promise.resolve();

  constructor(core: AlertStateStoreCore) {
    this.#core = core;
  }

  get kept(): StoredAlerts {
    return this.#kept;
  }

  /** Returns true if this node is the one; asks for the lease, or extends it, when it is time. */
  async leads(now: number): Promise<boolean> {
    const { store, node, settings } = this.#core;
    const isClockBack = this.#claimAt - now > settings.leaseMs;
    if (now >= this.#claimAt || now >= this.#leadsUntil || isClockBack) {
      this.#claimAt = now + Math.ceil(settings.leaseMs / 3);
      const until = now + settings.leaseMs;
      const [claimed] = await store.claimCursors([LEADERSHIP], node, until, now);
      const isNew = this.#leadsUntil === 0;
      this.#leadsUntil = claimed === null || claimed === undefined ? 0 : until;
      if (isNew && this.#leadsUntil > 0) await this.read();
    }
    return this.#leadsUntil > now;
  }

  /** Takes messages and numbers that have moved: they are not worth writing down. */
  refresh(alerts: readonly AlertState[]): void {
    this.#kept = { ...this.#kept, alerts };
  }

  /** Reads what is stored, by any node. */
  async read(): Promise<StoredAlerts> {
    const record = await this.#core.store.config(KEY);
    if (record !== null && record.version === this.#version) return this.#kept;
    const stored = (record?.value as StoredAlerts | undefined) ?? NOTHING;
    this.#kept = { alerts: stored.alerts.map(alertFromStored), deliveries: stored.deliveries.map(deliveryFromStored) };
    this.#version = record?.version ?? 0;
    return this.#kept;
  }

  /** Changes what is kept, one change after the other. Gives false, and forgets that it leads, when another node has written meanwhile. */
  change(make: (kept: StoredAlerts) => StoredAlerts): Promise<boolean> {
    const result = this.#line.then(() => this.#change(make));
    this.#line = result.catch(() => {}); // reported to the caller
    return result;
  }

  async #change(make: (kept: StoredAlerts) => StoredAlerts): Promise<boolean> {
    const { store, node, clock } = this.#core;
    const made = make(this.#kept);
    if (made === this.#kept) return true;
    const next = { ...made, deliveries: made.deliveries.slice(-DELIVERIES_KEPT) };
    const written = await store.putConfig(KEY, next, this.#version, node, clock.now());
    if (written === null) {
      this.#leadsUntil = 0;
      return false;
    }
    this.#kept = next;
    this.#version = written.version;
    return true;
  }

  /** Releases the lease, so that another node can lead at once. */
  async release(): Promise<void> {
    if (this.#leadsUntil === 0) return;
    this.#leadsUntil = 0;
    await this.#core.store.releaseCursors([LEADERSHIP], this.#core.node);
  }
}
