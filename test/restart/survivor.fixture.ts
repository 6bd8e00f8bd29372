/** A host in which something breaks: `survivor.fixture.ts <scenario> <folder>`. It catches nothing by itself; one that lives on prints what it has seen as JSON. */
import { EventEmitter } from "node:events";
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import { Server } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { emailChannel } from "../../src/adapters/alerts/index.js";
import { commandExecutor, workerThreadExecutor } from "../../src/adapters/executors/local/index.js";
import { commandProbe, sqlProbe } from "../../src/adapters/probes/index.js";
import { driverModule } from "../../src/adapters/shared/sqlite-driver.js";
import { loadConfig, watchConfig } from "../../src/config/index.js";
import { bullmqExecutor, createWorker } from "../../src/entry/bullmq.js";
import { createScheduler, type LocalExecutor, memoryStore, pipeline, type Run, type SchedulerOptions } from "../../src/index.js";
import { serve } from "../../src/service/serve.js";
import { PrivateRedis } from "../support/redis.js";

const ENDS_BY_ITSELF = "a Redis that is away when everything stops";
const [scenario = "", folder = ""] = process.argv.slice(2);
/** What JavaScript lets anybody throw: it has no text. */
const odd = Object.create(null) as object;
const quiet = { log: () => {} };
const reported: string[] = [];

async function started(options: SchedulerOptions) {
  const scheduler = createScheduler({ logger: quiet, cancelGracePeriod: "200ms", ...options });
  scheduler.on("error", ({ where, error }) => reported.push(`${where}: ${error.message}`));
  await scheduler.start();
  return scheduler;
}
type Started = Awaited<ReturnType<typeof started>>;

async function ran(scheduler: Started, id: string, parameters: object = {}): Promise<Run> {
  const ended = new Promise<Run>((resolve) => {
    for (const name of ["run.succeeded", "run.failed", "run.cancelled"] as const) scheduler.on(name, ({ run }) => resolve(run));
  });
  await scheduler.trigger(id, { parameters });
  return ended;
}

/** Resolves when something has been reported. */
const report = async (what: RegExp) => {
  while (!reported.some((one) => what.test(one))) await new Promise((resolve) => setTimeout(resolve, 10));
};

const threads = (source: string): LocalExecutor => {
  const file = join(folder, "work.mjs");
  writeFileSync(file, source);
  return workerThreadExecutor({ module: pathToFileURL(file), concurrency: 1 });
};

const one = (executor: LocalExecutor) => pipeline({ id: "one", executor, execution: { retries: 0 } });

/** Loads what reading SQLite needs, and leaves no process that reads. */
async function readsOnce(file: string): Promise<void> {
  const stopped = new AbortController();
  stopped.abort(new Error("enough"));
  await Promise.allSettled([sqlProbe({ url: `sqlite:${file}` }).measure({ signal: stopped.signal } as never)]);
  driverModule();
}

/** Takes every file descriptor that this process may have; the function returned closes them. */
function exhaust(): () => void {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    return () => taken.forEach((fd) => void closeSync(fd)); // there are no more: that is the point
  }
}

