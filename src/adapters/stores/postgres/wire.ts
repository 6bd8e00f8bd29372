import type { ClientBase } from "pg";
import { HeadgateError } from "../../../base/errors.js";
import { shown } from "../../../base/shown.js";

/** The part of a connection that statements are sent through. */
export type Wire = Pick<ClientBase, "query">;

const wires = new WeakMap<ClientBase, Wire>();

/**
 * Returns what statements are sent through. A connection that was opened with `pipeline: true` takes several at once; any other one takes the next when the one before has its answer, since `pg` is about to
 * refuse what it used to queue.
 */
export function wireOf(client: ClientBase): Wire {
  if ((client as { pipeline?: unknown }).pipeline === true) return client;
  const known = wires.get(client);
  if (known !== undefined) return known;
  let last: Promise<unknown> = Promise.resolve();
  const query = (config: Parameters<ClientBase["query"]>[0]) => {
    const answer = last.then(() => client.query(config));
    last = answer.catch(() => {}); // the failure is reported to the sender of the statement
    return answer;
  };
  const wire = { query } as unknown as Wire;
  wires.set(client, wire);
  return wire;
}

/**
 * Returns the connection of a transaction that is not headgate's.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for what is no client of `pg`, such as a pool, each of whose statements may take another connection
 */
export function clientOf(transaction: unknown): ClientBase {
  const { query, totalCount } = (transaction ?? {}) as { query?: unknown; totalCount?: unknown };
  const refuse = (what: string) =>
    new HeadgateError("INVALID_ARGUMENT", `transaction: must be the pg client on which your transaction is open (got ${what})`, {
      details: { option: "transaction" },
    });
  if (typeof totalCount === "number") throw refuse("a pool; check out a client with pool.connect() and run BEGIN on it");
  if (typeof query !== "function") throw refuse(shown(transaction));
  return transaction as ClientBase;
}

/**
 * Refuses a connection on which no transaction is open: what is written would be committed at once.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export async function requireTransaction(wire: Wire): Promise<void> {
  try {
    await wire.query("SAVEPOINT headgate_joined; RELEASE SAVEPOINT headgate_joined");
  } catch (error) {
    if ((error as { code?: unknown }).code !== NO_TRANSACTION) throw error;
    throw new HeadgateError("INVALID_ARGUMENT", "transaction: no transaction is open on the client; BEGIN first", {
      details: { option: "transaction" },
      cause: error,
    });
  }
}

/** `no_active_sql_transaction`. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const NO_TRANSACTION = "25P01";
