import type { Database, Session, Step } from "../../src/adapters/stores/sql/database.js";

/** What a store has asked of its database. A statement for several rows counts as one, as it is on the way to a server. */
export interface Counts {
  statements: number;
  /** Transactions of several statements, each of which is committed. */
  transactions: number;
  /** Rows added and changed, by table. */
  readonly rows: Record<string, number>;
}

/** A database that counts what is asked of it. */
export function counted(database: Database): { readonly database: Database; readonly counts: Counts; readonly reset: () => void } {
  const counts: Counts = { statements: 0, transactions: 0, rows: {} };
  const noteRows = (table: string, count: number) => {
    if (count > 0) counts.rows[table] = (counts.rows[table] ?? 0) + count;
  };
  const noteSteps = (steps: readonly Step[]) => {
    for (const { table, records } of steps) noteRows(table.name, records.length);
  };
  const countedSession = ({ moveWaiting, ...session }: Session): Session => ({
    ...session,
    query: (...args) => {
      counts.statements++;
      return session.query(...args);
    },
    insert: (table, records, options) => {
      if (records.length > 0) counts.statements++;
      noteRows(table.name, records.length);
      return session.insert(table, records, options);
    },
    write: (steps) => {
      if (steps.some(({ records }) => records.length > 0)) counts.statements++;
      noteSteps(steps);
      return session.write(steps);
    },
    ...(moveWaiting === undefined
      ? {}
      : {
          moveWaiting: (make) => {
            counts.statements++;
            return moveWaiting(() => {
              const steps = make();
              noteSteps(steps);
              return steps;
            });
          },
        }),
  });
  const within = <T>(work: (session: Session) => Promise<T>) => {
    counts.transactions++;
    return (session: Session) => work(countedSession(session));
  };
  return {
    counts,
    reset: () => {
      counts.statements = counts.transactions = 0;
      for (const table of Object.keys(counts.rows)) delete counts.rows[table];
    },
    database: {
      ...database,
      transaction: (work) => database.transaction(within(work)),
      claiming: (work, isLosable) => database.claiming(within(work), isLosable),
      leasing: (work) => database.leasing(within(work)),
      session: countedSession(database.session),
    },
  };
}
