import pg from "pg";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";

/** A statement as it reached the driver, with some of the values that it was sent with. */
export interface Statement {
  readonly text: string;
  readonly examples: (readonly unknown[])[];
}

/** More are kept of what is listed: which rows a filter meets depends on its values. */
const EXAMPLES = 12;

/** The distinct statements that were sent to a database. */
export class Statements {
  readonly #byText = new Map<string, Statement>();
  readonly #sent = new Map<string, number>();

  add(text: string, values: readonly unknown[]): void {
    this.#sent.set(text, (this.#sent.get(text) ?? 0) + 1);
    const known = this.#byText.get(text);
    if (known === undefined) this.#byText.set(text, { text, examples: [values] });
    else if (known.examples.length < EXAMPLES && !known.examples.some((one) => JSON.stringify(one) === JSON.stringify(values)))
      known.examples.push(values);
  }

  get all(): readonly Statement[] {
    return [...this.#byText.values()];
  }

  /** How many were sent, of all or of those that match. */
  sent(pattern = /^/): number {
    return [...this.#sent].reduce((sum, [text, count]) => sum + (pattern.test(text) ? count : 0), 0);
  }
}

interface Preparing {
  prepare(sql: string): object;
}

/** Collects what is sent to SQLite while work runs: every store of this process prepares its statements with the same method. */
export async function collectSqlite(work: () => Promise<void>): Promise<Statements> {
  const found = new Statements();
  const connection = connect(":memory:");
  const prototype = Object.getPrototypeOf(connection) as Preparing;
  connection.close();
  const { prepare } = prototype;
  prototype.prepare = function (this: Preparing, sql: string) {
    return new Proxy(prepare.call(this, sql), {
      get: (statement, name) => {
        const member: unknown = Reflect.get(statement, name, statement);
        if (typeof member !== "function") return member;
        return (...values: readonly unknown[]) => {
          if (name === "all" || name === "run") found.add(sql, values);
          return member.apply(statement, values) as unknown;
        };
      },
    });
  };
  try {
    await work();
  } finally {
    prototype.prepare = prepare;
  }
  return found;
}

type Query = (this: pg.Client, config: unknown, values?: unknown, ...rest: readonly unknown[]) => unknown;

/** Collects what is sent to PostgreSQL while work runs. */
export async function collectPostgres(work: () => Promise<void>): Promise<Statements> {
  const found = new Statements();
  const prototype = pg.Client.prototype as unknown as { query: Query };
  const { query } = prototype;
  prototype.query = function (config, values, ...rest) {
    const { text, values: bound } = (typeof config === "string" ? { text: config } : config) as { text: string; values?: unknown[] };
    found.add(text, bound ?? (Array.isArray(values) ? values : []));
    return query.call(this, config, values, ...rest);
  };
  try {
    await work();
  } finally {
    prototype.query = query;
  }
  return found;
}
