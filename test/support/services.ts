import { execFileSync } from "node:child_process";
import { Redis } from "ioredis";
import pg from "pg";
import { sqliteProblem } from "../../src/adapters/shared/sqlite-driver.js";
import { postgresBinaries, privatePostgres } from "./private-postgres.js";
import { hasRedisBinary, PrivateRedis } from "./redis.js";

/** Variables by which programs find databases that are not the tests': nothing that a test starts may see them. */
const FOREIGN = ["DATABASE_URL", "REDIS_URL", "BULLMQ_DATABASE_URL", "AIRFLOW_BASE_URL"];

/** Removes what was made; synchronous, so that it also runs when the process is interrupted. */
type Remove = () => void;

/**
 * Chooses the PostgreSQL and the Redis of a whole run, and tells the tests by HEADGATE_TEST_OWN_POSTGRES and HEADGATE_TEST_OWN_REDIS: a database that this run creates on the server of HEADGATE_TEST_DATABASE_URL, or a
 * server of its own from the binaries of this machine; the empty Redis of HEADGATE_TEST_REDIS_URL, or one of its own. No other database is ever looked for.
 */
export default async function setup(): Promise<Remove> {
  for (const name of FOREIGN) delete process.env[name];
  const problem = sqliteProblem();
  if (problem !== null) console.warn(`\nEvery test that needs SQLite is skipped, and counted: ${problem.message}\n`);
  const removes: Remove[] = [];
  const remove = () => {
    for (const one of removes.splice(0)) one();
  };
  process.once("exit", remove); // vitest calls no teardown when it is interrupted
  const made = await Promise.allSettled([postgres(), redis()]);
  for (const one of made) if (one.status === "fulfilled" && one.value !== null) removes.push(one.value);
  const failed = made.find((one) => one.status === "rejected");
  if (failed === undefined) return remove;
  remove();
  throw failed.reason;
}

async function postgres(): Promise<Remove | null> {
  delete process.env.HEADGATE_TEST_OWN_POSTGRES;
  const server = process.env.HEADGATE_TEST_DATABASE_URL;
  if (server !== undefined) return await databaseOn(server);
  const bin = postgresBinaries();
  if (bin === null) return null;
  const own = await privatePostgres(bin);
  process.env.HEADGATE_TEST_OWN_POSTGRES = own.url;
  return own.stop;
}

/** Creates a database; the one that the address names is only connected to. */
async function databaseOn(server: string): Promise<Remove> {
  const name = `headgate_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  const client = new pg.Client({ connectionString: server, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    await client.query(`CREATE DATABASE "${name}"`);
  } catch (cause) {
    const { host } = new URL(server);
    throw new Error(`HEADGATE_TEST_DATABASE_URL: no database could be created on ${host}; name a server and a role with CREATEDB`, {
      cause,
    });
  } finally {
    await client.end().catch(() => {}); // it may never have been connected
  }
  const own = new URL(server);
  own.pathname = `/${name}`;
  process.env.HEADGATE_TEST_OWN_POSTGRES = own.href;
  const code = `import pg from "pg";
    const client = new pg.Client({ connectionString: process.argv[1] });
    await client.connect();
    await client.query('DROP DATABASE IF EXISTS "${name}" WITH (FORCE)');
    await client.end();`;
  return () => run(code, server);
}

async function redis(): Promise<Remove | null> {
  delete process.env.HEADGATE_TEST_OWN_REDIS;
  const server = process.env.HEADGATE_TEST_REDIS_URL;
  if (server !== undefined) return await emptyRedis(server);
  if (!hasRedisBinary()) return null;
  const own = await new PrivateRedis().start();
  process.env.HEADGATE_TEST_OWN_REDIS = own.url;
  return () => own.removeNow();
}

/** Takes a Redis that has no keys, and leaves it without any. */
async function emptyRedis(server: string): Promise<Remove> {
  const client = new Redis(server, { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null });
  client.on("error", () => {}); // thrown by connect as well
  try {
    await client.connect();
    const keys = await client.dbsize();
    if (keys > 0) throw new Error(`it has ${keys} keys; name an empty one: it is emptied after the tests`);
  } catch (cause) {
    throw new Error(`HEADGATE_TEST_REDIS_URL: ${(cause as Error).message}`, { cause });
  } finally {
    client.disconnect();
  }
  process.env.HEADGATE_TEST_OWN_REDIS = server;
  const code = `import { Redis } from "ioredis";
    const client = new Redis(process.argv[1]);
    await client.flushdb();
    client.disconnect();`;
  return () => run(code, server);
}

function run(code: string, address: string): void {
  execFileSync(process.execPath, ["--input-type=module", "--eval", code, address], { stdio: ["ignore", "ignore", "inherit"] });
}
