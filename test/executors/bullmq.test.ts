import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { type BullmqConnection, type BullmqWorkerOptions, bullmqExecutor, createWorker } from "../../src/entry/bullmq.js";
import {
  createScheduler,
  HeadgateError,
  NonRetryableError,
  type Pipeline,
  pipeline,
  type Run,
  type RunContext,
  type Scheduler,
  systemClock,
} from "../../src/index.js";
import { type ContractWork, describeExecutor } from "../../src/testing/index.js";
import { freePort } from "../support/port.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { postgresBinaries, privatePostgres } from "../support/private-postgres.js";
import { hasRedisBinary, PrivateRedis, testRedisUrl } from "../support/redis.js";

const [redis, postgres] = await Promise.all([testRedisUrl(), testDatabaseUrl()]);
const FIXTURE = fileURLToPath(new URL("worker.fixture.ts", import.meta.url));
const children = new Set<ChildProcess>();
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
afterAll(dropSchemas);

let made = 0;
const BACKENDS: [string, () => BullmqConnection & { queue: string }][] = [
  ...(redis === null
    ? []
    : [
        ["Redis", () => ({ redis, prefix: `headgate-${process.pid}-${Date.now()}`, queue: `q${made++}` })] as [
          string,
          () => BullmqConnection & { queue: string },
        ],
      ]),
  ...(postgres === null
    ? []
    : [
        ["PostgreSQL", () => ({ postgres, schema: freshSchema(), queue: `q${made++}` })] as [
          string,
          () => BullmqConnection & { queue: string },
        ],
      ]),
];

async function obey({ parameters, signal }: Pick<RunContext<Record<string, unknown>>, "parameters" | "signal">): Promise<unknown> {
  const { work, value, ms = 0 } = parameters as unknown as ContractWork;
  if (work === "fail") throw Object.assign(new Error("as requested"), { code: "TOLD" });
  if (work === "final") throw new NonRetryableError("as requested");
  if (work === "slow")
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      });
    });
  return { value };
}

async function workerProcess(options: BullmqWorkerOptions) {
  const child = spawn(process.execPath, ["--import", "tsx", FIXTURE, JSON.stringify(options)], { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  const starts: string[] = [];
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    starts.splice(0, starts.length, ...[...text.matchAll(/^start (\S+)$/gm)].map(([, id = ""]) => id));
  });
  while (!text.includes("ready")) await once(child.stdout, "data");
  return { child, starts };
}

async function scheduling(
  connection: BullmqConnection & { queue: string },
  options: object = {},
  execution: object = {},
): Promise<Scheduler> {
  const executor = bullmqExecutor({ ...connection, pollInterval: "500ms" });
  const job: Pipeline = pipeline({
    id: "job",
    execution: { maxActiveRuns: 10_000, retries: 3, retryDelay: "50ms", ...execution },
    run: () => {},
  });
  const scheduler = createScheduler({ pipelines: [job], executor, logger: { log: () => {} }, leaseDuration: "5s", ...options });
  await scheduler.start();
  ends.push(() => scheduler.stop({ drain: 0 }));
  return scheduler;
}

