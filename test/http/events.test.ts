import { afterEach, describe, expect, it } from "vitest";
import { memoryStore, pipeline } from "../../src/index.js";
import { type Heard, openEvents } from "../support/event-client.js";
import { ADMIN, type Service, sales, service } from "../support/service.js";

let running: Service;
afterEach(() => running.close());

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Positions of a stream: the id of the event so many before another one. */
function before(id: string, count: number): string {
  const cut = id.lastIndexOf("-");
  return `${id.slice(0, cut)}-${Number(id.slice(cut + 1)) - count}`;
}

async function runTimes(count: number, pipelineId = "sales"): Promise<void> {
  for (let n = 0; n < count; n++) await running.scheduler.trigger(pipelineId);
  await running.clock.settle();
}

it("tells decisions and runs as they happen, and resumes where a reader was", async () => {
  running = await service([sales(), pipeline({ id: "other", run: () => {} })]);
  const first = await openEvents(running.url);
  expect(first.response.headers.get("content-type")).toBe("text/event-stream");
  await runTimes(1);
  const heard = await first.take(3);
  expect(heard.map(({ event }) => event)).toEqual(["decision", "run.started", "run.succeeded"]);
  expect(heard[2]?.data).toMatchObject({ pipeline: "sales", status: "succeeded", omitted: ["output"] });
  expect(heard[2]?.data).not.toHaveProperty("output");
  first.close();
  await runTimes(1, "other");
  const second = await openEvents(running.url, { "last-event-id": heard[2]?.id ?? "" });
  const missed = await second.take(3);
  expect(missed.map(({ event }) => event)).toEqual(["decision", "run.started", "run.succeeded"]);
  expect(missed.map(({ data }) => data.pipeline)).toEqual(["other", "other", "other"]);
  second.close();
});

it.each(["another-life-7", "x", "-", "-5", `${"9".repeat(40)}-1`, "é-1"])("begins with a reset after the unknown id %j", async (id) => {
  running = await service();
  const stranger = await openEvents(running.url, { "last-event-id": id });
  expect((await stranger.next())?.event).toBe("reset");
  await runTimes(1);
  expect((await stranger.take(3)).map(({ event }) => event)).toEqual(["decision", "run.started", "run.succeeded"]);
  stranger.close();
});

it("tells a limited token of its own pipelines only, beats, and ends with the scheduler", async () => {
  running = await service([sales(), pipeline({ id: "other", run: () => {} })]);
  const { scheduler, clock } = running;
  const { token } = await scheduler.tokens.issue({ role: "viewer", pipelines: ["sales"] });
  const limited = await openEvents(running.url, bearer(token));
  await runTimes(1, "other");
  await clock.advance("1m");
  await runTimes(1);
  expect((await limited.next())?.data.pipeline).toBe("sales");
  const beatId = limited.lastId;
  limited.close();
  const again = await openEvents(running.url, { ...bearer(token), "last-event-id": before(beatId, 4) });
  expect((await again.next())?.data.pipeline).toBe("sales");
  await scheduler.stop({ drain: 0 });
  let last: Heard | null = { id: "", event: "", data: {} };
  while (last !== null) last = await again.next();
});

describe("Last-Event-ID", () => {
  it.each([999, 1_000, 1_005])("a reader that was away for %i events misses none, and ends nothing", async (away) => {
    running = await service([sales(), pipeline({ id: "other", run: () => {} })]);
    const { scheduler, clock } = running;
    const { token } = await scheduler.tokens.issue({ role: "viewer", pipelines: ["sales"] });
    const admin = await openEvents(running.url);
    await runTimes(350);
    const all = await admin.take(1_050);
    const newest = all.at(-1)?.id ?? "";
    const limited = await openEvents(running.url, { ...bearer(token), "last-event-id": before(newest, away) });
    expect((await limited.take(away)).map(({ id }) => id)).toEqual(all.slice(-away).map(({ id }) => id));
    await clock.advance("1m");
    await runTimes(1);
    expect((await limited.take(3)).at(-1)?.id).toBe((await admin.take(3)).at(-1)?.id);
    expect(running.heard("error")).toEqual([]);
    admin.close();
    limited.close();
  });

  it("of events that were removed is a reset", async () => {
    running = await service();
    const { clock } = running;
    const reader = await openEvents(running.url);
    await runTimes(1);
    const [first] = await reader.take(3);
    await clock.advance("65m");
    running.api.close(); // the newest events are in memory while somebody reads
    const late = await openEvents(running.url, { "last-event-id": first?.id ?? "" });
    expect((await late.next())?.event).toBe("reset");
    await runTimes(1);
    expect((await late.next())?.event).toBe("decision");
    late.close();
  });

  it("of a time after which nobody read for 10 minutes is a reset, since nothing was published", async () => {
    running = await service();
    const { clock } = running;
    const reader = await openEvents(running.url);
    await runTimes(1);
    const id = (await reader.take(3)).at(-1)?.id ?? "";
    reader.close();
    await clock.advance("9m");
    const inTime = await openEvents(running.url, { "last-event-id": id });
    await runTimes(1);
    expect((await inTime.next())?.event).toBe("decision");
    inTime.close();
    await clock.advance("11m");
    const late = await openEvents(running.url, { "last-event-id": id });
    expect((await late.next())?.event).toBe("reset");
    late.close();
  });
});

