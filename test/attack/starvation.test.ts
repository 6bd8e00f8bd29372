import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { scaled } from "./scale.js";
import { OPERATOR, VIEWER, type Victim, victim } from "./serving.js";

const MINUTE = 60_000;
const FROM = Date.parse("2026-01-01T00:00:00Z");

/** Asks for a backfill of so many quick runs, and does not wait for its answer. */
function backlog(one: Victim, count: number): Promise<{ readonly status: number }> {
  const body = { from: new Date(FROM).toISOString(), to: new Date(FROM + (count - 1) * MINUTE).toISOString() };
  const asked = one.ask("POST", "/api/v1/pipelines/a/backfill", { token: OPERATOR, body });
  asked.catch(() => {}); // the process may be ended before it answers
  return asked;
}

const waitingOf = async (one: Victim): Promise<number> =>
  (JSON.parse((await one.ask("GET", "/api/v1/pipelines/a/statistics", { token: VIEWER })).text) as { queue: { length: number } }).queue
    .length;

describe.each([
  ["SQLite", "sqlite:./headgate.db", scaled(800, 9_000)],
  ["memory", "memory:", scaled(5_000, 9_900)],
])("a backlog of functions that return at once, on %s", (name, store, count) => {
  it("does not keep the service from answering while it is worked off", async () => {
    const one = await victim({ heapMb: 512, store });
    const watch = one.watch();
    await wait(200);
    const asked = backlog(one, count);
    const seen: number[] = [];
    let answered = false;
    void asked.then(() => (answered = true));
    const onItsWay = () => new Set(seen.filter((length) => length > 0 && length < count)).size;
    while (!(answered && (seen.at(-1) === 0 || onItsWay() >= 5))) seen.push(await waitingOf(one));
    expect((await asked).status).toBe(202);
    const { failures } = await watch.stop();
    expect(failures).toEqual([]);
    // seen on its way down: somebody else was answered between two of its runs
    expect(onItsWay(), seen.join(" ").slice(0, 500)).toBeGreaterThanOrEqual(3);
    await one.end("SIGKILL");
  });

  it.skipIf(name === "memory")("does not keep the service from ending when it is told to", async () => {
    const one = await victim({ heapMb: 512, store, yaml: "resources: { drain: 1s }\n" });
    const asked = backlog(one, count);
    expect((await asked).status).toBe(202);
    const succeeded = () => one.served.text().out.split("run succeeded").length - 1;
    while (succeeded() < 20) await wait(5);
    expect(await one.end("SIGTERM")).toBe(0);
    const left = storeFromUrl(store.replace("./", `${one.cwd}/`));
    await left.open();
    const waiting = await left.listTriggers({ statuses: ["pending"], limit: 10 });
    await left.close();
    expect(waiting.length, "triggers that still wait: it ended before all was done").toBeGreaterThan(0);
  });
});
