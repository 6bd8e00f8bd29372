import { describe, expect, it } from "vitest";
import { type EventName, HeadgateError, pipeline, type RemoteExecutor, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START, timeOf } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const STOP = { user: "ana", reason: "wrong data" };

/** Two nodes: the first runs a job whose attempts fail after a length, the second hears of what people want. */
async function twoNodes(failsAfter: string, execution: object = {}) {
  let calls = 0;
  const job = () =>
    pipeline({
      id: "job",
      execution: { retries: 5, retryDelay: "10m", timeout: "1h", ...execution },
      run: async ({ clock }) => {
        calls++;
        await clock.sleep(failsAfter);
        throw new Error("no connection");
      },
    });
  const store = sharedStore();
  const first = await harness([job()], { store, node: "node-1" });
  await first.scheduler.trigger("job");
  await first.clock.settle();
  const second = await harness([job()], { store, node: "node-2", clock: first.clock });
  const stop = async () => {
    await second.scheduler.stop({ drain: 0 });
    await first.scheduler.stop({ drain: 0 });
  };
  return { first, second, clock: first.clock, calls: () => calls, stop };
}

describe("a cancel that was accepted", () => {
  it("ends the run when its attempt fails before its node has heard of it", async () => {
    const { first, second, clock, calls, stop } = await twoNodes("58s");
    const [run] = (await second.scheduler.runs()).items;
    await clock.advance("55s");
    const { run: asked } = await second.scheduler.cancel(run?.id ?? "", STOP);
    expect(asked).toMatchObject({ status: "running", cancelRequest: STOP });
    expect((await second.scheduler.explain("job", clock.now())).text).toContain(
      "its cancellation was requested at 2026-03-02T00:00:55Z by ana (wrong data)",
    );
    await clock.advance("10s");
    const ended = await second.scheduler.getRun(run?.id ?? "");
    expect([ended?.status, timeOf(ended?.endedAt ?? null)]).toEqual(["cancelled", "00:00:58"]);
    expect(ended?.attempts.map(({ outcome, error }) => [outcome, error?.message])).toEqual([["failed", "no connection"]]);
    expect(first.heard("run.cancelled")).toHaveLength(1);
    expect(first.heard("trigger.cancelled")).toHaveLength(1);
    expect(first.heard("run.retrying")).toEqual([]);
    await clock.advance("1h");
    expect(calls()).toBe(1);
    const { answer, text } = await second.scheduler.explain("job", "2026-03-02T00:00:00Z");
    expect([answer, text.includes("wrong data")]).toEqual(["cancelled", true]);
    await stop();
  });

  it("ends the run when its attempt times out in the same moment", async () => {
    const { first, second, clock, calls, stop } = await twoNodes("2h", { timeout: "1m" });
    const [run] = (await second.scheduler.runs()).items;
    await clock.advance("59s");
    await second.scheduler.cancel(run?.id ?? "", STOP);
    await clock.advance("2m");
    expect((await second.scheduler.getRun(run?.id ?? ""))?.status).toBe("cancelled");
    expect(first.heard("run.timed_out")).toEqual([]);
    await clock.advance("1h");
    expect(calls()).toBe(1);
    await stop();
  });

  it("ends the run when its node is gone", async () => {
    const store = sharedStore();
    const own: Store = { ...store };
    const hanging = () => pipeline({ id: "job", execution: { retries: 5, timeout: "9h" }, run: ({ clock }) => clock.sleep("8h") });
    const first = await harness([hanging()], { store: own, node: "node-1" });
    await first.scheduler.trigger("job");
    await first.clock.settle();
    const second = await harness([hanging()], { store, node: "node-2", clock: first.clock });
    const cutOff = async () => {
      throw new HeadgateError("STORE_UNAVAILABLE", "cut off");
    };
    for (const [name, value] of Object.entries(own)) if (typeof value === "function") Object.assign(own, { [name]: cutOff });
    const [run] = (await second.scheduler.runs()).items;
    await second.scheduler.cancel(run?.id ?? "", STOP);
    await first.clock.advance("2m");
    const ended = await second.scheduler.getRun(run?.id ?? "");
    expect([ended?.status, ended?.attempts.map(({ outcome }) => outcome)]).toEqual(["cancelled", ["lost"]]);
    expect(["run.lost", "run.cancelled", "trigger.cancelled"].map((name) => second.heard(name as EventName).length)).toEqual([1, 1, 1]);
    await first.clock.advance("1h");
    expect((await second.scheduler.runs()).items.map(({ status }) => status)).toEqual(["cancelled"]);
    await Promise.all([second.scheduler.stop({ drain: 0 }), first.scheduler.stop({ drain: 0 }), first.clock.advance("1m")]);
  });

  it("ends at once a run that waits for its next attempt, and says so once", async () => {
    const { first, second, clock, calls, stop } = await twoNodes("5s");
    await clock.advance("1m");
    const [run] = (await second.scheduler.runs()).items;
    expect(run?.status).toBe("retrying");
    const { run: ended, trigger } = await second.scheduler.cancel(run?.id ?? "", STOP);
    expect([ended?.status, trigger?.status]).toEqual(["cancelled", "cancelled"]);
    expect(second.heard("run.cancelled")).toHaveLength(1);
    expect(second.heard("trigger.cancelled")).toHaveLength(1);
    await expect(second.scheduler.cancel(run?.id ?? "", STOP)).rejects.toMatchObject({ code: "ALREADY_FINISHED" });
    await clock.advance("1h");
    expect(calls()).toBe(1);
    expect(first.heard("run.cancelled")).toEqual([]);
    await stop();
  });

  it("ends a run elsewhere that fails before it is passed on, and one that another node takes over", async () => {
    let submitted = 0;
    const states: Record<string, "running" | "failed"> = {};
    const cancelled: unknown[] = [];
    const executor = (): RemoteExecutor => ({
      kind: "remote",
      name: "elsewhere",
      pollMs: 1_000,
      submit: async ({ submissionId }) => {
        submitted++;
        states[submissionId] = "running";
        return submissionId;
      },
      poll: async (reference) =>
        states[String(reference)] === "failed" ? { status: "failed", error: { message: "out of memory" } } : { status: "running" },
      cancel: async (reference) => void cancelled.push(reference),
    });
    const job = () => pipeline({ id: "job", executor: executor(), execution: { retries: 5, retryDelay: "10m", timeout: "9h" } });
    const store = sharedStore();
    const patient = fakeClock(START, { patience: "10ms", onUnsettled: () => {} }); // what is watched elsewhere waits for no clock
    const first = await harness([job()], { store, node: "node-1", clock: patient });
    await first.scheduler.trigger("job");
    await first.clock.advance("3s");
    const second = await harness([job()], { store, node: "node-2", clock: first.clock });
    const [run] = (await second.scheduler.runs()).items;
    await second.scheduler.cancel(run?.id ?? "", STOP);
    for (const id of Object.keys(states)) states[id] = "failed";
    await first.clock.advance("2s");
    expect((await second.scheduler.getRun(run?.id ?? ""))?.status).toBe("cancelled");
    await second.scheduler.trigger("job");
    await first.clock.advance("3s");
    const [next] = (await second.scheduler.runs({ status: "running" })).items;
    const holder = (await store.run(next?.id ?? ""))?.node === "node-1" ? first : second;
    const other = holder === first ? second : first;
    await other.scheduler.cancel(next?.id ?? "", STOP);
    await holder.scheduler.stop({ drain: 0 }); // lets go of it before it has heard of the cancel
    await first.clock.advance("2m");
    expect((await other.scheduler.getRun(next?.id ?? ""))?.status).toBe("cancelled");
    expect(cancelled).toHaveLength(1);
    expect(submitted).toBe(2);
    await other.scheduler.stop({ drain: 0 });
  });
});