describe.each(BACKENDS)("BullMQ on %s", (name, connect) => {
  describeExecutor(
    `bullmqExecutor on ${name}`,
    async () => {
      const connection = connect();
      const starts = new Map<string, number>();
      const run = async (context: RunContext<Record<string, unknown>>) => {
        starts.set(context.runId, (starts.get(context.runId) ?? 0) + 1);
        return obey(context);
      };
      const pipelines = ["contract", "impatient"].map((id) => pipeline({ id, run }));
      const worker = createWorker(pipelines, { ...connection, concurrency: 20 });
      await worker.ready();
      return {
        // each scheduler closes its executor when it stops: a restart has another
        get executor() {
          return bullmqExecutor({ ...connection, pollInterval: "200ms" });
        },
        run,
        startsOf: (id) => starts.get(id) ?? 0,
        close: () => worker.close({ force: true }),
      };
    },
    { describe, it: (title, body) => (/submitted twice/.test(title) ? undefined : it(title, body)) },
  );

  it("adds a job once, however often it is submitted, and hands priorities on", async () => {
    const connection = connect();
    const executor = bullmqExecutor(connection);
    const order: string[] = [];
    const submission = (n: number, priority: string) => ({
      submissionId: `run${n}-1`,
      runId: `run${n}`,
      pipelineId: "job",
      attempt: 1,
      trigger: {
        id: `t${n}`,
        pipelineId: "job",
        kind: "manual",
        priority,
        scheduledFor: null,
        createdAt: 0,
        availableAt: 0,
        expiresAt: null,
        endedAt: null,
        parameters: { n },
      },
      parameters: { n },
      timeoutMs: 60_000,
    });
    const call = { signal: new AbortController().signal, clock: systemClock() } as never;
    for (const [n, priority] of ["low", "normal", "high", "critical"].entries())
      for (let again = 0; again < 3; again++) await executor.submit(submission(n, priority) as never, call);
    const worker = createWorker([pipeline({ id: "job", run: ({ trigger }) => order.push(trigger.priority) })], {
      ...connection,
      concurrency: 1,
    });
    await worker.ready();
    for (let n = 0; n < 4; n++)
      while (((await executor.poll(`run${n}-1`, call)) as { status: string }).status !== "succeeded")
        await new Promise((resolve) => setTimeout(resolve, 10));
    expect(order).toEqual(["critical", "high", "normal", "low"]);
    expect(await executor.poll("nothing-1", call)).toMatchObject({ status: "lost" });
    await worker.close({ force: true });
    await executor.close?.();
  });

  it("hands the stack and the causes of an error on, and its worker logs to the console", async () => {
    const connection = connect();
    const printed = vi.spyOn(console, "error").mockImplementation(() => {});
    const run = ({ log }: RunContext<unknown>) => {
      log.info("starting to fail");
      throw new Error("no prices", { cause: new RangeError("too few rows") });
    };
    const worker = createWorker([pipeline({ id: "job", run })], connection);
    ends.push(() => worker.close({ force: true }));
    await worker.ready();
    const scheduler = await scheduling(connection, {}, { retries: 0 });
    const failed = new Promise<Run>((resolve) => scheduler.once("run.failed", (event) => resolve(event.run)));
    await scheduler.trigger("job");
    expect((await failed).error).toEqual({
      message: "no prices",
      code: "REMOTE_RUN_FAILED",
      stack: expect.stringMatching(/^Error: no prices\n {4}at .*bullmq\.test\.ts/),
      cause: { message: "too few rows", code: "RangeError", stack: expect.stringContaining("bullmq.test.ts") },
    });
    expect(printed.mock.calls.flat().join()).toContain("info: starting to fail");
    printed.mockRestore();
  });

  it("hands its functions no scheduler, and says so", async () => {
    const connection = connect();
    const run = async ({ scheduler: own, upstream }: RunContext) => [
      await upstream(),
      await own.run("job").catch((error: HeadgateError) => `${error.code}: ${error.message}`),
    ];
    const worker = createWorker([pipeline({ id: "job", run })], connection);
    ends.push(() => worker.close({ force: true }));
    await worker.ready();
    const scheduler = await scheduling(connection);
    const { output } = await scheduler.run("job");
    expect(output).toEqual([null, expect.stringMatching(/^NO_SCHEDULER: scheduler\.run: a BullMQ worker has no scheduler; /)]);
  });

  it("keeps a waiting job from starting when it is cancelled", async () => {
    const connection = connect();
    const scheduler = await scheduling(connection);
    let started = 0;
    const bothStarted = new Promise<void>((resolve) => scheduler.on("run.started", () => ++started === 2 && resolve()));
    const { id } = await scheduler.trigger("job", { parameters: { value: 1 } });
    const unwanted = await scheduler.trigger("job", { parameters: { value: 2 } });
    await bothStarted; // one that has not started yet ends without a run
    const cancelled = new Promise((resolve) => scheduler.once("run.cancelled", resolve));
    await scheduler.cancel(unwanted.id);
    await cancelled;
    const done = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
    const { starts } = await workerProcess(connection);
    await done;
    expect((await scheduler.getTrigger(id))?.status).toBe("succeeded");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(starts.length).toBe(1);
  });

  it("survives a worker that is killed: its job is taken over by another", async () => {
    const connection = connect();
    const worker = { ...connection, lockDuration: "1s" };
    const scheduler = await scheduling(connection);
    const first = await workerProcess(worker);
    const { id } = await scheduler.trigger("job", { parameters: { value: 5, ms: 700 } });
    while (first.starts.length === 0) await once(first.child.stdout as NodeJS.ReadableStream, "data");
    first.child.kill("SIGKILL");
    const second = await workerProcess(worker);
    const done = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
    await done;
    const run = await scheduler.getRun((await scheduler.getTrigger(id))?.runId ?? "");
    expect(run?.output).toMatchObject({ value: 5, pid: second.child.pid });
  });

  it("tries a job again that stalled too often, under the retry policy", async () => {
    const connection = connect();
    const worker = { ...connection, lockDuration: "1s", maxStalledCount: 0 };
    const scheduler = await scheduling(connection);
    const first = await workerProcess(worker);
    await scheduler.trigger("job", { parameters: { value: 6, ms: 700 } });
    while (first.starts.length === 0) await once(first.child.stdout as NodeJS.ReadableStream, "data");
    first.child.kill("SIGKILL");
    await workerProcess(worker);
    const { run } = await new Promise<{ run: { attempt: number } }>((resolve) => scheduler.once("run.succeeded", resolve));
    expect(run.attempt).toBe(2);
  });

  it("carries 1,000 jobs out over two workers, each once", async () => {
    const connection = connect();
    const worker = { ...connection, concurrency: 50 };
    const scheduler = await scheduling(connection);
    const workers = await Promise.all([workerProcess(worker), workerProcess(worker)]);
    let left = 1_000;
    const pids = new Set<number>();
    const done = new Promise<void>((resolve) =>
      scheduler.on("run.succeeded", ({ run }) => {
        pids.add((run.output as { pid: number }).pid);
        if (--left === 0) resolve();
      }),
    );
    await Promise.all(Array.from({ length: 1_000 }, (_, value) => scheduler.trigger("job", { parameters: { value } })));
    await done;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const starts = workers.flatMap((one) => one.starts);
    expect([starts.length, new Set(starts).size, pids.size]).toEqual([1_000, 1_000, 2]);
  });
});

