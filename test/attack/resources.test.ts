import { readdirSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { scaled } from "./scale.js";
import { ADMIN_TOKEN, headOf, OPERATOR, VIEWER, type Victim, victim } from "./serving.js";

const MB = 1_048_576;
const database = await testDatabaseUrl();
afterAll(dropSchemas);

const STORES: readonly (readonly [name: string, url: () => string])[] = [
  ["SQLite", () => "sqlite:./headgate.db"],
  ...(database === null ? [] : [["PostgreSQL", () => `${database}?schema=${freshSchema()}`] as const]),
];
const LARGE = JSON.stringify({ pipeline: "a", parameters: { x: "x".repeat(999_000) } });
/** The work: `b` answers with 99 kB, the most that is kept of an output. */
const OUTPUTS = `export const b = () => "o".repeat(99_000);\nexport const a = b;\n`;

/** Whether the process has lived, and has answered others all the while. */
async function unharmed(one: Victim, attack: () => Promise<void>, least = 3): Promise<void> {
  const watch = one.watch();
  let problem: unknown = null;
  try {
    await attack();
  } catch (error) {
    problem = error;
  }
  const { answers, failures } = await watch.stop();
  const { out, err } = one.served.text();
  expect(
    one.isAlive(),
    `the process has ended (${one.served.child.exitCode}, ${one.served.child.signalCode}): ${err.slice(0, 300)} ${out.slice(-600)}`,
  ).toBe(true);
  if (problem !== null) throw problem;
  expect(failures).toEqual([]);
  expect(answers).toBeGreaterThanOrEqual(least);
}

describe("a small caller cannot end or stop the service", () => {
  it("by large triggers that wait, neither now nor after the next start", async () => {
    const count = scaled(100, 600);
    let one: Victim = await victim({ heapMb: scaled(96, 256), yaml: "monitoring: { every: 1s, metrics: true }\n" });
    await unharmed(one, async () => {
      await one.ask("POST", "/api/v1/pipelines/a/pause", { token: OPERATOR, body: {} });
      for (let sent = 0; sent < count; sent += 3)
        for (const { status } of await Promise.all(
          [1, 2, 3].map(() => one.ask("POST", "/api/v1/trigger/manual", { token: OPERATOR, body: LARGE })),
        ))
          expect([202, 429, 503]).toContain(status);
      for (const path of [
        "/api/v1/triggers/pending?limit=1000",
        "/api/v1/pipelines/a/triggers?limit=1000",
        "/api/v1/pipelines/a/statistics",
        "/api/v1/pipelines/a/explain",
        "/api/v1/pipelines/a/decisions?limit=1000",
      ]) {
        const { status, text } = await one.ask("GET", path, { token: VIEWER });
        expect(status, `${path} ${text.slice(0, 200)}`).toBe(200);
        expect(text.length, path).toBeLessThan(16 * MB);
      }
      for (const path of ["/metrics", "/api/v1/statistics", "/api/v1/alerts", "/api/v1/info"])
        expect((await one.ask("GET", path)).status, path).toBe(200);
      await wait(1_500); // alerts are evaluated every second
    });
    for (const signal of (["SIGKILL", "SIGTERM"] as const).slice(0, scaled(1, 2))) {
      one = await one.restart(signal);
      const again: Victim = one;
      await unharmed(again, async () => {
        await wait(1_500);
        expect((await again.ask("GET", "/api/v1/pipelines/a/statistics", { token: VIEWER })).status).toBe(200);
        expect((await again.ask("POST", "/api/v1/trigger/manual", { body: { pipeline: "b" } })).status).toBe(202);
      });
    }
    await one.end("SIGKILL");
  });

  it.each(STORES)("by one backfill with large parameters (%s)", async (name, store) => {
    const fires = scaled(200, 9_900);
    const one = await victim({ heapMb: scaled(128, 384), store: store() });
    await one.ask("POST", "/api/v1/pipelines/a/pause", { token: OPERATOR, body: {} });
    await unharmed(one, async () => {
      const from = Date.parse("2026-01-01T00:00:00Z");
      const body = {
        from: new Date(from).toISOString(),
        to: new Date(from + (fires - 1) * 60_000).toISOString(),
        parameters: { x: "x".repeat(999_000) },
      };
      const { status, text } = await one.ask("POST", "/api/v1/pipelines/a/backfill", { token: OPERATOR, body });
      expect([202, 413, 422, 503], text.slice(0, 300)).toContain(status);
      for (const path of ["/api/v1/pipelines/a/triggers?limit=1000", "/api/v1/pipelines/a/statistics", "/api/v1/pipelines/a/explain"]) {
        const answer = await one.ask("GET", path, { token: VIEWER });
        expect([path, answer.status]).toEqual([path, 200]);
        expect(answer.text.length, path).toBeLessThan(16 * MB);
      }
    });
    if (name === "SQLite") expect(sizeOf(one.cwd), "bytes on the disk").toBeLessThan(64 * MB);
    await one.end("SIGKILL");
  });

  it("by a backfill that closes the door for other pipelines and for webhooks", async () => {
    const one = await victim({ heapMb: 256 });
    await one.ask("POST", "/api/v1/pipelines/a/pause", { token: OPERATOR, body: {} });
    await unharmed(one, async () => {
      for (let day = 1; day <= 3; day++) {
        const body = { from: `2026-01-${10 * day - 5}T00:00:00Z`, to: `2026-01-${10 * day + 1}T00:00:00Z` };
        expect([202, 422, 503]).toContain((await one.ask("POST", "/api/v1/pipelines/a/backfill", { token: OPERATOR, body })).status);
      }
      await wait(1_100); // what waits is counted once a second
      expect(await one.ask("POST", "/api/v1/trigger/manual", { body: { pipeline: "b" } })).toMatchObject({ status: 202 });
      expect(await one.ask("POST", "/api/v1/trigger/webhook", { body: { source: "anybody", pipeline: "b" } })).toMatchObject({
        status: 202,
      });
    });
    await one.end("SIGKILL");
  });
});

describe("slow and stalled connections", () => {
  it("do not end, stop or fill the service: event streams that are never read, resumed by any Last-Event-ID, lists, bodies and heads", async () => {
    const one = await victim({ heapMb: 256, work: OUTPUTS, yaml: "triggers: { api: { body_timeout: 2s } }\n" });
    const sockets: Socket[] = [];
    await unharmed(one, async () => {
      // who comes back with each Last-Event-ID of this life, and does not read
      const life = await lifeOf(one);
      await runs(one, scaled(340, 350), "a");
      for (const back of [0, 1, 500, 990, 996, 997, 998, 999, 1_000, 1_001, 1_002, 5_000]) {
        const { seq } = await newestOf(one);
        const socket = one.deaf(headOf("GET /api/v1/events", VIEWER, `last-event-id: ${life}-${Math.max(0, seq - back)}`));
        sockets.push(socket);
      }
      const idle = one.memory();
      // many readers that never read, while much happens
      for (let count = 0; count < scaled(30, 85); count++)
        sockets.push(one.deaf(headOf("GET /api/v1/events", count % 2 === 0 ? VIEWER : ADMIN_TOKEN)));
      await runs(one, scaled(100, 400), "a");
      // long lists that nobody reads
      for (let count = 0; count < scaled(10, 30); count++)
        sockets.push(one.deaf(headOf("GET /api/v1/pipelines/a/runs?limit=1000", VIEWER)));
      // bodies that never end, heads that never end
      for (let count = 0; count < scaled(50, 300); count++) {
        sockets.push(
          one.deaf(`${headOf("POST /api/v1/trigger/manual", OPERATOR, "content-type: application/json", "content-length: 100")}{"rea`),
        );
        sockets.push(
          one.deaf(`${headOf("POST /api/v1/trigger/manual", "wrong", "content-type: application/json", "content-length: 1000000")}{`),
        );
        sockets.push(one.deaf("GET /health HTTP/1.1\r\nhost: x\r\nx-slow: "));
        sockets.push(one.deaf(""));
        if (count % 25 === 0) await wait(50); // the kernel's queue of new connections is not what is attacked
      }
      await wait(scaled(2_000, 17_000)); // in the full form longer than the 15 s between two heartbeats of a stream
      expect(one.memory() - idle, "resident memory that the attack took, bytes").toBeLessThan(220 * MB);
      expect((await one.ask("GET", "/api/v1/pipelines/a/runs?limit=1000", { token: VIEWER })).text.length).toBeLessThan(16 * MB);
    });
    for (const socket of sockets) socket.destroy();
    expect(one.served.text().err).not.toContain("MaxListenersExceededWarning");
    await unharmed(
      one,
      async () => {
        await runs(one, 1, "b");
      },
      1,
    );
    expect(await one.end()).toBe(0);
  });

  it("do not keep the streams of one token from others", async () => {
    const one = await victim({ heapMb: 256 });
    const sockets = Array.from({ length: 150 }, () => one.deaf(headOf("GET /api/v1/events", VIEWER)));
    await wait(500);
    const control = new AbortController();
    const { status } = await fetch(`${one.served.url}/api/v1/events`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      signal: control.signal,
    });
    control.abort();
    for (const socket of sockets) socket.destroy();
    expect(status).toBe(200);
    await one.end("SIGKILL");
  });

  it("of strangers do not stay open: a body that is not sent after its refusal is not waited for", async () => {
    const one = await victim({ heapMb: 256, yaml: "triggers: { api: { body_timeout: 1s } }\n" });
    const slow = ["wrong", OPERATOR, VIEWER].map((token) => {
      const socket = one.deaf(
        `${headOf("POST /api/v1/trigger/manual", token, "content-type: application/json", "content-length: 1000000")}{`,
      );
      socket.resume();
      return new Promise((resolve) => socket.once("close", resolve));
    });
    const isClosed = await Promise.race([Promise.all(slow).then(() => true), wait(25_000).then(() => false)]);
    expect(isClosed).toBe(true);
    await one.end("SIGKILL");
  });
});

