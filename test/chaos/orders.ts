import type { SettingsChange, TriggerOptions } from "../../src/index.js";

/** How one node is started. */
export interface NodeSettings {
  readonly url: string;
  readonly node: string;
  readonly log: string;
  /** The Redis of the queue that runs `queued`; `null`: there is none. */
  readonly redis: string | null;
}

/** What a node can be ordered to do. */
export type Wish =
  | { readonly order: "trigger"; readonly pipeline: string; readonly options: TriggerOptions }
  | { readonly order: "cancel"; readonly id: string }
  | { readonly order: "pause"; readonly pipeline: string; readonly reason: string }
  | { readonly order: "resume"; readonly pipeline: string }
  | { readonly order: "change"; readonly pipeline: string; readonly change: SettingsChange }
  | { readonly order: "clock"; readonly aheadMs: number }
  | { readonly order: "block"; readonly ms: number };

export type Order = Wish & { readonly n: number };

/** The answer to order `n`; of `n` 0: the node is up. */
export interface Reply {
  readonly n: number;
  readonly value: unknown;
  /** The error's code, or its text. */
  readonly error: string | null;
}
