import type { Pool, PoolClient } from "pg";
import { HeadgateError } from "../../../base/errors.js";
import type { Dialect, Row } from "../sql/database.js";
import { migrations } from "../sql/schema.js";
import { lockOf, TYPES } from "./dialect.js";

/** Forward only, one node at a time, however many start at once. */
export async function migrate(pool: Pool, schema: string, dialect: Dialect): Promise<void> {
  const client: PoolClient = await pool.connect();
  const breaks = () => {}; // the statement under way fails too, and that error is told
  client.on("error", breaks);
  const steps = migrations(dialect.name, TYPES);
  try {
    await client.query(`SELECT pg_advisory_lock(${lockOf(schema, 1)})`);
    try {
      // CREATE SCHEMA IF NOT EXISTS wants the right to create even where the schema is there, which a role that owns nothing but its schema has not
      const { rowCount } = await client.query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", [schema]);
      if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${dialect.name("migrations")} (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
      );
      const { rows } = await client.query(`SELECT coalesce(max(version), 0)::int AS version FROM ${dialect.name("migrations")}`);
      const version = Number((rows[0] as Row).version);
      if (version > steps.length) {
        throw new HeadgateError(
          "STORE_INCOMPATIBLE",
          `schema ${schema} has version ${version}, this headgate knows ${steps.length}; upgrade headgate`,
          {
            details: { version, known: steps.length },
          },
        );
      }
      for (const [index, statements] of steps.entries()) {
        if (index < version) continue;
        await client.query(
          ["BEGIN", ...statements, `INSERT INTO ${dialect.name("migrations")} (version) VALUES (${index + 1})`, "COMMIT"].join(";\n"),
        );
      }
    } finally {
      await client.query(`ROLLBACK; SELECT pg_advisory_unlock(${lockOf(schema, 1)})`).catch(() => {}); // a broken connection has lost its locks
    }
  } finally {
    client.off("error", breaks);
    client.release();
  }
}
