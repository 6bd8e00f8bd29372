import { describe, expect, it } from "vitest";
import { type FinishRequest, HeadgateError, memoryStore, pipeline, type Store } from "../../src/index.js";
import { fakeClock } from "../../src/testing/index.js";
import { type Faults, faultyStore, isWork, storeIsAway } from "../support/faulty-store.js";
import { harness, START } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

/** Refuses ends, but those that `isTaken` takes. */
function refusing(error: () => unknown, isTaken: (request: FinishRequest) => boolean = () => false): Faults {
  return {
    before: (method, [requests]) =>
      method === "finish" && !(requests as FinishRequest[]).every((request) => request.onlyIfExpired || isTaken(request)) ? error() : null,
  };
}

const rejected = () => new HeadgateError("STORE_REJECTED", "the database rejected this data");
const unforeseen = () => new Error("a trigger of the table has raised 42");

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function logged() {
  const lines: Line[] = [];
  const logger = { log: (level: string, message: string, fields = {}) => void lines.push({ level, message, fields }) };
  return { lines, logger };
}

describe("an end whose data the database refuses", () => {
  it("is recorded without its output, and the run has succeeded", async () => {
    const faults = refusing(rejected, ({ end }) => JSON.stringify(end.output ?? null).length < 100);
    const store = faultyStore(memoryStore(), faults);
    const { scheduler, clock, heard } = await harness([pipeline({ id: "a", run: () => ({ rows: "x".repeat(200) }) })], { store });
    await scheduler.trigger("a");
    await clock.advance("1s");
    const [run] = (await scheduler.runs()).items;
    expect(run).toMatchObject({ status: "succeeded", attempt: 1, output: { notKept: expect.stringContaining("rejected this data") } });
    expect(heard("run.succeeded")).toHaveLength(1);
    expect(heard("error").map(({ where }) => where)).toEqual([expect.stringContaining(`run ${run?.id}`)]);
    await scheduler.stop();
  });

  it("is recorded without what its error says, and the run has failed", async () => {
    const faults = refusing(rejected, ({ end }) => end.error === null || !end.error.message.includes("boom"));
    const store = faultyStore(memoryStore(), faults);
    const failing = pipeline({
      id: "a",
      execution: { retries: 0 },
      run: () => {
        throw new Error("boom \u0000 \ud800");
      },
    });
    const { scheduler, clock } = await harness([failing], { store });
    await scheduler.trigger("a");
    await clock.advance("1s");
    const [run] = (await scheduler.runs()).items;
    expect(run).toMatchObject({ status: "failed", error: { message: expect.stringContaining("was not stored") } });
    await scheduler.stop();
  });
});

