import type { Duration } from "../base/duration.js";

/** How a sensor looks. */
export interface Polling {
  /** How often it looks. */
  readonly every: Duration;
  /** When a wait for one event is given up. */
  readonly timeout: Duration;
}

/** What an event-driven pattern watches. */
export type SensorOptions =
  | ({ readonly kind: "file"; readonly path: string; readonly pattern: string } & Polling)
  | ({ readonly kind: "http"; readonly endpoint: string; readonly query: Readonly<Record<string, string>> } & Polling)
  | ({ readonly kind: "sql"; readonly query: string } & Polling)
  | { readonly kind: "webhook"; readonly allowedSources: readonly string[] };
