import { connect, type SqliteConnection } from "../../src/adapters/shared/sqlite-driver.js";
import { migrations } from "../../src/adapters/stores/sql/schema.js";
import { DIALECT, TYPES } from "../../src/adapters/stores/sqlite/dialect.js";
import { complaint, HISTORY, isExempt, mostRead } from "./bounds.js";
import { fill } from "./history.js";
import type { Statement } from "./statements.js";

/** The part of both drivers that the store does not need. */
type Counting = SqliteConnection & { function(name: string, run: (rowid: unknown) => number): unknown };

/**
 * Judges statements on a database with much history, of which ANALYZE knows nothing. Neither driver says how many rows a statement has visited, so the tables are hidden behind views with a condition that
 * counts: SQLite flattens such a view, and evaluates the condition for every row that the plan visits. That the plan is the same without the views is checked.
 */
export class SqliteJudge {
  readonly #db: Counting;
  /** Indexes of what waits alone: for a statement that reads all of that, one is as good as another. */
  readonly #ofWaiting: RegExp;
  #visited = 0;

  constructor(file: string, count: number) {
    this.#db = connect(file) as Counting;
    this.#db.exec("PRAGMA synchronous = OFF");
    this.#db.exec("PRAGMA journal_mode = WAL");
    for (const statement of migrations(DIALECT.name, TYPES).flat()) this.#db.exec(statement);
    const numbers = (most: number) =>
      `(WITH RECURSIVE counted(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted LIMIT ${most}) SELECT n FROM counted) AS numbers`;
    const padded = (number: string, digits: number) => `printf('%0${digits}d', ${number})`;
    this.#db.exec("BEGIN");
    for (const statement of fill(count, { name: DIALECT.name, numbers, padded })) this.#db.exec(statement);
    this.#db.exec("COMMIT");
    const waiting = this.#db.prepare("SELECT name FROM sqlite_schema WHERE sql LIKE '%WHERE status IN (''pending'', ''held'')'").all();
    this.#ofWaiting = new RegExp(`\\b(?:${waiting.map((row) => (row as { name: string }).name).join("|")})\\b`, "g");
    this.#db.function("visit", (_rowid) => {
      this.#visited++;
      return 1;
    });
  }

  /** Returns what is wrong with a statement. */
  judge(statement: Statement): string[] {
    const select = selecting(statement.text);
    if (select === null) return [];
    const plain = this.#planOf(select.text);
    const complaints: string[] = [];
    if (isExempt(statement)) return complaints;
    this.#count(() => {
      const counted = this.#planOf(select.text);
      if (this.#comparable(counted) !== this.#comparable(plain))
        complaints.push(
          complaint("SQLite", statement, [], "cannot be counted: the views change its plan", `${plain}\n-- with views:\n${counted}`),
        );
      for (const values of statement.examples) {
        this.#visited = 0;
        const returned = this.#db.prepare(select.text).all(...values.slice(select.skipped)).length;
        if (this.#visited <= mostRead(returned)) continue;
        complaints.push(complaint("SQLite", statement, values, `visits ${this.#visited} rows for ${returned}`, plain));
        break;
      }
    });
    return complaints;
  }

  close(): void {
    this.#db.close();
  }

  #count(work: () => void): void {
    for (const table of HISTORY) this.#db.exec(`CREATE TEMP VIEW "${table}" AS SELECT * FROM main."${table}" WHERE visit(rowid)`);
    try {
      work();
    } finally {
      for (const table of HISTORY) this.#db.exec(`DROP VIEW temp."${table}"`);
    }
  }

  /** A plan without the names of its tables, since a view's table has another one. */
  #comparable(plan: string): string {
    return plan.replaceAll(/\b(SCAN|SEARCH) \S+/g, "$1").replaceAll(this.#ofWaiting, "an index of what waits");
  }

  #planOf(text: string): string {
    const steps = this.#db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...Array.from(text.matchAll(/\?/g), () => null)) as {
      detail: string;
    }[];
    return steps.map(({ detail }) => detail).join("\n");
  }
}

/** The part of a statement that finds rows; `null` for one that only adds some. `skipped`: the number of its first values that belong to what it writes. */
function selecting(statement: string): { readonly text: string; readonly skipped: number } | null {
  const text = statement.replace(/ RETURNING \w+$/, "");
  if (/^(?:SELECT|WITH)\b/.test(text)) return { text, skipped: 0 };
  if (/^INSERT INTO "\w+" (?:AS \w+ )?\([^)]*\) VALUES/.test(text)) return null;
  const removal = /^DELETE FROM ("\w+")(?: WHERE (.*))?$/s.exec(text);
  if (removal !== null) return { text: `SELECT 1 FROM ${removal[1]} WHERE ${removal[2] ?? "true"}`, skipped: 0 };
  const change = /^UPDATE ("\w+") SET (.*?)(?: WHERE (.*))?$/s.exec(text);
  if (change === null) throw new Error(`this cannot be explained on SQLite: ${text}`);
  return { text: `SELECT 1 FROM ${change[1]} WHERE ${change[3] ?? "true"}`, skipped: (change[2] ?? "").split("?").length - 1 };
}