describe("an end that fails for a reason nobody foresaw", () => {
  it("is kept, reported once, listed, and recorded when the store takes it, while its lease goes on", async () => {
    const shared = sharedStore();
    const faults = refusing(unforeseen);
    const clock = fakeClock(START);
    const { lines, logger } = logged();
    let executions = 0;
    const job = pipeline({ id: "a", execution: { retries: 3, retryDelay: "1s" }, run: () => ({ executions: ++executions }) });
    const first = await harness([job], { clock, store: faultyStore(shared, faults), logger, leaseDuration: "30s" });
    const second = await harness([job], { clock, store: shared, node: "node-2", leaseDuration: "30s" });
    await first.scheduler.trigger("a");
    await clock.advance("5h");
    const [running] = (await first.scheduler.runs()).items;
    expect(running).toMatchObject({ status: "running", node: "node-1", attempt: 1 });
    expect(first.heard("run.unrecorded")).toMatchObject([
      { pipelineId: "a", runId: running?.id, attempt: 1, outcome: "succeeded", isGivenUp: false },
    ]);
    expect(first.scheduler.status().unrecordedEnds).toMatchObject({
      count: 1,
      items: [{ pipelineId: "a", runId: running?.id, attempt: 1, outcome: "succeeded", error: unforeseen().message }],
    });
    const said = lines.filter(({ message }) => message.includes("has ended"));
    expect(said).toMatchObject([{ level: "error", fields: { runId: running?.id, outcome: "succeeded" } }]);
    faults.before = null;
    await clock.advance("2m");
    const [run] = (await first.scheduler.runs()).items;
    expect(run).toMatchObject({ status: "succeeded", attempt: 1, output: { executions: 1 } });
    expect(executions).toBe(1);
    expect(first.scheduler.status().unrecordedEnds).toEqual({ count: 0, items: [] });
    expect(first.heard("run.succeeded")).toHaveLength(1);
    expect(second.heard("run.lost")).toHaveLength(0);
    await first.scheduler.stop();
    await second.scheduler.stop();
  });

  it("is tried until the bound of a stop, and then written to the log with all that an operator needs", async () => {
    const { lines, logger } = logged();
    const store = faultyStore(memoryStore(), refusing(unforeseen));
    const job = pipeline({ id: "a", run: () => ({ token: "s3cr3t-value", rows: 7 }) });
    const { scheduler, clock, heard } = await harness([job], { store, logger, redact: ["s3cr3t-value"] });
    await scheduler.trigger("a");
    await clock.advance("10m");
    const [run] = (await scheduler.runs()).items;
    const stopping = scheduler.stop();
    await clock.advance("5s");
    await stopping;
    const last = lines.filter(({ message }) => message.includes("was not recorded"));
    expect(last).toHaveLength(1);
    expect(last[0]).toMatchObject({
      level: "error",
      fields: {
        runId: run?.id,
        pipelineId: "a",
        attempt: 1,
        outcome: "succeeded",
        output: { bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
        error: expect.objectContaining({ message: unforeseen().message }),
      },
    });
    expect(JSON.stringify(last)).not.toContain("s3cr3t");
    expect(heard("run.unrecorded").map(({ isGivenUp }) => isGivenUp)).toEqual([false, true]);
  });

  it("leaves its neighbours alone, and a lost attempt that cannot be closed holds up no round", async () => {
    const memory = sharedStore();
    const clock = fakeClock(START);
    const never = pipeline({ id: "dead", run: () => new Promise(() => {}) });
    const ok = pipeline({ id: "ok", run: () => "fine" });
    const dead = await harness([never], { clock: fakeClock(START), store: memory, node: "dead-node", leaseDuration: "10s" });
    await dead.scheduler.trigger("dead");
    await (dead.clock as ReturnType<typeof fakeClock>).settle();
    const poison = (await dead.scheduler.runs()).items[0]?.id;
    const faults: Faults = {
      before: (method, [requests]) =>
        method === "finish" && (requests as FinishRequest[]).some(({ runId }) => runId === poison) ? unforeseen() : null,
    };
    const { scheduler, heard } = await harness([never, ok], { clock, store: faultyStore(memory, faults), leaseDuration: "10s" });
    await clock.advance("5m");
    await scheduler.trigger("ok");
    await clock.advance("5s");
    expect((await scheduler.runs({ pipelineId: "ok" })).items[0]?.status).toBe("succeeded");
    expect(heard("error").filter(({ where }) => where.includes("closing"))).toHaveLength(1);
    faults.before = null;
    await clock.advance("1m");
    expect((await scheduler.getRun(poison ?? ""))?.attempts[0]?.outcome).toBe("lost");
    await scheduler.stop({ drain: 0 });
  });
});

describe("a success that could not be recorded for hours", () => {
  const away: Faults["before"] = (method) => (isWork(method) ? storeIsAway() : null);

  it("is recorded when the store is available again, once, by one node", async () => {
    const faults: Faults = {};
    let executions = 0;
    const job = pipeline({
      id: "a",
      execution: { retries: 3, retryDelay: "1s" },
      run: async ({ clock: time }) => {
        executions++;
        await time.sleep("10s");
        return "done";
      },
    });
    const { scheduler, clock, heard } = await harness([job], { store: faultyStore(sharedStore(), faults) });
    await scheduler.trigger("a");
    await clock.advance("5s");
    faults.before = away;
    await clock.advance("5h");
    expect(scheduler.status().unrecordedEnds).toMatchObject({ count: 1, items: [{ outcome: "succeeded" }] });
    expect(heard("run.unrecorded")).toHaveLength(0);
    faults.before = null;
    await clock.advance("5m");
    expect((await scheduler.runs()).items).toMatchObject([{ status: "succeeded", attempt: 1, output: "done" }]);
    expect(executions).toBe(1);
    expect(heard("run.succeeded")).toHaveLength(1);
    expect(heard("run.lost")).toHaveLength(0);
    await scheduler.stop();
  });

  /** Two nodes on one clock and store; each can lose the store by itself. */
  async function two(leases = "30s") {
    const shared = sharedStore();
    const clock = fakeClock(START);
    const faults: [Faults, Faults] = [{}, {}];
    const executions: string[] = [];
    const job = (node: string) =>
      pipeline({
        id: "a",
        execution: { retries: 3, retryDelay: "1s" },
        run: async ({ clock: time }) => {
          executions.push(node);
          await time.sleep("10s");
          return node;
        },
      });
    const stores = faults.map((one) => faultyStore(shared, one)) as [Store, Store];
    const { lines, logger } = logged();
    const first = await harness([job("node-1")], { clock, store: stores[0], leaseDuration: leases, logger });
    await first.scheduler.trigger("a");
    await clock.advance("5s");
    const second = await harness([job("node-2")], { clock, store: stores[1], node: "node-2", leaseDuration: leases });
    return { first, second, faults, clock, executions, lines };
  }

  it("wins over the other nodes when the store comes back to all of them", async () => {
    const { first, second, faults, clock, executions } = await two();
    for (const one of faults) one.before = away;
    await clock.advance("5h");
    faults[1].before = null; // the other node is the first to notice
    await clock.advance("5s");
    faults[0].before = null;
    await clock.advance("5m");
    expect((await second.scheduler.runs()).items).toMatchObject([{ status: "succeeded", attempt: 1, output: "node-1" }]);
    expect(executions).toEqual(["node-1"]);
    expect(first.heard("run.late_result")).toHaveLength(0);
    await first.scheduler.stop();
    await second.scheduler.stop();
  });

  it("is refused and reported as a success when another node took the attempt over", async () => {
    const { first, second, faults, clock, executions, lines } = await two();
    faults[0].before = away;
    await clock.advance("5h");
    expect((await second.scheduler.runs()).items).toMatchObject([{ status: "succeeded", attempt: 2, output: "node-2" }]);
    faults[0].before = null;
    await clock.advance("5m");
    expect((await second.scheduler.runs()).items).toMatchObject([{ status: "succeeded", attempt: 2, output: "node-2" }]);
    expect(executions).toEqual(["node-1", "node-2"]);
    expect(first.heard("run.late_result")).toMatchObject([{ attempt: 1, outcome: "succeeded", error: null }]);
    expect(first.heard("run.succeeded")).toHaveLength(0);
    expect(lines.filter(({ message }) => message.includes("was rejected"))).toMatchObject([{ fields: { outcome: "succeeded" } }]);
    await first.scheduler.stop();
    await second.scheduler.stop();
  });
});
