import assert from "node:assert/strict";
import { memoryStore } from "../../adapters/stores/memory/memory-store.js";
import { createScheduler } from "../../entry/create-scheduler.js";
import { pipeline } from "../../pipeline/pipeline.js";
import type { Executor } from "../../ports/executor.js";
import type { Scheduler } from "../../ports/scheduler-api/scheduler.js";
import type { Store } from "../../ports/store.js";
import type { Run } from "../../run/view.js";
import { globalRunner, type TestRunner } from "./runner.js";

/** Work of the contract's runs: the other side must do as the parameters say. */
export interface ContractWork {
  /**
   * `succeed`: return `{ value }`; `fail`: fail with the message `as requested`; `final`: fail so that it is not tried again; `slow`: take `ms`, then succeed, and end when asked to.
   */
  readonly work: "succeed" | "fail" | "final" | "slow";
  readonly value?: unknown;
  readonly ms?: number;
}

/** An executor under test, and what is needed to look at it. */
export interface ExecutorUnderTest {
  readonly executor: Executor;
  /** Executes {@link ContractWork} where the executor calls the pipeline's own function. */
  readonly run?: Parameters<typeof pipeline>[0]["run"];
  /** The `value` in a run's output. Default: its field `value`. */
  valueIn?(output: unknown): unknown;
  /** Returns how often a run's attempt was started, where that is known. */
  startsOf?(runId: string): number | Promise<number>;
  close?(): Promise<void>;
}

/** Creates an executor without active runs, a new one each time. */
export type MakeExecutor = () => ExecutorUnderTest | Promise<ExecutorUnderTest>;

interface Tried {
  readonly made: ExecutorUnderTest;
  readonly scheduler: Scheduler;
  readonly store: Store;
  /** Starts another scheduler on the same store. */
  again(): Promise<Scheduler>;
  /** Resolves with the run when it has ended. */
  ended(scheduler: Scheduler, triggerId: string): Promise<Run>;
}

type Case = readonly [title: string, body: (tried: Tried) => Promise<void>, isRemoteOnly?: true];

const SLOW_MS = 60_000;
const ENOUGH_MS = 30_000;

const CASES: readonly Case[] = [
  [
    "passes parameters on and returns the output",
    async ({ made, scheduler, ended }) => {
      const value = { text: 'ü \u2028 "quoted"', list: [1, 2.5, null, true] };
      const { id } = await scheduler.trigger("contract", { parameters: { work: "succeed", value } });
      const run = await ended(scheduler, id);
      assert.deepEqual([run.status, run.attempt, run.error], ["succeeded", 1, null]);
      assert.deepEqual((made.valueIn ?? valueIn)(run.output), value);
    },
  ],
  [
    "reports a failure, which is retried as the policy says",
    async ({ scheduler, ended }) => {
      const { id } = await scheduler.trigger("contract", { parameters: { work: "fail" } });
      const run = await ended(scheduler, id);
      assert.deepEqual([run.status, run.attempt], ["failed", 2]);
      assert.match(run.error?.message ?? "", /as requested/);
    },
  ],
  [
    "reports a failure that is not worth another attempt",
    async ({ scheduler, ended }) => {
      const { id } = await scheduler.trigger("contract", { parameters: { work: "final" } });
      const run = await ended(scheduler, id);
      assert.deepEqual([run.status, run.attempt], ["failed", 1]);
    },
  ],
  [
    "ends a run that takes too long, and one that is cancelled",
    async ({ scheduler, ended }) => {
      const slow = { parameters: { work: "slow", ms: SLOW_MS } };
      const late = await scheduler.trigger("impatient", slow);
      assert.equal((await ended(scheduler, late.id)).status, "timed_out");
      const started = new Promise((resolve) => scheduler.once("run.started", resolve));
      const unwanted = await scheduler.trigger("contract", slow);
      await started;
      await scheduler.cancel(unwanted.id, { user: "ana" });
      assert.equal((await ended(scheduler, unwanted.id)).status, "cancelled");
    },
  ],
  [
    "runs many, each once",
    async ({ made, scheduler, ended }) => {
      const all = await Promise.all(
        Array.from({ length: 30 }, (_, value) => scheduler.trigger("contract", { parameters: { work: "succeed", value } })),
      );
      const runs = await Promise.all(all.map(({ id }) => ended(scheduler, id)));
      assert.deepEqual(
        runs.map(({ output }) => (made.valueIn ?? valueIn)(output)),
        all.map((_, value) => value),
      );
      for (const { id } of runs) if (made.startsOf !== undefined) assert.equal(await made.startsOf(id), 1);
    },
  ],
  [
    "starts once what is submitted twice",
    async ({ made, scheduler, ended }) => {
      const { executor } = made;
      assert.equal(executor.kind, "remote");
      const { submit } = executor;
      Object.assign(executor, {
        submit: async (...args: Parameters<typeof submit>) => {
          await submit(...args);
          return submit(...args);
        },
      });
      const { id } = await scheduler.trigger("contract", { parameters: { work: "succeed", value: 7 } });
      const run = await ended(scheduler, id);
      assert.equal(run.status, "succeeded");
      if (made.startsOf !== undefined) assert.equal(await made.startsOf(run.id), 1);
    },
    true,
  ],
  [
    "continues after a restart: remote runs are watched again, not started again",
    async ({ made, scheduler, again, ended }) => {
      const started = new Promise((resolve) => scheduler.once("run.started", resolve));
      const { id } = await scheduler.trigger("contract", { parameters: { work: "slow", ms: 2_500, value: 9 } });
      await started;
      await new Promise((resolve) => setTimeout(resolve, 500)); // so that it was handed over
      await scheduler.stop();
      const next = await again();
      const run = await ended(next, id);
      await next.stop();
      assert.deepEqual([run.status, run.attempt], ["succeeded", 1]);
      if (made.startsOf !== undefined) assert.equal(await made.startsOf(run.id), 1);
    },
    true,
  ],
];

