import pg from "pg";

const DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres";
const schemas: string[] = [];

/**
 * A PostgreSQL to test against: HEADGATE_TEST_DATABASE_URL, else one on 127.0.0.1:5432. Where there is none, `null` and one clear line; with CI=true that is a failure.
 */
export async function testDatabaseUrl(): Promise<string | null> {
  const url = process.env.HEADGATE_TEST_DATABASE_URL ?? DEFAULT_URL;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  try {
    await client.connect();
    await client.end();
    return url;
  } catch (error) {
    const line = `no PostgreSQL at ${new URL(url).host} (${(error as Error).message}): its tests are skipped; set HEADGATE_TEST_DATABASE_URL`;
    if (process.env.CI === "true") throw new Error(line, { cause: error });
    console.warn(line);
    return null;
  }
}

/** The name of a schema that nobody has used. */
export function freshSchema(): string {
  const schema = `headgate_test_${process.pid}_${schemas.length}_${Math.floor(Math.random() * 1e6)}`;
  schemas.push(schema);
  return schema;
}

/** Removes what the tests of this file have made. */
export async function dropSchemas(): Promise<void> {
  const url = process.env.HEADGATE_TEST_DATABASE_URL ?? DEFAULT_URL;
  if (schemas.length === 0) return;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const schema of schemas.splice(0)) await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await client.end();
}
