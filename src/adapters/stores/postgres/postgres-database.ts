import type { Pool, PoolClient } from "pg";
import { HeadgateError, quote } from "../../../base/errors.js";
import type { Database, Row, Session } from "../sql/database.js";
import { Connections } from "./connections.js";
import { change, dialectOf, endOfRunning, insertion, lockOf, moveOfWaiting } from "./dialect.js";
import { isCollision, translate } from "./errors.js";
import { migrate, newerSchemaIn } from "./migrate.js";
import { Notices } from "./notices.js";
import type { PostgresStoreOptions } from "./options.js";
import { ANSWER_MS, BEGIN, guard, newPool, plansWell, TRANSACTION_PLANNER, timed } from "./pool.js";
import { isPooledByTransaction, isRefusingOptions } from "./pooler.js";
import { clientOf, requireTransaction, type Wire, wireOf } from "./wire.js";

const POLL_MS = 5_000;
/** The same where no notices come. */
const POLL_ALONE_MS = 1_000;
const COLLISIONS = 5;

export function postgresDatabase(options: PostgresStoreOptions): Database {
  const schema = options.schema ?? "headgate";
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new HeadgateError(
      "INVALID_ARGUMENT",
      `postgresStore: schema ${quote(schema)} must be 1 to 63 lower-case letters, digits or underscores`,
    );
  }
  const dialect = dialectOf(schema);
  const isOwn = options.pool === undefined;
  const claimLock = `SELECT pg_advisory_xact_lock(${lockOf(schema, 2)})`;
  let pool: Pool | null = options.pool ?? null;
  let notices: Notices | null = null;
  /** Of leases alone: they must not wait for a connection that other work has. */
  let leases: Pool | null = null;
  /** Of notices, where the other connections cannot carry them. */
  let noticePool: Pool | null = null;
  /** A pooler hands the server's sessions out transaction by transaction: nothing is kept in them. */
  let isShared = false;
  /** Sessions plan as the store needs it; else each transaction says how. */
  let isTuned = false;
  let isOpen = false;
  let opening: Promise<void> | null = null;
  let connections = new Connections();
  let unguard = () => {};
  const opened = (): Pool => {
    if (pool === null) throw new HeadgateError("STORE_UNAVAILABLE", "postgresStore: it is not open");
    return pool;
  };
  const begin = (then = "") => `${isTuned ? BEGIN : `${BEGIN}; ${TRANSACTION_PLANNER}`}${then === "" ? "" : `; ${then}`}`;
  /** Statements are prepared once per connection, under a name of their text. */
  const names = new Map<string, string>();
  const nameOf = (sql: string) => {
    let name = names.get(sql);
    if (name === undefined && names.size < 300) {
      name = `headgate_${schema}_${names.size}`;
      names.set(sql, name);
    }
    return name;
  };
  /** A statement for which neither session nor transaction sets the planner is not prepared: its plan is for the tables as they are. */
  const ask = async (on: Pool | Wire, sql: string, values: readonly unknown[], isPrepared: boolean): Promise<readonly Row[]> => {
    const name = isPrepared && !isShared ? nameOf(sql) : undefined;
    const config = { text: sql, values: [...values], query_timeout: ANSWER_MS, ...(name === undefined ? {} : { name }) };
    return (await (on as Wire).query(config)).rows as readonly Row[];
  };
  const sessionOn = (on: () => Pool | Wire, isPrepared: () => boolean): Session => ({
    dialect,
    query: (sql, values = []) => translating(ask(on(), sql, values, isPrepared())),
    insert: async (table, records, { unlessThere = false, tell: isNews = false } = {}) => {
      const tell = isNews && notices?.hasOthers === true;
      if (records.length === 0) return new Set();
      const values: unknown[] = [];
      const key = table.columns[0]?.name;
      const conflict = unlessThere ? " ON CONFLICT DO NOTHING" : "";
      const add = `${insertion(dialect, table, records, values)}${conflict} RETURNING "${key}" AS id`;
      const sql = tell
        ? `WITH added AS (${add}), notified AS (SELECT pg_notify('headgate_${schema}', $${values.length + 1})) SELECT id FROM added, notified`
        : add;
      if (tell) values.push(notices?.self ?? "");
      const rows = await translating(ask(on(), sql, values, isPrepared()));
      return new Set(rows.map(({ id }) => String(id)));
    },
    write: async (steps) => {
      const wanted = steps.filter(({ records }) => records.length > 0);
      if (wanted.length === 0) return;
      const values: unknown[] = [];
      const parts = wanted.map(({ table, records, fields }) =>
        fields === null ? insertion(dialect, table, records, values) : change(dialect, table, records, fields, values),
      );
      const [only] = parts;
      const sql =
        parts.length === 1 && only !== undefined
          ? only
          : `WITH ${parts.map((part, index) => `w${index} AS (${part})`).join(", ")} SELECT 1`;
      await translating(ask(on(), sql, values, isPrepared()));
    },
  });

  /** Statements follow each other on the wire without waiting for answers that nobody looks at; the first failure is the one that is reported. */
  const once = async <T>(
    work: (session: Session) => Promise<T>,
    start: string,
    isLosable: (answer: T) => boolean,
    on: Pool = opened(),
  ): Promise<T> => {
    const client = await translating(connections.take(on));
    const wire = wireOf(client);
    let isBroken = false;
    const breaks = () => {
      isBroken = true; // the active statement fails too, and that error is reported
    };
    client.on("error", breaks);
    const sent: Promise<unknown>[] = [];
    const send = (answer: Promise<unknown>) => {
      answer.catch(() => {}); // looked at in the end
      sent.push(answer);
    };
    try {
      send(wire.query(timed(start)));
      const session = sessionOn(
        () => wire,
        () => true,
      );
      const answer = await work({ ...session, write: async (steps) => send(session.write(steps)) });
      send(wire.query(timed(isLosable(answer) ? "SET LOCAL synchronous_commit TO off; COMMIT" : "COMMIT"))); // of a transaction that has failed: rolls it back
      await Promise.all(sent);
      return answer;
    } catch (error) {
      const [first] = (await Promise.allSettled(sent)).filter((one) => one.status === "rejected");
      const translated = translate(first?.reason ?? error);
      if (isCollision(translated) || !isUnavailable(translated))
        await wire.query(timed("ROLLBACK")).catch(() => {
          isBroken = true;
        });
      else isBroken = true; // whether the server still listens is not known: the connection is given up, and with it the transaction
      throw translated;
    } finally {
      client.off("error", breaks);
      connections.give(client, isBroken);
    }
  };

  /** A statement that is made when there is a connection for it. */
  const onOne = async <T>(work: (client: PoolClient) => Promise<T>): Promise<T> => {
    const client = await translating(connections.take(opened()));
    try {
      const answer = await work(client);
      connections.give(client);
      return answer;
    } catch (error) {
      connections.give(client, true);
      throw translate(error);
    }
  };

  /** A transaction of one statement, which is made when there is a connection for it (`null`: nothing is to be done); returns the ids that it gives. */
  const inOneStatement = (lock: string, make: (values: unknown[]) => string | null): Promise<ReadonlySet<string>> => {
    notices?.keep();
    return retrying(async () => {
      const rows = await onOne(async (client) => {
        const values: unknown[] = [];
        const sql = make(values);
        if (sql === null) return [];
        const wire = wireOf(client);
        const sent = [wire.query(timed(begin(lock))), ask(wire, sql, values, true), wire.query(timed("COMMIT"))] as const; // all on the wire before the first answer
        return (await Promise.all(sent))[1];
      });
      return new Set(rows.map(({ id }) => String(id)));
    });
  };

  const leave = async () => {
    if (!isOwn) return unguard(); // a pool of ours is guarded until its last connection has ended
    const ending = [pool, leases, noticePool].map((one) => one?.end());
    pool = leases = noticePool = null;
    await Promise.all(ending);
  };
  /** Connects, and finds out whether a pooler stands in between. */
  const connect = async (): Promise<Pool> => {
    if (options.pool !== undefined) return options.pool;
    let made = guarded(await newPool(options, { connections }));
    let isPlain = false;
    try {
      connections.give(await connections.take(made));
    } catch (error) {
      await made.end();
      if (!isRefusingOptions(error)) throw error;
      isPlain = true;
      made = guarded(await newPool(options, { isPlain, connections }));
    }
    leases = guarded(await newPool(options, { most: 1, isPlain, connections }));
    return made;
  };
  const listen = async (on: Pool): Promise<void> => {
    const { noticeConnectionString } = options;
    if (isShared && noticeConnectionString !== undefined)
      noticePool = guarded(await newPool(options, { most: 2, connectionString: noticeConnectionString, connections }));
    if (isShared && noticePool === null) return; // a pooler passes no notices on
    const listening = new Notices(noticePool ?? on, connections, `headgate_${schema}`);
    await translating(listening.listen());
    notices = listening;
  };

  /** Does what may wait for the server; when the signal aborts, all connections are ended, and with them the waiting. */
  const cutBy = async (signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> => {
    const cut = () => connections.destroy();
    if (signal?.aborted) cut();
    signal?.addEventListener("abort", cut, { once: true });
    try {
      await work();
    } finally {
      signal?.removeEventListener("abort", cut);
    }
  };
  const openUntil = (signal: AbortSignal | undefined): Promise<void> => {
    connections = new Connections();
    return cutBy(signal, async () => {
      try {
        signal?.throwIfAborted();
        pool ??= await translating(connect());
        unguard = isOwn ? () => {} : guard(pool);
        isShared = await translating(isPooledByTransaction(pool, connections));
        isTuned = !isShared && (await onOne(plansWell));
        signal?.throwIfAborted();
        await translating(migrate(pool, connections, schema, dialect));
        signal?.throwIfAborted();
        await listen(pool);
        signal?.throwIfAborted();
        isOpen = true;
      } catch (error) {
        await notices?.close();
        notices = null;
        await leave();
        throw error;
      }
    });
  };

  return {
    name: "postgres",
    get pollMs() {
      return isShared && noticePool === null ? POLL_ALONE_MS : POLL_MS;
    },
    open: async (signal) => {
      if (isOpen) return;
      opening ??= openUntil(signal).finally(() => {
        opening = null;
      });
      await opening;
    },
    close: (signal) =>
      cutBy(signal, async () => {
        await opening?.catch(() => {}); // thrown to the caller of open
        await notices?.close();
        notices = null;
        isOpen = false;
        await leave();
      }),
    newerSchema: () => translating(onOne((client) => newerSchemaIn(client, schema, dialect))),
    transaction: (work) => {
      notices?.keep();
      return retrying(() => once(work, begin(), () => false));
    },
    leasing: (work) => retrying(() => once(work, begin(), () => false, leases ?? opened())),
    claiming: (work, isLosable) => {
      notices?.keep();
      return retrying(() => once(work, begin(claimLock), isLosable));
    },
    session: {
      ...sessionOn(opened, () => isTuned),
      query: (sql, values = []) =>
        isTuned
          ? translating(ask(opened(), sql, values, true))
          : once(
              (own) => own.query(sql, values),
              begin(),
              () => false,
            ),
      moveWaiting: (make) =>
        inOneStatement(dialect.startLock ?? "", (values) => {
          const [moved, ...others] = make();
          return moved.records.length === 0 ? null : moveOfWaiting(dialect, moved, others, values);
        }),
      endRunning: (make) =>
        inOneStatement("", (values) => {
          const ends = make();
          return ends.runs.records.length === 0 ? null : endOfRunning(dialect, ends, values);
        }),
    },
    joined: async (transaction) => {
      const wire = wireOf(clientOf(transaction));
      await translating(requireTransaction(wire));
      return sessionOn(
        () => wire,
        () => false,
      );
    },
    notify: () => notices?.send(),
    subscribe: (onChange) => notices?.subscribe(onChange) ?? (() => {}),
    serverTime: async () => {
      const [row] = await translating(ask(opened(), "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now", [], isTuned));
      return Number(row?.now);
    },
  };
}

/** Two transactions that meet are tried again. */
async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= COLLISIONS || !isCollision(error)) throw error;
    }
  }
}

async function translating<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw translate(error);
  }
}

/** A pool of ours: it is guarded until its last connection has ended. */
function guarded(pool: Pool): Pool {
  guard(pool);
  return pool;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof HeadgateError && error.code === "STORE_UNAVAILABLE";
}