/**
 * The contract that every executor keeps: parameters, outputs, failures, timeouts, cancellation, each run once; and of remote ones, that what is submitted twice starts once and that a restart goes on watching. On the real clock. Run it on an executor
 * of your own, with the other side doing what {@link ContractWork} says.
 *
 * @param runner - default: the `describe` and `it` that the runner has made global
 * @example
 * describeExecutor("my engine", async () => ({ executor: myExecutor(await startEngine(work)) }), { describe, it });
 */
export function describeExecutor(name: string, makeExecutor: MakeExecutor, runner: TestRunner = globalRunner("describeExecutor")): void {
  const { describe, it } = runner;
  describe(`${name} keeps the executor's contract`, () => {
    for (const [title, body, isRemoteOnly] of CASES) {
      it(title, async () => {
        const made = await makeExecutor();
        if (isRemoteOnly && made.executor.kind !== "remote") return made.close?.();
        const store = memoryStore();
        const started: Scheduler[] = [];
        const again = async () => {
          const scheduler = schedulerFor(made, store);
          started.push(scheduler);
          await scheduler.start();
          return scheduler;
        };
        try {
          await body({ made, scheduler: await again(), store, again, ended: (scheduler, triggerId) => ended(scheduler, triggerId) });
        } finally {
          await Promise.all(started.map((scheduler) => scheduler.stop({ drain: 0 })));
          await made.close?.();
        }
      });
    }
  });
}

function schedulerFor({ executor, run = () => undefined }: ExecutorUnderTest, store: Store): Scheduler {
  const execution = { maxActiveRuns: 100, retries: 1, retryDelay: "50ms" };
  const contract = pipeline({ id: "contract", executor, execution, run });
  const impatient = pipeline({ id: "impatient", executor, execution: { ...execution, retries: 0, timeout: "1500ms" }, run });
  return createScheduler({
    pipelines: [contract, impatient],
    store,
    cancelGracePeriod: "2s",
    leaseDuration: "5s",
    logger: { log: () => {} },
  });
}

async function ended(scheduler: Scheduler, triggerId: string): Promise<Run> {
  for (const until = Date.now() + ENOUGH_MS; Date.now() < until; ) {
    const trigger = await scheduler.getTrigger(triggerId);
    if (trigger !== null && trigger.endedAt !== null && trigger.runId !== null) {
      const run = await scheduler.getRun(trigger.runId);
      if (run !== null) return run;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`trigger ${triggerId} has not ended within ${ENOUGH_MS} ms`);
}

function valueIn(output: unknown): unknown {
  return (output as { value?: unknown } | null)?.value;
}
