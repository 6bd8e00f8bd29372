import { Redis } from "ioredis";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testDatabaseUrl } from "./postgres.js";
import { hasRedisBinary, PrivateRedis } from "./redis.js";
import services from "./services.js";

const server = await testDatabaseUrl();
const before = { ...process.env };

beforeEach(() => {
  process.env = { ...before };
});
afterEach(() => {
  process.env = before;
});

async function databases(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query("SELECT datname FROM pg_database");
  await client.end();
  return rows.map(({ datname }) => datname);
}

describe("the databases of a test run", () => {
  it("are none that this machine's programs use", () => {
    for (const name of ["DATABASE_URL", "REDIS_URL", "BULLMQ_DATABASE_URL"]) expect(before).not.toHaveProperty(name);
  });

  it.skipIf(server === null)("are created on the PostgreSQL that was named, and dropped", async () => {
    process.env.HEADGATE_TEST_DATABASE_URL = server as string;
    const remove = await services();
    const url = process.env.HEADGATE_TEST_OWN_POSTGRES as string;
    const name = new URL(url).pathname.slice(1);
    expect(name).toMatch(/^headgate_test_\d+_\w+$/);
    expect(await databases(url)).toContain(name);
    remove();
    expect(await databases(server as string)).not.toContain(name);
  });

  it("are never those of a server that was named and does not answer", async () => {
    process.env.HEADGATE_TEST_DATABASE_URL = "postgres://nobody@127.0.0.1:1/none";
    await expect(services()).rejects.toThrow(/^HEADGATE_TEST_DATABASE_URL: no database could be created on 127\.0\.0\.1:1/);
  });

  it.skipIf(!hasRedisBinary())("are a Redis only when it is empty, and it is emptied again", async () => {
    const named = await new PrivateRedis().start();
    const client = new Redis(named.url);
    try {
      process.env.HEADGATE_TEST_REDIS_URL = named.url;
      await client.set("somebody's", "key");
      await expect(services()).rejects.toThrow("HEADGATE_TEST_REDIS_URL: it has 1 keys");
      expect(await client.get("somebody's")).toBe("key");
      await client.flushdb();
      const remove = await services();
      expect(process.env.HEADGATE_TEST_OWN_REDIS).toBe(named.url);
      await client.set("of a test", "key");
      remove();
      expect(await client.dbsize()).toBe(0);
    } finally {
      client.disconnect();
      await named.remove();
    }
  });
});
