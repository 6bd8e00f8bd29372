import { afterEach, expect, it } from "vitest";
import { pipeline } from "../../src/index.js";
import { ADMIN, type Service, sales, service } from "../support/service.js";

let running: Service;
afterEach(() => running.close());

interface Heard {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads a stream of server-sent events as a browser does. */
async function open(headers: Record<string, string> = {}) {
  const control = new AbortController();
  const response = await fetch(`${running.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${ADMIN}`, ...headers },
    signal: control.signal,
  });
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return {
    response,
    close: () => control.abort(),
    /** Resolves with the next event; comments are passed over. `null` at the end. */
    next: async (): Promise<Heard | null> => {
      for (;;) {
        const end = rest.indexOf("\n\n");
        if (end !== -1) {
          const block = rest.slice(0, end);
          rest = rest.slice(end + 2);
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
          const event = field("event");
          if (event !== undefined) return { id: field("id") ?? "", event, data: JSON.parse(field("data") ?? "null") };
          continue;
        }
        const { done, value } = await reader.read();
        if (done) return null;
        rest += value;
      }
    },
  };
}

it("tells decisions and runs as they happen, and goes on where a reader was", async () => {
  running = await service([sales(), pipeline({ id: "other", run: () => {} })]);
  const { scheduler, clock } = running;
  const first = await open();
  expect(first.response.headers.get("content-type")).toBe("text/event-stream");
  await scheduler.trigger("sales");
  await clock.settle();
  const heard = [await first.next(), await first.next(), await first.next()];
  expect(heard.map((one) => one?.event)).toEqual(["decision", "run.started", "run.succeeded"]);
  expect(heard[2]?.data).toMatchObject({ pipeline: "sales", status: "succeeded", output: "done" });
  first.close();
  await scheduler.trigger("other");
  await clock.settle();
  const second = await open({ "last-event-id": heard[2]?.id ?? "" });
  expect([(await second.next())?.event, (await second.next())?.event, (await second.next())?.data.pipeline]).toEqual([
    "decision",
    "run.started",
    "other",
  ]);
  second.close();
  const stranger = await open({ "last-event-id": "another-life-7" });
  expect((await stranger.next())?.event).toBe("reset");
  stranger.close();
});

it("tells a limited token of its own pipelines only, beats, and ends with the scheduler", async () => {
  running = await service([sales(), pipeline({ id: "other", run: () => {} })]);
  const { scheduler, clock } = running;
  const { token } = await scheduler.tokens.issue({ role: "viewer", pipelines: ["sales"] });
  const limited = await open({ authorization: `Bearer ${token}` });
  await scheduler.trigger("other");
  await clock.settle();
  await clock.advance("1m");
  await scheduler.trigger("sales");
  await clock.settle();
  expect((await limited.next())?.data.pipeline).toBe("sales");
  await scheduler.stop({ drain: 0 });
  let last: Heard | null = { id: "", event: "", data: {} };
  while (last !== null) last = await limited.next();
});
