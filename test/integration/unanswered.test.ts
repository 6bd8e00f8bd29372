import pg from "pg";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { condition, createScheduler, every, pipeline, type Scheduler } from "../../src/index.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const url = await testDatabaseUrl();
const SILENT = { log: () => {} };
const WAIT = { timeout: 20_000, interval: 50 };

/** Clients whose connection breaks after the server has committed a certain transaction, before its answer arrives. */
function lossy() {
  const state: { wanted: RegExp | null; lost: number } = { wanted: null, lost: 0 };
  class LossyClient extends pg.Client {
    #transaction = "";

    // biome-ignore lint/suspicious/noExplicitAny: stands in for the driver's overloads
    override query(...args: any[]): any {
      const [first] = args;
      const text: string = typeof first === "string" ? first : (first?.text ?? "");
      this.#transaction = /^BEGIN/.test(text) ? text : `${this.#transaction};${text}`;
      const isEnd = /COMMIT$/.test(text) || /^WITH moved/.test(text);
      const isLost = isEnd && state.wanted?.test(this.#transaction) === true;
      if (!isLost) return (super.query as (...all: unknown[]) => unknown)(...args);
      state.wanted = null;
      const loss = () => {
        state.lost++;
        (this as unknown as { connection: { stream: { destroy: () => void } } }).connection.stream.destroy();
        return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
      };
      const callback = args.at(-1);
      if (typeof callback === "function")
        return (super.query as (...all: unknown[]) => unknown)(...args.slice(0, -1), (error: unknown) => callback(error ?? loss()));
      return (super.query as (...all: unknown[]) => Promise<unknown>)(...args).then(() => Promise.reject(loss()));
    }
  }
  return { state, Client: LossyClient };
}

describe.runIf(url !== null)("PostgreSQL commits and its answer is lost", () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });
  afterAll(dropSchemas);

  async function made(options: { conditions?: boolean; schedule?: boolean } = {}) {
    const { state, Client } = lossy();
    const pool = new pg.Pool({ connectionString: url as string, Client, max: 5 });
    pool.on("error", () => {});
    const executions: string[] = [];
    const job = pipeline({
      id: "a",
      execution: { retries: 0 },
      ...(options.conditions ? { conditions: [condition("open", async () => true)] } : {}),
      ...(options.schedule ? { schedule: every("1s") } : {}),
      run: ({ runId }) => {
        executions.push(runId);
        return { rows: 7 };
      },
    });
    const scheduler = createScheduler({ pipelines: [job], store: postgresStore({ pool, schema: freshSchema() }), logger: SILENT });
    const told: string[] = [];
    for (const name of [
      "run.started",
      "run.succeeded",
      "run.failed",
      "run.lost",
      "run.late_result",
      "decision",
      "trigger.created",
      "error",
    ] as const)
      scheduler.on(name, () => void told.push(name));
    await scheduler.start();
    ends.push(async () => {
      await scheduler.stop();
      await pool.end();
    });
    return { scheduler, state, executions, told };
  }

  async function succeeds(scheduler: Scheduler) {
    await vi.waitFor(
      async () => expect((await scheduler.runs()).items).toMatchObject([{ status: "succeeded", attempt: 1, attempts: [] }]),
      WAIT,
    );
  }

  it.each([
    ["a decision", /^WITH moved|;WITH moved/, true],
    ["a claim with its decision", /pg_advisory_xact_lock[\s\S]*INSERT INTO "[^"]+"\."runs"/, false],
    ["an end", /"last_success_at" = r/, false],
  ])("of %s: the run is executed once and succeeds", async (_, wanted, conditions) => {
    const { scheduler, state, executions, told } = await made({ conditions });
    state.wanted = wanted;
    await scheduler.trigger("a");
    await vi.waitFor(() => expect(told).toContain("run.succeeded"), WAIT);
    await succeeds(scheduler);
    expect(state.lost).toBe(1);
    expect(executions).toHaveLength(1);
    expect(told.toSorted()).toEqual(["decision", "run.started", "run.succeeded", "trigger.created"]);
    expect((await scheduler.decisions()).items).toHaveLength(1);
  });

  it("of a fire: each trigger is emitted once", async () => {
    const { scheduler, state, told } = await made({ schedule: true });
    const emitted: string[] = [];
    scheduler.on("trigger.created", ({ trigger }) => void emitted.push(trigger.id));
    await vi.waitFor(() => expect(emitted).toHaveLength(1), WAIT);
    state.wanted = /"next_fire_at" = r/;
    await vi.waitFor(() => expect(state.lost).toBe(1), WAIT);
    const before = emitted.length;
    await vi.waitFor(() => expect(emitted.length).toBeGreaterThan(before + 1), WAIT);
    await scheduler.pause();
    const kept = (await scheduler.triggers()).items.map(({ id }) => id);
    await vi.waitFor(() => expect(emitted.toSorted()).toEqual(kept.toSorted()), WAIT);
    expect(told).not.toContain("error");
  });
});

describe.runIf(url !== null)("PostgreSQL refuses the data of an end", () => {
  afterAll(dropSchemas);

  it("and the run has succeeded all the same, without its output", async () => {
    const schema = freshSchema();
    const store = postgresStore({ connectionString: url as string, schema });
    const job = pipeline({ id: "a", execution: { retries: 0 }, run: () => ({ text: "x".repeat(1_000) }) });
    const scheduler = createScheduler({ pipelines: [job], store, logger: SILENT });
    const errors: string[] = [];
    scheduler.on("error", ({ where }) => void errors.push(where));
    await scheduler.start();
    const client = new pg.Client({ connectionString: url as string });
    await client.connect();
    await client.query(`ALTER TABLE "${schema}".runs ADD CHECK (length(output) < 500)`);
    await client.end();
    await scheduler.trigger("a");
    await vi.waitFor(
      async () =>
        expect((await scheduler.runs()).items).toMatchObject([
          { status: "succeeded", attempt: 1, output: { notKept: expect.stringContaining("check constraint") } },
        ]),
      WAIT,
    );
    expect(errors).toHaveLength(1);
    await scheduler.stop();
  });
});
