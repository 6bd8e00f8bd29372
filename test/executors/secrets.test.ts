import { afterEach, describe, expect, it } from "vitest";
import { commandExecutor } from "../../src/adapters/executors/local/index.js";
import { webhookExecutor } from "../../src/adapters/executors/webhook/webhook.js";
import {
  condition,
  createScheduler,
  type EventName,
  type Executor,
  type Pipeline,
  pipeline,
  type Run,
  type Scheduler,
  type SchedulerOptions,
  sensor,
} from "../../src/index.js";
import { listen } from "../support/service.js";

const SECRET = "env-secret-4711-of-headgate";
const ENV = { API_KEY: SECRET };
const EVENTS: readonly EventName[] = [
  "decision",
  "error",
  "run.failed",
  "run.late_result",
  "run.progress",
  "run.retrying",
  "run.succeeded",
  "sensor.failed",
  "trigger.failed",
  "trigger.held",
];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function withErrors(_: string, value: unknown): unknown {
  return value instanceof Error ? { ...value, message: value.message, stack: value.stack, cause: value.cause } : value;
}

/** A scheduler, and all that it says: its events and its log. */
async function started(pipelines: readonly Pipeline[], options: SchedulerOptions = {}) {
  const said: string[] = [];
  const scheduler = createScheduler({
    pipelines,
    logger: { log: (...line) => void said.push(JSON.stringify(line, withErrors)) },
    cancelGracePeriod: "1s",
    ...options,
  });
  for (const name of EVENTS) scheduler.on(name, (event) => void said.push(JSON.stringify([name, event], withErrors)));
  await scheduler.start();
  ends.push(() => scheduler.stop({ drain: 0 }));
  return { scheduler, said };
}

/** Everything that can be read of it afterwards, as one text. */
async function readable(scheduler: Scheduler): Promise<string> {
  const parts = [scheduler.runs(), scheduler.triggers(), scheduler.decisions(), scheduler.audit.list({ limit: 1_000 }), scheduler.status()];
  const explained = scheduler.pipelines().map(({ id }) => scheduler.explain(id, new Date(scheduler.host.clock.now())));
  return JSON.stringify(await Promise.all([...parts, ...explained]));
}

async function ran(scheduler: Scheduler, id: string): Promise<Run> {
  const ended = new Promise<Run>((resolve) => {
    for (const name of ["run.succeeded", "run.failed"] as const)
      scheduler.on(name, ({ run }) => {
        if (run.pipelineId === id) resolve(run);
      });
  });
  await scheduler.trigger(id);
  return ended;
}

const job = (id: string, executor: Executor) => pipeline({ id, executor, execution: { retries: 0 } });
const shell = (script: string, options: object = {}) => commandExecutor({ command: "sh", args: ["-c", script], env: ENV, ...options });

