import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeTriggerApi } from "../../src/adapters/http/index.js";
import { every, pipeline } from "../../src/index.js";
import { ADMIN, listen, type Service, service } from "../support/service.js";
import { places } from "../support/stores.js";
import { Extremes, Generator } from "./generator.js";
import { type Hostile, HostileRequests } from "./hostile.js";
import { heapInUse, SEED, scaled } from "./scale.js";

const REQUESTS = scaled(800, 50_000);
const SOCKETS = scaled(80, 5_000);
const AT_ONCE = 16;
const LARGEST_ANSWER = 2 * 1_048_576;
/** Heap that may be in use afterwards and was not before, bytes: the memory store keeps what it is given, the others nothing. */
const GROWTH = { memory: 600_000_000, others: 96_000_000 };

const documented = new Set(
  [...readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8").matchAll(/\b[A-Z]{2,}(?:_[A-Z]+)+\b/g)].map(([code]) => code),
);
const { memory, sqlite, postgres } = await places();
const uncaught: unknown[] = [];
const note = (error: unknown) => uncaught.push(error);
process.on("uncaughtExceptionMonitor", note);
process.on("unhandledRejection", note);
afterAll(() => {
  process.off("uncaughtExceptionMonitor", note);
  process.off("unhandledRejection", note);
});

describe.each([memory, sqlite, ...postgres])("hostile requests to %s", (name, place) => {
  let one: Service;
  let requests: HostileRequests;
  let authorizations: readonly string[];
  let before = 0;
  const found = { statuses: new Map<number, number>(), errors: [] as unknown[] };
  const work = () => "done";

  beforeAll(async () => {
    const parts = [
      pipeline({ id: "alpha", schedule: every("1h"), run: work }),
      pipeline({ id: "beta", run: work }),
      pipeline({ id: "control", run: work }),
    ];
    one = await service(
      parts,
      { tokenLimit: null, addressLimit: null, defaultPipeline: "alpha" },
      { store: place()(), monitoring: { every: "15s" } },
    );
    one.scheduler.on("error", ({ error }) => found.errors.push(error));
    const tokens = await Promise.all(
      (["viewer", "operator", "admin"] as const).map((role) => one.scheduler.tokens.issue({ role, pipelines: ["alpha"] })),
    );
    authorizations = [`Bearer ${ADMIN}`, `Bearer ${ADMIN}`, ...tokens.map(({ token }) => `Bearer ${token}`)];
    const generator = new Generator(SEED);
    requests = new HostileRequests(generator, new Extremes(generator, one.api.openapi()));
    before = heapInUse();
  });
  afterAll(() => one.close());

  /** Lets the scheduler work now and then, and keeps the line from being full for good. */
  async function breathe(round: number): Promise<void> {
    await one.clock.advance("1s");
    const some = (await one.scheduler.triggers({ limit: 20 })).items;
    requests.ids.splice(
      0,
      requests.ids.length,
      ...some.map(({ id }) => id),
      ...(await one.scheduler.runs({ limit: 20 })).items.map(({ id }) => id),
    );
    requests.ids.push(
      ...(await one.scheduler.alerts.silences()).slice(0, 5).map(({ id }) => id),
      ...(await one.scheduler.settings.maintenance()).slice(0, 5).map(({ id }) => id),
    );
    if (round % 4 !== 0) return;
    await one.scheduler.resume();
    for (const id of ["alpha", "beta"]) await one.scheduler.resume({ pipelineId: id });
    for (const { id } of (await one.scheduler.settings.maintenance()).slice(0, 50)) await one.scheduler.settings.removeMaintenance(id);
  }

  it(`are answered below 500 by the handler, ${REQUESTS} of them`, async () => {
    const failures: string[] = [];
    for (let done = 0, round = 0; done < REQUESTS; done += AT_ONCE, round++) {
      const some = Array.from({ length: AT_ONCE }, () => requests.next(authorizations));
      await Promise.all(
        some.map(async (request) => {
          const problem = await sendTo(one, request, found.statuses).catch((error: unknown) => `threw ${error}`);
          if (problem !== null)
            failures.push(
              `seed ${SEED}: ${request.method} ${request.path.slice(0, 300)} ${JSON.stringify(request.headers)} ${String(request.body).slice(0, 300)}: ${problem}`,
            );
        }),
      );
      if (failures.length > 10) break;
      if (round % 16 === 0) await breathe(round / 16);
    }
    expect(failures).toEqual([]);
    expect(uncaught).toEqual([]);
    for (const status of [200, 202, 400, 401, 403, 404, 422])
      expect(found.statuses.get(status) ?? 0, `answers with ${status}`).toBeGreaterThan(0);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it(`are answered below 500 through sockets, ${SOCKETS} of them, well formed or not`, async () => {
    const { url, close } = await listen(nodeTriggerApi(one.api));
    const failures: string[] = [];
    for (let done = 0, round = 0; done < SOCKETS; done += AT_ONCE, round++) {
      const some = Array.from({ length: AT_ONCE }, () => requests.raw(authorizations[0] ?? ""));
      await Promise.all(
        some.map(async (bytes) => {
          const text = await exchange(Number(new URL(url).port), bytes);
          for (const answer of text.split(/^(?=HTTP\/1\.1 \d{3})/m)) {
            const status = Number(answer.slice("HTTP/1.1 ".length, "HTTP/1.1 ".length + 3));
            const [, code = ""] = /"code":"(\w+)"/.exec(answer) ?? [];
            const isAllowed = !(status >= 500) || status === 505 || (status === 503 && (code === "" || documented.has(code)));
            if (!isAllowed) failures.push(`seed ${SEED}: ${bytes.subarray(0, 400)}: ${answer.slice(0, 400)}`);
          }
        }),
      );
      if (round % 16 === 0) await breathe(round / 16);
    }
    const { status } = await fetch(`${url}/health`);
    await close();
    expect(failures).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(status).toBe(200);
  });

  it("have not grown the heap, broken the audit log or stopped the scheduler", async () => {
    const { scheduler, clock } = one;
    for (let count = 0; count < 5; count++) await clock.advance("1m");
    const { id } = await scheduler.trigger("control", { kind: "immediate", force: true });
    await clock.settle();
    expect((await scheduler.getTrigger(id))?.status).toBe("succeeded");
    expect(await scheduler.audit.verify()).toMatchObject({ isIntact: true, problem: null });
    expect(found.errors).toEqual([]);
    expect(heapInUse() - before).toBeLessThan(name === "memory" ? GROWTH.memory : GROWTH.others);
  });
});

/** Sends a request to the handler; returns what must not have happened, or `null`. */
async function sendTo(one: Service, { method, path, headers, body }: Hostile, statuses: Map<number, number>): Promise<string | null> {
  let request: Request;
  try {
    request = new Request(`http://headgate.test${path}`, { method, headers, ...(body === null ? {} : { body }) });
  } catch {
    return null; // no standard request can be like this; sockets send it
  }
  const response = await one.api.fetch(request);
  statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  if (response.headers.get("content-type") === "text/event-stream") {
    await response.body?.cancel();
    return null;
  }
  const text = await response.text();
  if (text.length > LARGEST_ANSWER) return `an answer of ${text.length} characters`;
  if (/\.[jt]s:\d+|node_modules/.test(text)) return `a stack in ${text.slice(0, 300)}`;
  if (response.status < 500) return null;
  const code = path.split("?")[0] === "/ready" ? "" : (JSON.parse(text) as { code?: string }).code;
  return response.status === 503 && (code === "" || documented.has(code ?? "")) ? null : `${response.status} ${text.slice(0, 300)}`;
}

/** Writes bytes to a port, ends, and returns what comes back. */
async function exchange(port: number, bytes: Buffer): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.includes("text/event-stream") || text.length > 4 * LARGEST_ANSWER) socket.destroy();
  });
  socket.on("error", () => {}); // the server may end a connection that makes no sense
  socket.end(bytes);
  socket.setTimeout(10_000, () => socket.destroy());
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
}
