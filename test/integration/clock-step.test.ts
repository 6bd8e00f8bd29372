import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import type { Store } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const FIXTURE = fileURLToPath(new URL("stepping-node.fixture.ts", import.meta.url));
const BOUND = { timeout: 15_000, interval: 50 };
const children: ChildProcess[] = [];
const url = await testDatabaseUrl();

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(dropSchemas);

async function startNode(place: string, name: string): Promise<{ child: ChildProcess; told: unknown[] }> {
  const child = fork(FIXTURE, [place, name], { execArgv: ["--import", "tsx"] });
  children.push(child);
  const told: unknown[] = [];
  child.on("message", (message) => told.push(message));
  await vi.waitFor(() => expect(told).toContain("ready"), { ...BOUND, timeout: 30_000 });
  return { child, told };
}

const fireTimes = async (store: Store): Promise<number[]> =>
  (await store.listTriggers({ pipelineId: "tick", limit: 1_000 })).map(({ scheduledFor }) => scheduledFor as number);

describe.runIf(url !== null)("two processes on PostgreSQL, one with a clock that steps", () => {
  it("fire every second once and on time, and lose no run", async () => {
    const place = `${url}?schema=${freshSchema()}`;
    const store = storeFromUrl(place);
    const { told } = await startNode(place, "right");
    const stepping = await startNode(place, "stepping");
    await store.open();
    const several = async (count: number) => {
      const before = Math.max(...(await fireTimes(store)));
      await vi.waitFor(async () => expect(Math.max(...(await fireTimes(store)))).toBeGreaterThanOrEqual(before + count * 1_000), BOUND);
    };
    await several(1);
    const long = { id: "long-run", pipelineId: "long", kind: "manual", priority: "normal", scheduledFor: null, key: null } as const;
    const rest = { reason: null, user: null, requestedBy: null, parameters: null, size: 0, notBefore: null, isForced: false };
    await store.enqueue([{ ...long, ...rest }], Date.now() - 5_000);
    const jumps = () => stepping.told.flatMap((one) => (one as { byMs?: number }).byMs ?? []).map((ms) => Math.round(ms / 1_000));
    const steps = [600, -600, -600, 600];
    for (const [index, aheadMs] of [600_000, 0, -600_000, 0].entries()) {
      stepping.child.send(aheadMs);
      await vi.waitFor(() => expect(jumps()).toEqual(steps.slice(0, index + 1)), BOUND);
      await several(2);
    }
    const triggers = (await store.listTriggers({ pipelineId: "tick", limit: 1_000 })).toReversed();
    const times = triggers.map(({ scheduledFor }) => scheduledFor as number);
    expect(times).toEqual(times.map((_, index) => (times[0] as number) + index * 1_000));
    for (const { createdAt, scheduledFor } of triggers) expect(Math.abs(createdAt - (scheduledFor as number))).toBeLessThan(2_000);
    expect(await store.listDecisions({ pipelineId: "tick", outcomes: ["skip"], limit: 10 })).toEqual([]);
    expect([...told, ...stepping.told].filter((one) => (one as { lost?: string }).lost !== undefined)).toEqual([]);
    expect((await store.listRuns({ pipelineId: "long", limit: 10 })).map(({ attempt }) => attempt)).toEqual([1]);
    await store.close();
  }, 60_000);
});