describe("a stream ends with its token", () => {
  const ended = async (reader: Awaited<ReturnType<typeof openEvents>>) => {
    for (let one = await reader.next(); one !== null; one = await reader.next());
    return true;
  };

  it("when it expires, not only at the next beat", async () => {
    running = await service();
    const { token } = await running.scheduler.tokens.issue({ role: "viewer", expiresIn: "3s" });
    const reader = await openEvents(running.url, bearer(token));
    await runTimes(1);
    await reader.take(3);
    await running.clock.advance("3s");
    expect(await ended(reader)).toBe(true);
    expect((await openEvents(running.url, bearer(token))).response.status).toBe(401);
  });

  it("when it is revoked, within 15 s; others go on", async () => {
    running = await service();
    const { token, id } = await running.scheduler.tokens.issue({ role: "viewer" });
    const other = await openEvents(running.url);
    const reader = await openEvents(running.url, bearer(token));
    expect((await running.ask("DELETE", `/api/v1/tokens/${id}`)).status).toBe(200);
    await running.clock.advance("15s");
    expect(await ended(reader)).toBe(true);
    await runTimes(1);
    expect((await other.take(3)).map(({ event }) => event)).toContain("run.succeeded");
    other.close();
  });

  it("when the overlap of its rotation is over, not sooner", async () => {
    running = await service();
    const { token, id } = await running.scheduler.tokens.issue({ role: "viewer" });
    const reader = await openEvents(running.url, bearer(token));
    await running.scheduler.tokens.rotate(id, { overlap: "1m" });
    await running.clock.advance("50s");
    await runTimes(1);
    await reader.take(3);
    await running.clock.advance("10s");
    expect(await ended(reader)).toBe(true);
  });

  it("when it is limited to other pipelines than before", async () => {
    const store = memoryStore();
    running = await service([sales(), pipeline({ id: "other", run: () => {} })], {}, { store });
    const { token, id } = await running.scheduler.tokens.issue({ role: "viewer", pipelines: ["sales", "other"] });
    const reader = await openEvents(running.url, bearer(token));
    const [kept] = await store.documents("token", [id]);
    const narrowed = JSON.parse(JSON.stringify(kept?.value).replace('"sales","other"', '"other"'));
    await store.putDocuments([{ kind: "token", id, value: narrowed, expected: null }], null, running.clock.now());
    await running.clock.advance("15s");
    expect(await ended(reader)).toBe(true);
  });

  it("costs one reading of the tokens per beat, however many read", async () => {
    running = await service([sales()], { addressLimit: null });
    const readers = [];
    for (let n = 0; n < 5; n++) {
      const { token } = await running.scheduler.tokens.issue({ role: "viewer" });
      readers.push(await openEvents(running.url, bearer(token)));
    }
    let reads = 0;
    const { holdersOf } = running.scheduler.tokens;
    running.scheduler.tokens.holdersOf = (tokens) => {
      reads++;
      return holdersOf.call(running.scheduler.tokens, tokens);
    };
    await running.clock.advance("30s");
    expect(reads).toBe(2);
    for (const reader of readers) reader.close();
  });
});

describe("the number of streams", () => {
  it("one token cannot take those of others, and gets its own back when they end", async () => {
    running = await service();
    const { token } = await running.scheduler.tokens.issue({ role: "viewer" });
    const opened = await Promise.all(Array.from({ length: 30 }, () => openEvents(running.url, bearer(token))));
    const good = opened.filter(({ response }) => response.status === 200);
    const refused = opened.filter(({ response }) => response.status === 429);
    expect([good.length, refused.length]).toEqual([10, 20]);
    expect(refused[0]?.response.headers.get("retry-after")).toBe("30");
    const admin = await openEvents(running.url);
    expect(admin.response.status).toBe(200);
    for (const one of [...opened, admin]) one.close();
    const again = async (): Promise<number> => {
      const { response, close } = await openEvents(running.url, bearer(token));
      close();
      return response.status === 429 ? again() : response.status; // until the server has seen that the others are gone
    };
    expect(await again()).toBe(200);
  });

  it("says why it refuses", async () => {
    running = await service([sales()], { addressLimit: null, tokenLimit: null });
    const readers = [];
    for (let n = 0; n < 10; n++) {
      const { token } = await running.scheduler.tokens.issue({ role: "viewer" });
      for (let m = 0; m < 10; m++) readers.push(await openEvents(running.url, bearer(token)));
    }
    expect(readers.every(({ response }) => response.status === 200)).toBe(true);
    const { status, json } = await running.ask("GET", "/api/v1/events", undefined, bearer(ADMIN));
    expect([status, json]).toMatchObject([
      503,
      { code: "TOO_MANY_STREAMS", detail: "this node has 100 event streams open, which is the limit; try again later" },
    ]);
    for (const reader of readers) reader.close();
  });
});
