/** A queue on PostgreSQL, driven through its public API. */
export interface Peer {
  /** Accepts one job; `at` comes back when it runs. */
  add(at?: number): Promise<unknown>;
  addBulk(count: number): Promise<unknown>;
  /** Begins to run what waits; every job that runs tells its `at`. */
  work(onRun: (at: number | undefined) => void): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Makes one on what its schema has; the schema is made if it is not there. Nothing runs before `work`. */
export interface PeerKind {
  readonly name: string;
  /** Dropped before and after. */
  readonly schema: string;
  readonly remark: string;
  open(url: string): Promise<Peer>;
}

/**
 * The same for all: how many jobs a process may have taken and not finished, wherever a peer lets that be chosen. 500 is what graphile-worker's documentation measures with. Functions do nothing, so
 * that it does not matter how many of them run at once.
 */
export const IN_HAND = 500;
/** Connections of a process: what graphile-worker's documentation measures with. */
export const CONNECTIONS = 25;
