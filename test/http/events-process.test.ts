import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { openEvents } from "../support/event-client.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { ADMIN } from "../support/service.js";
import type { Command, Look } from "./events-node.fixture.js";

const FIXTURE = fileURLToPath(new URL("events-node.fixture.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "headgate-events-"));
const postgres = await testDatabaseUrl();
const children = new Set<ChildProcess>();
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const child of children) child.kill("SIGKILL");
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dropSchemas();
});

/** Starts a service in a process of its own. */
async function startNode(store = "memory", name = "node", clock: "fake" | "real" = "fake") {
  const child = fork(FIXTURE, [store, name, clock], { execArgv: ["--import", "tsx"], stdio: ["ignore", "inherit", "pipe", "ipc"] });
  children.add(child);
  let errors = "";
  child.stderr?.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`the process ended with ${code}: ${errors}`)));
  ended.catch(() => {}); // looked at by whoever waits
  const message = async <T>(): Promise<T> => (await Promise.race([once(child, "message"), ended]))[0];
  const { url } = await message<{ url: string }>();
  const ask = async <T>(command: Command): Promise<T> => {
    child.send(command);
    return (await message<{ answer: T }>()).answer;
  };
  return { child, url, ask, errors: () => errors };
}

/** Opens a stream whose answer nobody reads. */
async function stall(url: string, token: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  sockets.add(socket);
  socket.on("error", () => {}); // the service breaks it off
  socket.pause();
  await once(socket, "connect");
  socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  return socket;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const health = async (url: string) => (await fetch(`${url}/health`)).status;
const idIn = async (answer: Response) => ((await answer.json()) as { id: string }).id;
const seqOf = (id: string) => Number(id.slice(id.lastIndexOf("-") + 1));

it("a viewer's Last-Event-ID cannot end the process", async () => {
  const { url, ask, errors } = await startNode();
  const token = await ask<string>({ do: "token", pipelines: ["a"] });
  const admin = await openEvents(url);
  await ask({ do: "trigger", pipelineId: "a", count: 350 });
  const newest = (await admin.take(1_050)).at(-1)?.id ?? "";
  const life = newest.slice(0, newest.lastIndexOf("-"));
  for (const away of [999, 1_000, 1_001]) {
    const reader = await openEvents(url, { ...bearer(token), "last-event-id": `${life}-${seqOf(newest) - away}` });
    expect(reader.response.status).toBe(200);
    await ask({ do: "advance", by: 16_000 });
    expect((await reader.take(away)).at(-1)?.id).toBe(newest);
    reader.close();
  }
  await ask({ do: "advance", by: 31_000 });
  expect([await health(url), errors()]).toEqual([200, ""]);
  admin.close();
});

it("readers that do not read cost no memory, and cannot end the process", async () => {
  const { url, ask, errors } = await startNode();
  const before = await ask<Look>({ do: "look" });
  for (let n = 0; n < 10; n++) {
    const token = await ask<string>({ do: "token", pipelines: ["a"] });
    for (let m = 0; m < 10; m++) await stall(url, token);
  }
  while ((await ask<Look>({ do: "look" })).connections < 100);
  for (let n = 0; n < 20; n++) {
    await ask({ do: "trigger", pipelineId: "a", count: 20 });
    await ask({ do: "advance", by: 16_000 });
  }
  const after = await ask<Look>({ do: "look" });
  expect((after.rss - before.rss) / 1_048_576).toBeLessThan(200);
  expect([await health(url), errors()]).toEqual([200, ""]);
});

it("a reader that does not read is let go when it is a megabyte behind", async () => {
  const { url, ask, errors } = await startNode();
  const token = await ask<string>({ do: "token", pipelines: ["evident"] });
  await stall(url, token);
  while ((await ask<Look>({ do: "look" })).connections < 1);
  let rounds = 0;
  for (; (await ask<Look>({ do: "look" })).connections > 0 && rounds < 100; rounds++)
    await ask({ do: "trigger", pipelineId: "evident", count: 100 });
  expect(rounds).toBeLessThan(100);
  expect([await health(url), errors()]).toEqual([200, ""]);
});

describe.each([
  ["SQLite", () => `sqlite:${join(folder, "events.db")}`],
  ...(postgres === null ? [] : [["PostgreSQL", () => `${postgres}?schema=${freshSchema()}`] as const]),
] as const)("several processes on %s", (_, makeUrl) => {
  it("killing one that publishes loses nothing of others, and a reader resumes after its own was killed", async () => {
    const store = makeUrl();
    const [a, b] = [await startNode(store, "A", "real"), await startNode(store, "B", "real")];
    const reader = await openEvents(a.url);
    expect((await reader.next())?.event).toBe("reset"); // from here on, both publish
    const trigger = (url: string) =>
      fetch(`${url}/api/v1/trigger/manual`, {
        method: "POST",
        headers: { ...bearer(ADMIN), "content-type": "application/json" },
        body: '{"pipeline":"a"}',
      });
    for (let n = 0; n < 10; n++) await Promise.all([trigger(a.url), trigger(b.url)]);
    const heard = await reader.take(60);
    expect(heard.map(({ id }) => seqOf(id))).toEqual(Array.from({ length: 60 }, (_value, index) => seqOf(heard[0]?.id ?? "") + index));
    expect(new Set(heard.map(({ event, data }) => `${event} ${data.id}`)).size).toBe(60);

    const dying = trigger(b.url).catch(() => {});
    b.child.kill("SIGKILL");
    await dying;
    const own = await Promise.all(Array.from({ length: 5 }, () => trigger(a.url).then(idIn)));
    const wanted = new Set(own);
    let lastId = "";
    while (wanted.size > 0) {
      const one = await reader.next();
      expect(one).not.toBeNull();
      if (one?.event === "run.succeeded") wanted.delete(one.data.trigger_id);
      lastId = one?.id ?? "";
    }

    const c = await startNode(store, "C", "real");
    a.child.kill("SIGKILL");
    await once(a.child, "exit");
    const again = await trigger(c.url).then(idIn);
    const resumed = await openEvents(c.url, { "last-event-id": lastId });
    let one = await resumed.next();
    expect(one?.event).not.toBe("reset");
    while (one !== null && !(one.event === "run.succeeded" && one.data.trigger_id === again)) one = await resumed.next();
    expect(one).not.toBeNull();
    expect(seqOf(one?.id ?? "")).toBeGreaterThan(seqOf(lastId));
    resumed.close();
  });
});
