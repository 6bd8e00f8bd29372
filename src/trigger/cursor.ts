/** Fields of a cursor that say who may move it. Instants are epoch ms. */
export interface Claimable {
  /** Counts the changes of hands. */
  readonly token: number;
  readonly node: string | null;
  readonly leaseUntil: number | null;
}

/** Returns a cursor as a node has it: claimed, its lease extended, or taken over from a node that was silent for longer than its lease. `null` while another has it. */
export function claimCursor<C extends Claimable>(cursor: C, node: string, leaseUntil: number, now: number): C | null {
  const isOwn = cursor.node === node;
  if (!isOwn && cursor.node !== null && (cursor.leaseUntil ?? 0) > now) return null;
  return { ...cursor, token: isOwn ? cursor.token : cursor.token + 1, node, leaseUntil };
}
