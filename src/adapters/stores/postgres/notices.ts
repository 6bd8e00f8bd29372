import { randomUUID } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import type { Connections } from "./connections.js";

const HELLO = "hello ";

/**
 * News between nodes by LISTEN/NOTIFY. Notices are sent outside the transactions that they announce, never two at once: a NOTIFY inside would make all commits of the
 * database wait for each other. A node that knows of no other sends none: a listener says hello, and those that hear it reply. What is lost is found by looking.
 *
 * @see https://www.postgresql.org/docs/current/sql-notify.html
 */
export class Notices {
  readonly #pool: Pool;
  readonly #connections: Connections;
  readonly #channel: string;
  /** Identity of this node's notifications, so that it does not wake itself. */
  readonly self = randomUUID();
  readonly #listeners = new Set<() => void>();
  #client: PoolClient | null = null;
  #connecting: Promise<void> | null = null;
  #isSending = false;
  #again = false;
  #isClosed = false;
  /** True if another node has been heard of. */
  hasOthers = false;

  constructor(pool: Pool, connections: Connections, channel: string) {
    this.#pool = pool;
    this.#connections = connections;
    this.#channel = channel;
  }

  subscribe(onChange: () => void): () => void {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  }

  /** Connects again if the connection was lost; never fails. */
  keep(): void {
    if (this.#client === null && this.#connecting === null && !this.#isClosed) void this.listen().catch(() => {}); // reported by the statements that fail too
  }

  listen(): Promise<void> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<void> {
    const client = await this.#connections.take(this.#pool);
    let isLost = false;
    const lose = () => {
      isLost = true;
      if (this.#client !== client) return;
      this.#client = null;
      this.#connections.give(client, true);
    };
    client.on("error", lose);
    client.on("end", lose);
    client.on("notification", ({ payload = "" }) => {
      if (payload.endsWith(this.self)) return;
      this.hasOthers = true;
      if (payload.startsWith(HELLO)) this.send();
      for (const listener of this.#listeners) listener();
    });
    try {
      await client.query(`LISTEN "${this.#channel}"`);
      await client.query("SELECT pg_notify($1, $2)", [this.#channel, `${HELLO}${this.self}`]);
    } catch (error) {
      this.#connections.give(client, true);
      throw error;
    }
    if (isLost) return this.#connections.give(client, true); // it broke with the answer just read: the next statement connects again
    this.#client = client;
    for (const listener of this.#listeners) listener(); // for notices sent while nobody listened
  }

  send(): void {
    if (this.#isClosed || !this.hasOthers) return;
    this.#again = true;
    if (!this.#isSending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#again && !this.#isClosed) {
      this.#again = false;
      try {
        await this.#pool.query({ name: "headgate_notify", text: "SELECT pg_notify($1, $2)", values: [this.#channel, this.self] });
      } catch {
        break; // a lost notice costs the other nodes a look
      }
    }
    this.#isSending = false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connecting?.catch(() => {});
    const client = this.#client;
    this.#client = null;
    if (client !== null) this.#connections.give(client, true);
  }
}
