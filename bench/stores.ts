import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "headgate";
import { storeFromUrl } from "headgate/stores";
import pg from "pg";
import { connect } from "../src/adapters/shared/sqlite-driver.js";
import type { BenchOptions } from "./model.js";

type Row = Readonly<Record<string, unknown>>;

/** Sends statements to a store's database, past the store, and not waiting for the disk. */
export interface Hand {
  readonly dialect: "sqlite" | "postgres";
  /** A table's full name, quoted. */
  name(table: string): string;
  query(sql: string): Promise<readonly Row[]>;
  close(): Promise<void>;
}

/** A kind of store, to make empty ones of. */
export interface StoreKind {
  readonly name: "memory" | "SQLite" | "PostgreSQL";
  make(): Place;
}

/** Where the data of one store is: whatever is opened here has the same. */
export interface Place {
  readonly url: string;
  /** A database keeps everything, the memory store what it keeps by default, unless they are told otherwise. */
  open(retention?: { readonly count: number }): Store;
  hand(): Promise<Hand>;
  remove(): Promise<void>;
}

const MEMORY = "memory:";
const KEEP = { count: 100_000_000 };

/** The kinds of stores that are there. */
export function storeKinds({ folder, postgres }: BenchOptions): readonly StoreKind[] {
  const place = (url: string, hand: () => Promise<Hand>, remove: () => Promise<void>): Place => ({
    url,
    open: (retention) => storeFromUrl(url, retention === undefined && url === MEMORY ? {} : { retention: retention ?? KEEP }),
    hand,
    remove,
  });
  const noHand = () => Promise.reject(new Error("the memory store has no database"));
  const sqlite = () => {
    const file = join(folder, `${crypto.randomUUID()}.db`);
    const removeFiles = async () => ["", "-wal", "-shm"].forEach((end) => void rmSync(`${file}${end}`, { force: true }));
    return place(`sqlite://${file}`, async () => sqliteHand(file), removeFiles);
  };
  const onPostgres = (connectionString: string) => {
    const schema = `headgate_${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;
    const hand = () => postgresHand(connectionString, schema);
    const remove = async () => {
      const client = await hand();
      await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      await client.close();
    };
    return place(`${connectionString}?schema=${schema}`, hand, remove);
  };
  return [
    { name: "memory", make: () => place(MEMORY, noHand, async () => {}) },
    { name: "SQLite", make: sqlite },
    ...(postgres === null ? [] : [{ name: "PostgreSQL" as const, make: () => onPostgres(postgres) }]),
  ];
}

/** Those that keep their data in a database. */
export function databaseKinds(options: BenchOptions): readonly StoreKind[] {
  return storeKinds(options).filter(({ name }) => name !== "memory");
}

function sqliteHand(file: string): Hand {
  const connection = connect(file);
  connection.exec("PRAGMA synchronous = OFF");
  return {
    dialect: "sqlite",
    name: (table) => `"${table}"`,
    query: async (sql) => {
      if (/^SELECT/i.test(sql)) return connection.prepare(sql).all() as Row[];
      connection.exec(sql);
      return [];
    },
    close: async () => void connection.close(),
  };
}

async function postgresHand(connectionString: string, schema: string): Promise<Hand> {
  const client = new pg.Client({ connectionString, options: "-c synchronous_commit=off" });
  await client.connect();
  return {
    dialect: "postgres",
    name: (table) => `"${schema}"."${table}"`,
    query: async (sql) => (await client.query(sql)).rows as Row[],
    close: () => client.end(),
  };
}
