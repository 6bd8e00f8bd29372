import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, describe, expect, it } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const FIXTURE = fileURLToPath(new URL("load.fixture.ts", import.meta.url));
const MB = 1_000_000;
const folder = mkdtempSync(join(tmpdir(), "headgate-load-"));
const database = await testDatabaseUrl();
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterAll(dropSchemas);

interface Place {
  readonly url: string;
  /** What it takes on the disk, bytes. */
  readonly size: () => Promise<number>;
}

const sqlite = (): Place => {
  const file = join(folder, `${crypto.randomUUID()}.db`);
  const sizeOf = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0;
  return { url: `sqlite://${file}`, size: async () => sizeOf(file) };
};

const postgres = (): Place => {
  const schema = freshSchema();
  return {
    url: `${database}?schema=${schema}`,
    size: async () => {
      const client = new pg.Client({ connectionString: database ?? "" });
      await client.connect();
      const { rows } = await client.query(
        "SELECT sum(pg_total_relation_size(c.oid)) AS n FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND c.relkind = 'r'",
        [schema],
      );
      await client.end();
      return Number(rows[0].n);
    },
  };
};

const memory = (): Place => ({ url: "memory:", size: async () => 0 });
const all: readonly (readonly [string, () => Place])[] = [
  ["memory", memory],
  ["SQLite", sqlite],
  ...(database === null ? [] : [["PostgreSQL", postgres] as const]),
];
const durable = all.slice(1);

/** Runs the fixture to its end and gives what it printed last; `onText` sees its output meanwhile. */
async function run(args: readonly string[], flags: readonly string[] = [], onLine?: (line: string, kill: () => void) => void) {
  const child = spawn(process.execPath, [...flags, "--import", "tsx", FIXTURE, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  let problems = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    onLine?.(chunk.toString(), () => child.kill("SIGTERM"));
  });
  child.stderr.on("data", (chunk: Buffer) => (problems += chunk.toString()));
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`the process ended with ${code ?? signal}: ${problems.slice(-2_000)}`);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "null");
}

/** Processes on a busy machine take their time; what is tested is counted, not timed. */
const LONG_MS = 240_000;

describe("one request for 10,000 fire times with 1 MB of parameters", { timeout: LONG_MS }, () => {
  it.each(all)("neither fills memory or disk nor holds up the process, on %s", async (_, place) => {
    const { url, size } = place();
    const { status, waiting, isShared, blockedMs, rss, answer } = await run(["backfill", url], ["--expose-gc"]);
    expect({ status, waiting, isShared }).toEqual({ status: 202, waiting: 2_880 + 10_000, isShared: true });
    expect(answer).toBeLessThan(3 * MB);
    expect(blockedMs).toBeLessThan(250);
    expect(rss).toBeLessThan(80 * MB); // 10 GB if each had its own; the heap's young generation alone takes tens of MB
    expect(await size()).toBeLessThan(20 * MB);
  });
});

describe("600 waiting triggers of 999 kB", { timeout: LONG_MS }, () => {
  it.each(durable)("do not end a node with a heap of 512 MB that starts into them, on %s", async (_, place) => {
    const { url } = place();
    const store = storeFromUrl(url);
    await store.open();
    await store.register([registration("a", { scheduleKey: "manual()", nextFireAt: null, maxActiveRuns: 20 })], T0);
    await store.pause([{ pipelineId: "a", pause: { at: T0, until: null, reason: null, user: null } }]);
    for (let n = 0; n < 600; n += 20) {
      const some = Array.from({ length: 20 }, (_, index) =>
        request("a", { parameters: { n: n + index, text: "x".repeat(998_900) }, size: 998_930 }),
      );
      await store.enqueue(some, T0);
    }
    await store.close();
    const answer = await run(["poison", url, "600"], ["--max-old-space-size=512"]);
    expect(answer).toEqual({ alerts: 1, length: 600, omitted: 600, done: 600 });
  });
});

describe("a backlog of quick runs", { timeout: LONG_MS }, () => {
  it.each([
    ["SQLite", sqlite, 2_000],
    ["memory", memory, 10_000],
  ] as const)("lets timers, sockets and signals in between two of them, on %s", async (_, place, count) => {
    expect(await run(["quick", place().url, String(count)])).toEqual({ done: count, starved: 0, isServed: true });
  });

  it.each(all)("heeds SIGTERM, on %s", async (_, place) => {
    const { done } = await run(["quick", place().url, "10000"], [], (line, kill) => {
      if (line.includes("working")) kill();
    });
    expect(done).toBeGreaterThanOrEqual(10);
    expect(done).toBeLessThan(10_000);
  });
});