/** A server of the tests' own, which is killed in the middle and started again. */
interface Restartable {
  readonly connection: BullmqConnection & { readonly queue: string };
  restart(): Promise<void>;
  remove(): Promise<void>;
}

async function redisServer(): Promise<Restartable> {
  const server = await new PrivateRedis().start();
  return {
    connection: { redis: server.url, queue: "restarted" },
    restart: async () => {
      await server.kill();
      await server.start();
    },
    remove: () => server.remove(),
  };
}

async function postgresServer(): Promise<Restartable> {
  const server = await privatePostgres(bin ?? "");
  return {
    connection: { postgres: server.url, queue: "restarted" },
    restart: async () => server.restart(),
    remove: async () => server.stop(),
  };
}

const bin = postgresBinaries();
const SERVERS: [string, () => Promise<Restartable>][] = [
  ...(hasRedisBinary() ? [["Redis", redisServer] as [string, () => Promise<Restartable>]] : []),
  ...(bin === null ? [] : [["PostgreSQL", postgresServer] as [string, () => Promise<Restartable>]]),
];

describe.each(SERVERS)("a server of BullMQ that is restarted, %s", (_, start) => {
  it("loses nothing that it keeps, and the scheduler and the worker go on by themselves", async () => {
    const server = await start();
    const { connection } = server;
    const scheduler = await scheduling(connection);
    const worker = await workerProcess({ ...connection, lockDuration: "2s" });
    let succeeded = 0;
    const done = new Promise<void>((resolve) => scheduler.on("run.succeeded", () => ++succeeded === 20 && resolve()));
    for (let value = 0; value < 10; value++) await scheduler.trigger("job", { parameters: { value, ms: 300 } });
    await once(worker.child.stdout as NodeJS.ReadableStream, "data");
    const restarted = server.restart();
    for (let value = 10; value < 20; value++) await scheduler.trigger("job", { parameters: { value } });
    await restarted;
    await done;
    worker.child.kill("SIGKILL");
    await scheduler.stop({ drain: 0 });
    await server.remove();
  });
});

