import pg from "pg";
import { dialectOf, TYPES } from "../../src/adapters/stores/postgres/dialect.js";
import { migrations } from "../../src/adapters/stores/sql/schema.js";
import { complaint, HISTORY, isExempt, mostRead } from "./bounds.js";
import { fill } from "./history.js";
import type { Statement } from "./statements.js";

/** Ways to plan a statement. */
export interface Planning {
  readonly name: string;
  /** Statements that set what the store's own sessions have set. */
  readonly settings: readonly string[];
  /** `generic`: one plan for all values, as for a statement that was prepared and sent often. */
  readonly plan: "generic" | "custom";
}

interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Rows Removed by Index Recheck"?: number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Operation?: string;
  readonly Plans?: readonly Node[];
}

/** Judges statements on a schema with much history, by what their plans have read. */
export class PostgresJudge {
  readonly #connectionString: string;
  readonly #schema: string;
  readonly #client: pg.Client;
  /** The schema that the statements to judge were collected from. */
  readonly #collected: string;

  private constructor(connectionString: string, schema: string, client: pg.Client, collected: string) {
    this.#connectionString = connectionString;
    this.#schema = schema;
    this.#client = client;
    this.#collected = collected;
  }

  /** Makes an empty schema, of which no statistics are gathered but those that are asked for. */
  static async create(connectionString: string, schema: string, collected: string): Promise<PostgresJudge> {
    const client = new pg.Client({ connectionString, options: "-c synchronous_commit=off" });
    await client.connect();
    await client.query(`CREATE SCHEMA "${schema}"`);
    await client.query(
      [`CREATE TABLE "${schema}".migrations (version int)`, ...migrations(dialectOf(schema).name, TYPES).flat()].join(";\n"),
    );
    const { rows } = await client.query("SELECT tablename FROM pg_tables WHERE schemaname = $1", [schema]);
    for (const { tablename } of rows) await client.query(`ALTER TABLE "${schema}"."${tablename}" SET (autovacuum_enabled = false)`);
    return new PostgresJudge(connectionString, schema, client, collected);
  }

  async fill(count: number): Promise<void> {
    const numbers = (most: number) => `generate_series(0, ${most - 1}) AS numbers(n)`;
    const padded = (number: string, digits: number) => `lpad((${number})::text, ${digits}, '0')`;
    const { name } = dialectOf(this.#schema);
    for (const statement of fill(count, { name, numbers, padded })) await this.#client.query(statement);
  }

  async analyze(): Promise<void> {
    const { rows } = await this.#client.query("SELECT tablename FROM pg_tables WHERE schemaname = $1", [this.#schema]);
    for (const { tablename } of rows) await this.#client.query(`ANALYZE "${this.#schema}"."${tablename}"`);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  /** A session that plans in a way, and keeps the plans that it has made. */
  async session(planning: Planning): Promise<PlanningSession> {
    const client = new pg.Client({ connectionString: this.#connectionString });
    await client.connect();
    await client.query(`SET plan_cache_mode TO force_${planning.plan}_plan; SET statement_timeout TO '120s'`);
    for (const setting of planning.settings) await client.query(setting);
    return new PlanningSession(client, (text) => text.replaceAll(this.#collected, this.#schema), planning);
  }
}

export class PlanningSession {
  readonly #client: pg.Client;
  readonly #placed: (text: string) => string;
  readonly #planning: Planning;
  readonly #names = new Map<string, string>();

  constructor(client: pg.Client, placed: (text: string) => string, planning: Planning) {
    this.#client = client;
    this.#placed = placed;
    this.#planning = planning;
  }

  /** Makes and keeps the plan of a statement for the tables as they are. */
  async prepare({ text, examples }: Statement): Promise<void> {
    await this.#client.query(`EXPLAIN ${await this.#execute(text, examples[0] ?? [])}`);
  }

  /** Returns what is wrong with a statement. Whatever it changes is rolled back. */
  async judge(statement: Statement): Promise<string[]> {
    if (isExempt(statement)) return [];
    for (const values of statement.examples) {
      const execute = await this.#execute(statement.text, values);
      await this.#client.query("BEGIN");
      const { rows } = await this.#client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${execute}`);
      await this.#client.query("ROLLBACK");
      const plan = (rows[0] as { "QUERY PLAN": readonly [{ Plan: Node }] })["QUERY PLAN"][0].Plan;
      const problem = problemOf(plan);
      if (problem !== null) return [complaint(`PostgreSQL, ${this.#planning.name}`, statement, values, problem, outline(plan))];
    }
    return [];
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  async #execute(text: string, values: readonly unknown[]): Promise<string> {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `judged_${this.#names.size}`;
      this.#names.set(text, name);
      await this.#client.query(`PREPARE ${name} AS ${this.#placed(text)}`);
    }
    return values.length === 0 ? `EXECUTE ${name}` : `EXECUTE ${name}(${values.map(literal).join(", ")})`;
  }
}

function problemOf(plan: Node): string | null {
  const nodes = [...all(plan)];
  const scans = nodes.filter(
    (node) => (HISTORY as readonly string[]).includes(node["Relation Name"] ?? "") && node.Operation === undefined,
  );
  const read = scans.reduce((sum, node) => sum + rowsOf(node), 0);
  const changed = nodes.filter(({ Operation }) => Operation !== undefined).flatMap(({ Plans = [] }) => Plans);
  const returned = Math.max(plan["Actual Rows"], ...changed.map((node) => node["Actual Rows"] * node["Actual Loops"]));
  if (read > mostRead(returned)) return `reads ${read} rows for ${returned}`;
  const pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
  if (pages > mostRead(returned)) return `reads ${pages} pages for ${returned} rows`;
  return null;
}

function rowsOf(node: Node): number {
  return (
    (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0)) * node["Actual Loops"]
  );
}

function* all(node: Node): Generator<Node> {
  yield node;
  for (const one of node.Plans ?? []) yield* all(one);
}

function outline(node: Node, depth = 0): string {
  const { "Node Type": type, "Relation Name": table = "", "Index Name": index = "" } = node;
  const line = `${"  ".repeat(depth)}${type} ${table} ${index} rows ${rowsOf(node)}`;
  return [line, ...(node.Plans ?? []).map((one) => outline(one, depth + 1))].join("\n");
}

/** A value as a literal of no type, as the driver sends it. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return pg.escapeLiteral(Array.isArray(value) ? arrayText(value) : String(value));
}

function arrayText(values: readonly unknown[]): string {
  return `{${values.map((one) => (one === null || one === undefined ? "NULL" : `"${String(one).replaceAll(/[\\"]/g, "\\$&")}"`)).join(",")}}`;
}
