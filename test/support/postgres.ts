import pg from "pg";

const schemas: string[] = [];

/** The database of this run, see `services.ts`. Where there is none, `null` and one clear line; with CI=true that is a failure. */
export async function testDatabaseUrl(): Promise<string | null> {
  const url = process.env.HEADGATE_TEST_OWN_POSTGRES;
  if (url !== undefined) return url;
  const line = "no PostgreSQL: its tests are skipped; install its server (initdb), or set HEADGATE_TEST_DATABASE_URL";
  if (process.env.CI === "true") throw new Error(line);
  console.warn(line);
  return null;
}

/** The name of a schema that nobody has used. */
export function freshSchema(): string {
  const schema = `headgate_test_${process.pid}_${schemas.length}_${Math.floor(Math.random() * 1e6)}`;
  schemas.push(schema);
  return schema;
}

/** Removes what the tests of this file have made. */
export async function dropSchemas(): Promise<void> {
  const url = process.env.HEADGATE_TEST_OWN_POSTGRES;
  if (url === undefined || schemas.length === 0) return;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (const schema of schemas.splice(0)) await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await client.end();
}
