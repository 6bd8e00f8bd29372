/**
 * Cursors: the remembered places of sensors. The engine's `intake/sensors` claims those of its node's sensors and moves them with what was found.
 *
 * ```
 *          claim                     release
 *  free ──────────► held by a node ──────────► free
 *                     │  ▲   │
 *                     └──┘   └── leaseUntil reached: another node may claim it, with token + 1
 *                  move, claim
 * ```
 *
 * Invariants: one node at a time moves a cursor; what it found becomes triggers in the transaction that moves it, so that nothing is found twice or lost.
 */
import { int, json, type RecordOf, text } from "../../base/fields.js";
import type { NewTrigger } from "../../trigger/trigger.js";
import type { EnqueueResult } from "./queue.js";

/** Fields of a cursor, each defined once. Instants are epoch ms. */
export const CURSOR_FIELDS = {
  name: text(),
  /** JSON; `null` before it was moved for the first time. */
  value: json<unknown>().nullable(),
  /** Counts the changes of hands: the fencing token of the node that has it. */
  token: int(),
  node: text().nullable(),
  leaseUntil: int().nullable(),
  updatedAt: int(),
};

/** A sensor's remembered place, and the node that may move it. Instants are epoch ms. */
export interface CursorRecord extends RecordOf<typeof CURSOR_FIELDS> {}

/** The cursors of a store. */
export interface CursorStore {
  /**
   * Claims cursors for a node until `leaseUntil`, or extends its lease, all in one transaction, as the pure function `claimCursor` says. Returns them in the order of the names, `null` for those that another node has. A new one is
   * created with value `null`.
   */
  claimCursors(names: readonly string[], node: string, leaseUntil: number, now: number): Promise<readonly (CursorRecord | null)[]>;
  /**
   * Moves a claimed cursor and enqueues what was found, in one transaction; the claim stays. Returns `null`, with nothing done, when the token is not the current one.
   *
   * @throws HeadgateError `UNKNOWN_PIPELINE`; then the cursor stays where it was
   */
  moveCursor(
    name: string,
    token: number,
    value: unknown,
    triggers: readonly NewTrigger[],
    now: number,
  ): Promise<readonly EnqueueResult[] | null>;
  /** Frees those of the cursors that the node has. Idempotent. */
  releaseCursors(names: readonly string[], node: string): Promise<void>;
}