/** Triggers runs of a pipeline and waits until none of its triggers waits. */
async function runs(one: Victim, count: number, pipeline: string): Promise<void> {
  for (let sent = 0; sent < count; sent += 10)
    await Promise.all(
      Array.from({ length: Math.min(10, count - sent) }, () => one.ask("POST", "/api/v1/trigger/immediate", { body: { pipeline } })),
    );
  for (let look = 0; look < 600; look++) {
    const { text } = await one.ask("GET", `/api/v1/triggers/pending?pipeline=${pipeline}&limit=1`);
    if ((JSON.parse(text) as { items: unknown[] }).items.length === 0) return;
    await wait(100);
  }
  throw new Error(`triggers of ${pipeline} still wait`);
}

/** Returns the id of the newest event that the service tells an admin. */
async function newestOf(one: Victim): Promise<{ life: string; seq: number }> {
  const control = new AbortController();
  const response = await fetch(`${one.served.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "last-event-id": "another-life-7" },
    signal: control.signal,
  });
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += read.value;
    const [, life = "", seq = ""] = /^id: ([\w.]+)-(\d+)$/m.exec(text) ?? [];
    if (life === "") continue;
    control.abort();
    return { life, seq: Number(seq) };
  }
  throw new Error(`no id in ${text}`);
}

async function lifeOf(one: Victim): Promise<string> {
  return (await newestOf(one)).life;
}

function sizeOf(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.startsWith("headgate.db"))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
