import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll } from "vitest";
import { connect, prepare } from "../../src/adapters/shared/sqlite-driver.js";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import type { RetentionOptions } from "../../src/adapters/stores/sql/sql-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import type { Store } from "../../src/index.js";
import { type AuditRecord, sealedText } from "../../src/monitor/audit.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "./postgres.js";

/** A database with an audit log in it, and somebody who can write to it past the scheduler. */
export interface AuditDatabase {
  store(retention?: RetentionOptions): Store;
  records(): Promise<AuditRecord[]>;
  mark(end: "head" | "tail"): Promise<Record<string, unknown> | null>;
  setMark(end: "head" | "tail", value: unknown): Promise<void>;
  remove(from: number, to: number): Promise<void>;
  put(records: readonly AuditRecord[]): Promise<void>;
}

type Query = (sql: string, values?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;

function over(query: Query, table: (name: string) => string, store: AuditDatabase["store"]): AuditDatabase {
  return {
    store,
    records: async () => {
      const rows = await query(`SELECT record FROM ${table("audit")} ORDER BY seq`);
      return rows.map(({ record }) => JSON.parse(String(record)) as AuditRecord);
    },
    mark: async (end) => {
      const [row] = await query(`SELECT value FROM ${table("meta")} WHERE key = 'audit_${end}'`);
      return row === undefined ? null : (JSON.parse(String(row.value)) as Record<string, unknown>);
    },
    setMark: async (end, value) => {
      await query(`DELETE FROM ${table("meta")} WHERE key = 'audit_${end}'`);
      if (value !== null) await query(`INSERT INTO ${table("meta")} (key, value) VALUES ('audit_${end}', $1)`, [JSON.stringify(value)]);
    },
    remove: async (from, to) => {
      await query(`DELETE FROM ${table("audit")} WHERE seq >= $1 AND seq <= $2`, [from, to]);
    },
    put: async (records) => {
      for (const one of records) {
        await query(`DELETE FROM ${table("audit")} WHERE seq = $1`, [one.seq]);
        const values = [one.seq, one.at, one.pipelineId, JSON.stringify(one)];
        await query(`INSERT INTO ${table("audit")} (seq, at, pipeline_id, record) VALUES ($1, $2, $3, $4)`, values);
      }
    },
  };
}

/** The databases that are here, each call a new one. */
export async function auditDatabases(): Promise<readonly (readonly [name: string, make: () => AuditDatabase])[]> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-audit-"));
  const url = await testDatabaseUrl();
  const pool = url === null ? null : new pg.Pool({ connectionString: url, max: 1 });
  afterAll(async () => {
    await pool?.end();
    rmSync(folder, { recursive: true, force: true });
    await dropSchemas();
  });
  const sqlite = (): AuditDatabase => {
    const file = join(folder, `${crypto.randomUUID()}.db`);
    const query: Query = async (sql, values = []) => {
      const hand = connect(file);
      try {
        const statement = prepare(hand, sql);
        if (sql.startsWith("SELECT")) return statement.all(...values) as Record<string, unknown>[];
        statement.run(...values);
        return [];
      } finally {
        hand.close();
      }
    };
    return over(
      query,
      (name) => name,
      (retention = {}) => sqliteStore({ file, retention }),
    );
  };
  const postgres = (): AuditDatabase => {
    const schema = freshSchema();
    const query: Query = async (sql, values = []) => (await pool?.query(sql, [...values]))?.rows ?? [];
    const store = (retention: RetentionOptions = {}) => postgresStore({ connectionString: url ?? "", schema, retention });
    return over(query, (name) => `"${schema}".${name}`, store);
  };
  return [["SQLite", sqlite], ...(pool === null ? [] : [["PostgreSQL", postgres] as const])];
}

/** Seals records again as somebody would who knows the code and not the key: from the first of them on, with plain hashes. */
export function resealed(records: readonly AuditRecord[], previous: string): AuditRecord[] {
  let last = previous;
  return records.map(({ hash: _, ...one }, index) => {
    const record = { ...one, previous: last, keyId: null, seq: (records[0]?.seq ?? 1) + index };
    last = createHash("sha256").update(sealedText(record)).digest("hex");
    return { ...record, hash: last };
  });
}
