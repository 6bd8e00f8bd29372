import type { AlertState } from "./alert.js";
import type { Delivery } from "./notification.js";

/** An alert as 0.1.0 stored it: `notifiedAt` was called `toldAt`. */
type StoredAlert = Omit<AlertState, "notifiedAt"> & { readonly notifiedAt?: number | null; readonly toldAt?: number | null };

/** A delivery as the store has it, with its alerts as any version stored them. */
type StoredDelivery = Omit<Delivery, "transitions"> & {
  readonly transitions: readonly (Omit<Delivery["transitions"][number], "alert"> & { readonly alert: StoredAlert })[];
};

/** Returns a stored alert with the field names of this version. */
export function alertFromStored({ toldAt = null, ...alert }: StoredAlert): AlertState {
  return { ...alert, notifiedAt: alert.notifiedAt ?? toldAt };
}

/** Returns a stored delivery with the field names of this version. */
export function deliveryFromStored({ transitions, ...delivery }: StoredDelivery): Delivery {
  return { ...delivery, transitions: transitions.map(({ alert, ...one }) => ({ ...one, alert: alertFromStored(alert) })) };
}