/** Resolves when a job waits in a queue. */
async function queued(url: string, name: string): Promise<void> {
  const queue = new Queue(name, { connection: { url } });
  queue.on("error", () => {}); // of the connection, when its server ends
  while ((await queue.getJobCounts("prioritized")).prioritized !== 1) await new Promise((resolve) => setTimeout(resolve, 10));
  await queue.close();
}

describe.skipIf(!hasRedisBinary())("a Redis that keeps nothing, or is away", () => {
  it("loses its jobs: their runs are tried again under the retry policy", async () => {
    const server = await new PrivateRedis().start();
    ends.push(() => server.remove());
    const connection = { redis: server.url, queue: "forgotten" };
    const scheduler = await scheduling(connection);
    const started = new Promise((resolve) => scheduler.once("run.started", resolve));
    const lost = new Promise((resolve) => scheduler.once("run.retrying", resolve));
    const { id } = await scheduler.trigger("job", { parameters: { value: 1 } });
    await started;
    await queued(server.url, connection.queue);
    await server.kill();
    server.forget();
    await server.start();
    await lost;
    const done = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
    await workerProcess(connection);
    await done;
    const run = await scheduler.getRun((await scheduler.getTrigger(id))?.runId ?? "");
    expect(run).toMatchObject({ status: "succeeded", attempt: 2, attempts: [{ outcome: "lost", error: { code: "RUN_LOST" } }] });
  });

  it("fails runs whose jobs are gone and that have no attempts left", async () => {
    const server = await new PrivateRedis().start();
    ends.push(() => server.remove());
    const scheduler = await scheduling({ redis: server.url, queue: "forgotten" }, {}, { retries: 0 });
    const started = new Promise((resolve) => scheduler.once("run.started", resolve));
    const failed = new Promise<{ run: { error: unknown } }>((resolve) => scheduler.once("run.failed", resolve));
    await scheduler.trigger("job", { parameters: { value: 1 } });
    await started;
    await queued(server.url, "forgotten");
    await server.kill();
    server.forget();
    await server.start();
    expect((await failed).run.error).toMatchObject({ code: "RUN_LOST", message: expect.stringMatching(/no longer knows it/) });
  });

  it("holds up no stop of the scheduler and of the worker", async () => {
    const server = await new PrivateRedis().start();
    ends.push(() => server.remove());
    const connection = { redis: server.url, queue: "away" };
    const scheduler = await scheduling(connection);
    const worker = createWorker([pipeline({ id: "job", run: () => "done" })], connection);
    await worker.ready();
    const done = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
    await scheduler.trigger("job", {});
    await done;
    await server.kill();
    const stopped = Promise.all([scheduler.stop({ drain: 0 }), worker.close({ force: true })]).then(() => "stopped");
    expect(await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 15_000, "hangs"))])).toBe("stopped");
  });
});

it("a Redis that never was there holds up no stop either", async () => {
  const connection = { redis: `redis://127.0.0.1:${await freePort()}`, queue: "nowhere" };
  const scheduler = await scheduling(connection);
  const worker = createWorker([pipeline({ id: "job", run: () => "done" })], connection);
  const started = new Promise((resolve) => scheduler.once("run.started", resolve));
  await scheduler.trigger("job", {});
  await started;
  const stopped = Promise.all([scheduler.stop({ drain: 0 }), worker.close()]).then(() => "stopped");
  expect(await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 15_000, "hangs"))])).toBe("stopped");
});

it("the BullMQ executor and worker say what is wrong with their options", () => {
  expect(() => bullmqExecutor({ queue: "a b" })).toThrow(HeadgateError);
  expect(() => createWorker([], { concurrency: 0 })).toThrow(/concurrency/);
});