const scenarios: Record<string, () => Promise<unknown>> = {
  "listeners that throw": async () => {
    const scheduler = await started({ pipelines: [pipeline({ id: "one", run: () => "done" })] });
    scheduler.on("run.succeeded", () => {
      throw odd;
    });
    scheduler.on("run.succeeded", () => Promise.reject(odd));
    // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are such
    scheduler.on("run.succeeded", () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(new Error("of a thenable")) }));
    scheduler.on("error", () => {
      throw odd;
    });
    const run = await ran(scheduler, "one");
    await report(/of a thenable/);
    await scheduler.stop();
    return [run.status, reported.length];
  },
  "sensors, channels and conditions that throw": async () => {
    const failed: string[] = [];
    const poll = () => Promise.reject(odd);
    const sensor = {
      kind: "poll",
      name: "odd",
      everyMs: 20,
      jitter: 0,
      timeoutMs: 1_000,
      maxBackoffMs: 20,
      expectWithinMs: null,
      poll,
    } as never;
    const scheduler = await started({
      pipelines: [pipeline({ id: "one", sensors: [sensor], run: () => "done" })],
      monitoring: {
        every: "100ms",
        rules: [
          {
            scope: "scheduler",
            name: "always",
            severity: "info",
            forMs: 0,
            repeatEveryMs: null,
            labels: {},
            check: () => [{ message: "so", value: 1, limit: 0 }],
          } as never,
        ],
        channels: [{ name: "odd", send: () => Promise.reject(odd) }],
      },
    });
    const both = new Promise<void>((resolve) => {
      const add = (name: string) => {
        if (!failed.includes(name)) failed.push(name);
        if (failed.length === 2) resolve();
      };
      scheduler.on("sensor.failed", () => add("sensor"));
      scheduler.on("channel.failed", () => add("channel"));
    });
    await both;
    await scheduler.stop();
    return failed.toSorted();
  },
  "a thread that says too much": async () => {
    const scheduler = await started({
      pipelines: [
        one(
          threads(`export default ({ parameters, heartbeat }) => { if (parameters.big) heartbeat("x".repeat(20_000)); return "done"; };`),
        ),
      ],
    });
    const { status, error } = await ran(scheduler, "one", { big: true });
    const next = await ran(scheduler, "one");
    await scheduler.stop();
    return [status, error?.message, next.output];
  },
  "a thread that breaks after its run": async () => {
    const executor = threads(
      `export default ({ parameters }) => { if (parameters.late) setTimeout(() => { throw new Error("too late"); }, 20); return "done"; };`,
    );
    const scheduler = await started({ pipelines: [one(executor)] });
    const late: unknown[] = [];
    const seen = new Promise<void>((resolve) => scheduler.on("run.late_result", ({ error }) => resolve(void late.push(error))));
    const first = await ran(scheduler, "one", { late: true });
    await seen;
    const next = await ran(scheduler, "one");
    await scheduler.stop();
    return [first.output, late, next.output];
  },
  "no file descriptors for a command": async () => {
    const scheduler = await started({ pipelines: [one(commandExecutor({ command: "cat", output: "json" }))] });
    const before = await ran(scheduler, "one", { n: 1 });
    const free = exhaust();
    const { status, error } = await ran(scheduler, "one", { n: 2 });
    free();
    const after = await ran(scheduler, "one", { n: 3 });
    await scheduler.stop();
    return [before.output, status, error?.message, after.output];
  },
  "no file descriptors for probes": async () => {
    const file = join(folder, "rows.db");
    writeFileSync(file, "");
    const probe = sqlProbe({ url: `sqlite:${file}`, query: "SELECT 1 AS value" });
    const context = { signal: AbortSignal.timeout(20_000) } as never;
    await Promise.all([commandProbe({ command: "true" }).measure(context), readsOnce(file)]);
    const free = exhaust();
    const answers = await Promise.allSettled([commandProbe({ command: "true" }).measure(context), probe.measure(context)]);
    free();
    return answers.map((answer) => (answer.status === "rejected" ? String((answer.reason as Error).message) : answer.value));
  },
  "a configuration whose folder becomes a file": async () => {
    const where = join(folder, "etc");
    mkdirSync(where);
    const path = join(where, "headgate.yaml");
    writeFileSync(path, "pipelines: {}\n");
    const config = loadConfig(path, {});
    const scheduler = await started({ pipelines: [], store: memoryStore() });
    const watch = watchConfig(scheduler, path, { current: config, every: "20ms", onProblem: (error) => reported.push(error.message) });
    renameSync(where, `${where}-away`);
    writeFileSync(where, "");
    await report(/headgate.yaml/);
    await watch.close();
    await scheduler.stop();
    return true;
  },
  "a mail transport that breaks": async () => {
    const transport = new EventEmitter();
    const send = (_: unknown, done: (error: null, info: object) => void) => done(null, {});
    const on = transport.on.bind(transport);
    const channel = emailChannel({ server: { name: "own", version: "1", send, on }, from: "a@example.com", to: "b@example.com" });
    const alert = {
      id: "a",
      rule: "r",
      pipelineId: null,
      severity: "info",
      status: "firing",
      message: "so",
      value: 1,
      limit: 0,
      since: 0,
      firedAt: 0,
      labels: {},
    };
    const notification = { id: "n", at: new Date(), severity: "info", subject: "so", text: "so", alerts: [{ kind: "fired", alert }] };
    await channel.send(notification as never, { signal: AbortSignal.timeout(5_000), now: 0 });
    transport.emit("error", new Error("of the token"));
    return "sent";
  },
  "a listening socket that breaks": async () => {
    const path = join(folder, "serve.yaml");
    writeFileSync(path, "pipelines: {}\n");
    const service = await serve({
      file: path,
      port: 0,
      logger: () => quiet,
      onToken: () => {},
      env: { PIPELINE_API_TOKEN: "a-token-of-the-survivors" },
    });
    service.scheduler.on("error", ({ where, error }) => reported.push(`${where}: ${error.message}`));
    const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
    for (const handle of handles) if (handle instanceof Server) handle.emit("error", new Error("accept ENFILE"));
    const { status } = await fetch(`${service.url}/health`);
    await service.stop();
    return [status, reported];
  },
  [ENDS_BY_ITSELF]: async () => {
    const redis = await new PrivateRedis().start();
    const work = pipeline({ id: "one", run: () => "done", execution: { retries: 0 } });
    const worker = createWorker([work], { redis: redis.url, logger: quiet });
    await worker.ready();
    const scheduler = await started({ pipelines: [work], executor: bullmqExecutor({ redis: redis.url }) });
    const { output } = await ran(scheduler, "one");
    await redis.remove();
    await Promise.all([scheduler.stop({ drain: 0 }), worker.close({ force: true })]);
    return output;
  },
};

const result = await scenarios[scenario]?.();
console.log(JSON.stringify(result));
if (scenario !== ENDS_BY_ITSELF) process.exit(0);
