import type { Client, ClientBase, ClientConfig, Pool, PoolClient } from "pg";
import { HeadgateError } from "../../../base/errors.js";

type ClientClass = new (config?: string | ClientConfig) => Client;

/**
 * The connections of a store: all of its own pools, and those that it has taken from a pool of the caller's. A connection whose server has gone without a word ends politely only when an answer comes, which may be never: here they can
 * all be ended at once.
 */
export class Connections {
  readonly #clients = new Set<ClientBase>();
  /** Those of pools of ours, known also while they idle. */
  readonly #own = new WeakSet<ClientBase>();
  readonly #waiting = new Set<(error: Error) => void>();
  #cut: Error | null = null;

  /** Returns a class of clients that are known here from when they connect until they have ended. */
  known(base: ClientClass): ClientClass {
    const [clients, own] = [this.#clients, this.#own];
    return class extends base {
      constructor(config?: string | ClientConfig) {
        super(config);
        own.add(this);
        clients.add(this);
        this.once("end", () => clients.delete(this));
      }
    };
  }

  /** Takes a connection of a pool, to be given back; none is waited for once all are ended. */
  async take(pool: Pool): Promise<PoolClient> {
    if (this.#cut !== null) throw this.#cut;
    const taken = pool.connect();
    return new Promise<PoolClient>((resolve, reject) => {
      this.#waiting.add(reject);
      taken
        .then((client) => {
          if (this.#cut !== null) return client.release(true);
          this.#clients.add(client);
          resolve(client);
        }, reject)
        .finally(() => this.#waiting.delete(reject));
    });
  }

  /** Returns a connection back. */
  give(client: PoolClient, isBroken = false): void {
    if (!this.#own.has(client)) this.#clients.delete(client);
    client.release(isBroken);
  }

  /** Ends them all, without a word to the server. Statements that wait for an answer fail. */
  destroy(): void {
    this.#cut = new HeadgateError("STORE_UNAVAILABLE", "postgresStore: it was closed before the server responded");
    for (const reject of this.#waiting) reject(this.#cut);
    for (const client of this.#clients) destroy(client);
    this.#clients.clear();
  }
}

/** As the pool of `pg` does with a connection that takes too long. */
function destroy(client: ClientBase): void {
  (client as { connection?: { stream?: { destroy(): void } } }).connection?.stream?.destroy();
}