describe("what an executor holds stands in nothing that is kept or said", () => {
  it("of a command: outputs, errors, end reasons, JSON, and base64", async () => {
    const { scheduler, said } = await started([
      job("prints", shell('echo "key $API_KEY"; printf "user:%s" "$API_KEY" | base64 >&2')),
      job("fails", shell('echo "no access with $API_KEY" >&2; exit 1')),
      job("json", shell('printf \'{"%s":["%s"]}\' "$API_KEY" "$API_KEY"', { output: "json" })),
      job("no_json", shell('printf "%s" "$API_KEY"', { output: "json" })),
    ]);
    expect((await ran(scheduler, "prints")).output).toMatchObject({
      stdout: "key [redacted]\n",
      stderr: expect.stringContaining("[redacted]"),
    });
    expect((await ran(scheduler, "fails")).error?.message).toBe("exited with 1: no access with [redacted]");
    expect((await ran(scheduler, "json")).output).toEqual({ "[redacted]": ["[redacted]"] });
    expect((await ran(scheduler, "no_json")).error?.message).toMatch(/^succeeded, but its output is not JSON: .*(line|column|character)/);
    const text = (await readable(scheduler)) + said.join();
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(Buffer.from(`user:${SECRET}`).toString("base64").slice(8, 30));
  });

  it("nor half of it, wherever an output or an error is cut", async () => {
    const cuts = [20, 21, 22, 23, 24, 25, 30];
    const pipelines = cuts.map((outputLimit) =>
      job(`cut_${outputLimit}`, shell('head -c 5000 /dev/zero | tr "\\0" x; printf "%s" "$API_KEY"', { outputLimit })),
    );
    const long = (nth: number) =>
      job(`long_${nth}`, shell(`head -c ${nth} /dev/zero | tr "\\0" x >&2; printf "%s yyyyyyyy" "$API_KEY" >&2; exit 1`));
    const { scheduler } = await started([...pipelines, ...[470, 480, 490, 499].map(long)]);
    for (const { id } of scheduler.pipelines()) await ran(scheduler, id);
    const text = await readable(scheduler);
    for (let at = 0; at + 6 <= SECRET.length; at++) expect(text).not.toContain(SECRET.slice(at, at + 6));
  });

  it("of variables that it passes on, but not of usual ones, and not what is named as an exception", async () => {
    process.env.HEADGATE_TEST_PASSED_ON = "passed-on-secret-0815";
    try {
      const executor = commandExecutor({
        command: "sh",
        args: ["-c", 'echo "$HEADGATE_TEST_PASSED_ON $LEVEL $TABLE $HOME"'],
        envFrom: ["PATH", "HOME", "HEADGATE_TEST_PASSED_ON"],
        env: { LEVEL: "warning", TABLE: "sales_daily" },
      });
      const { scheduler } = await started([job("job", executor)], { redactExcept: ["sales_daily"] });
      expect((await ran(scheduler, "job")).output).toMatchObject({ stdout: `[redacted] warning sales_daily ${process.env.HOME}\n` });
    } finally {
      delete process.env.HEADGATE_TEST_PASSED_ON;
    }
  });

  it("of a webhook: headers that the service sends back, in answers, refusals and while it cannot be reached", async () => {
    const answers = [503, 400];
    const { url, close } = await listen((request, response) => {
      request.resume().on("end", () => response.writeHead(answers.shift() ?? 200).end(JSON.stringify(request.headers)));
    });
    ends.push(close);
    const executor = webhookExecutor({
      url: `${url}/run?token=query-secret-0001`,
      secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      headers: { "x-api-key": SECRET, authorization: `Basic ${Buffer.from("me:basic-secret-0002").toString("base64")}` },
    });
    const { scheduler, said } = await started([job("job", executor)]);
    expect((await ran(scheduler, "job")).error?.message).toMatch(/responded with 400: \{.*\[redacted\]/);
    expect((await ran(scheduler, "job")).output).toMatchObject({ "x-api-key": "[redacted]", authorization: "[redacted]" });
    const text = (await readable(scheduler)) + said.join();
    expect(text).toMatch(/responded with 503/);
    expect(text).not.toMatch(/env-secret|basic-secret|query-secret|bWU6YmFzaWMtc2VjcmV0/);
  });

  it("in decisions, sensors, the log of a run and errors of listeners", async () => {
    const gated = pipeline({
      id: "gated",
      onBlock: "hold",
      conditions: [condition("asks", async () => Promise.reject(new Error(`GET https://x.example?sig=abcdef failed with ${SECRET}`)))],
      run: () => {},
    });
    const sensed = pipeline({
      id: "sensed",
      sensors: [sensor("looks", () => Promise.reject(new Error(`cannot log in with ${SECRET}`)), { every: "1s" })],
      run: () => {},
    });
    const logs = pipeline({
      id: "logs",
      run: ({ log, heartbeat }) => {
        log.warn(`using ${SECRET}`, { nested: { list: [SECRET, new Error(SECRET)] } });
        heartbeat({ at: SECRET });
        return SECRET;
      },
    });
    const held: Executor = { ...commandExecutor({ command: "true" }), secrets: [SECRET] };
    const { scheduler, said } = await started([gated, sensed, logs], { executors: { held } });
    const failed = new Promise((resolve) => scheduler.on("sensor.failed", resolve));
    const waits = new Promise((resolve) => scheduler.on("trigger.held", resolve));
    scheduler.on("run.succeeded", () => {
      throw new Error(`a listener knows ${SECRET}`);
    });
    await scheduler.trigger("gated");
    expect((await ran(scheduler, "logs")).output).toBe("[redacted]");
    await Promise.all([failed, waits]);
    const text = (await readable(scheduler)) + said.join();
    expect(text).toMatch(/GET https:\/\/x\.example\?sig=\[redacted\] failed with \[redacted\]/);
    expect(text).toMatch(/cannot log in with \[redacted\]/);
    expect(text).toMatch(/a listener knows \[redacted\]/);
    expect(text).not.toContain(SECRET);
  });

  it("when it comes with a reload, and still after the reload that takes it away", async () => {
    const prints = job("job", shell('echo "$API_KEY"'));
    const { scheduler } = await started([job("other", commandExecutor({ command: "true" }))]);
    await scheduler.reload({ pipelines: [prints], redact: ["another"] });
    expect((await ran(scheduler, "job")).output).toMatchObject({ stdout: "[redacted]\n" });
    const plain = job("job", commandExecutor({ command: "echo", args: [SECRET] }));
    await scheduler.reload({ pipelines: [plain], redact: [] });
    expect((await ran(scheduler, "job")).output).toMatchObject({ stdout: "[redacted]\n" });
  });
});
