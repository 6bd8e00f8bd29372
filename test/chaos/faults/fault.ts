import type { Environment, Kind } from "../environment.js";

export type Family = "process" | "network" | "postgres" | "sqlite" | "clock" | "redis";

/** Where a fault strikes, for how long, and how hard. */
export interface Hit {
  /** Of the fleet; empty for a server that all share. */
  readonly slots: readonly number[];
  readonly holdMs: number;
  /** One of the fault's `sizes`; 0 for a fault that has none. */
  readonly size: number;
}

/** A way in which something breaks. */
export interface Fault {
  readonly name: string;
  readonly family: Family;
  readonly on: readonly Kind[];
  /** How often it is chosen. */
  readonly weight: number;
  /** How long it holds, ms: from, to. */
  readonly holdMs: readonly [number, number];
  /** Whom it strikes: one node, all of them, either, or no node at all (workers, Redis). */
  readonly aim: "one" | "all" | "any" | "none";
  readonly sizes?: readonly number[];
  /** How long after its end a node that it struck may still feel it, ms. */
  readonly aftermathMs: number;
  /** Why it cannot happen here; absent: it always can. */
  unavailable?(environment: Environment): string | null;
  /** Asked once it has been injected: whether nobody is spared, whomever it was aimed at. */
  strikesAll?(environment: Environment, hit: Hit): boolean;
  /** Breaks it, and gives what ends the fault. */
  inject(environment: Environment, hit: Hit): Promise<() => Promise<void>>;
}

export const ANYWHERE: readonly Kind[] = ["postgres", "sqlite", "queue"];
export const ON_POSTGRES: readonly Kind[] = ["postgres", "queue"];
