import type { AlertState } from "../../monitor/alert.js";
import type { Delivery } from "../../monitor/notification.js";
import { alertFromStored, deliveryFromStored } from "../../monitor/stored-alerts.js";
import type { Core } from "../context/core.js";
import { DocumentCollection } from "../context/document-collection.js";

const ALERT = "alert";
const DELIVERY = "delivery";
const DELIVERIES_KEPT = 1_000;

/** Alerts that are pending or firing, and notifications that have not arrived. */
export interface StoredAlerts {
  readonly alerts: readonly AlertState[];
  /** In the order in which they were made. */
  readonly deliveries: readonly Delivery[];
}

const NOTHING: StoredAlerts = { alerts: [], deliveries: [] };

type AlertStateStoreCore = Pick<Core, "clock" | "node" | "store">;

/** Alerts and deliveries as the store keeps them, one row each: written by the node that leads, refused from one that no longer does, read by all. */
export class AlertStateStore {
  readonly #core: AlertStateStoreCore;
  readonly #documents: DocumentCollection;
  #kept: StoredAlerts = NOTHING;
  #version: number | null = null;
  #line: Promise<unknown> = Promise.resolve();

  constructor(core: AlertStateStoreCore) {
    this.#core = core;
    this.#documents = new DocumentCollection(core, "alerts", [ALERT, DELIVERY]);
  }

  get kept(): StoredAlerts {
    return this.#kept;
  }

  /** Takes messages and numbers that have moved: they are not worth writing down. */
  refresh(alerts: readonly AlertState[]): void {
    this.#kept = { ...this.#kept, alerts };
  }

  /** Reads what is kept, whichever node wrote it. */
  async read(): Promise<StoredAlerts> {
    await this.#documents.refresh();
    if (this.#documents.version === this.#version) return this.#kept;
    const deliveries = this.#values<Delivery>(DELIVERY).map(deliveryFromStored);
    this.#kept = {
      alerts: this.#values<AlertState>(ALERT).map(alertFromStored),
      deliveries: deliveries.toSorted((one, other) => one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1)),
    };
    this.#version = this.#documents.version;
    return this.#kept;
  }

  /** Changes what is kept, one change after the other. Returns false, with nothing written, when another node has written since. */
  change(make: (kept: StoredAlerts) => StoredAlerts): Promise<boolean> {
    const result = this.#line.then(() => this.#change(make));
    this.#line = result.catch(() => {}); // thrown to the caller
    return result;
  }

  async #change(make: (kept: StoredAlerts) => StoredAlerts): Promise<boolean> {
    const made = make(this.#kept);
    if (made === this.#kept) return true;
    const next = { ...made, deliveries: made.deliveries.slice(-DELIVERIES_KEPT) };
    const writes = [
      ...this.#changed(ALERT, next.alerts, shapeOf),
      ...this.#changed(DELIVERY, next.deliveries, (one: Delivery) => JSON.stringify(one)),
    ];
    if (!(await this.#documents.write({ writes, user: this.#core.node }))) return false;
    this.#kept = next;
    this.#version = this.#documents.version;
    return true;
  }

  #values<T>(kind: string): readonly T[] {
    return [...this.#documents.of(kind).values()].map(({ value }) => value as T);
  }

  /** Returns the writes for what is new, changed or gone. */
  #changed<T extends { readonly id: string }>(kind: string, next: readonly T[], form: (one: T) => string) {
    const stored = this.#documents.of(kind);
    const ids = new Set(next.map(({ id }) => id));
    const isNew = (one: T) => {
      const known = stored.get(one.id);
      return known === undefined || form(known.value as T) !== form(one);
    };
    const gone = [...stored.keys()].filter((id) => !ids.has(id));
    return [...next.filter(isNew).map((value) => ({ kind, id: value.id, value })), ...gone.map((id) => ({ kind, id, value: null }))];
  }
}

/** Returns the part of an alert that is worth storing: a change in numbers alone is not. */
export function shapeOf({ id, status, notifiedAt, silencedBy, since }: AlertState): string {
  return JSON.stringify([id, status, notifiedAt, silencedBy, since]);
}
