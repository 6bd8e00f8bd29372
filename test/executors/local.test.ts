import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { commandExecutor, workerThreadExecutor } from "../../src/adapters/executors/local/index.js";
import {
  createScheduler,
  every,
  functionExecutor,
  HeadgateError,
  NonRetryableError,
  type Pipeline,
  pipeline,
  type Run,
} from "../../src/index.js";
import { describeExecutor } from "../../src/testing/index.js";

const WORK = new URL("work.mjs", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "headgate-executors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeExecutor(
  "functionExecutor",
  async () => {
    const { work } = (await import(WORK.href)) as { work(parameters: unknown, signal: AbortSignal): Promise<unknown> };
    return {
      executor: functionExecutor(),
      run: async ({ parameters, signal }) => {
        try {
          return await work(parameters, signal);
        } catch (error) {
          throw (error as Error).name === "NonRetryableError" ? new NonRetryableError((error as Error).message) : error;
        }
      },
    };
  },
  { describe, it },
);
describeExecutor(
  "commandExecutor",
  () => ({
    executor: commandExecutor({
      command: process.execPath,
      args: [fileURLToPath(WORK)],
      output: "json",
      finalExitCodes: [64],
      concurrency: 4,
    }),
  }),
  { describe, it },
);
describeExecutor("workerThreadExecutor", () => ({ executor: workerThreadExecutor({ module: WORK, concurrency: 4 }) }), { describe, it });

async function ran(one: Pipeline, options: Parameters<typeof createScheduler>[0] = {}, trigger: object = {}): Promise<Run> {
  const scheduler = createScheduler({ pipelines: [one], logger: { log: () => {} }, cancelGracePeriod: "1s", ...options });
  await scheduler.start();
  const done = new Promise<Run>((resolve) => {
    for (const name of ["run.succeeded", "run.failed", "run.timed_out", "run.cancelled"] as const)
      scheduler.on(name, ({ run }) => resolve(run));
  });
  await scheduler.trigger(one.id, trigger);
  const run = await done;
  await scheduler.stop({ drain: 0 });
  return run;
}
const script = (code: string, rest: object = {}) => commandExecutor({ command: process.execPath, args: ["-e", code], ...rest });
const command = (code: string, rest: object = {}, execution: object = { retries: 0 }) =>
  pipeline({ id: "job", executor: script(code, rest), execution });
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
};

describe("a command", () => {
  it("gets parameters on its input, facts about its run in its environment, and nothing else of it", async () => {
    process.env.HEADGATE_TEST_SECRET = "do not hand me on";
    const code = `let t=""; process.stdin.on("data",c=>t+=c).on("end",()=>console.log(JSON.stringify({ given: JSON.parse(t), env: Object.keys(process.env).sort(), pipeline: process.env.HEADGATE_PIPELINE, own: process.env.OWN })))`;
    const run = await ran(command(code, { output: "json", env: { OWN: "yes" } }), {}, { parameters: { day: "2026-03-01" } });
    const { given, env, pipeline: id, own } = run.output as { given: unknown; env: string[]; pipeline: string; own: string };
    expect([given, id, own]).toEqual([{ day: "2026-03-01" }, "job", "yes"]);
    expect(env).not.toContain("HEADGATE_TEST_SECRET");
    expect(env).toContain("HEADGATE_RUN_ID");
  });

  it("makes its arguments of the run, and no shell reads them", async () => {
    const executor = commandExecutor({
      command: process.execPath,
      args: ({ parameters }) => ["-p", "process.argv[1]", (parameters as { day: string }).day],
    });
    const run = await ran(pipeline({ id: "job", executor }), {}, { parameters: { day: "$(touch /tmp/x); `id` && echo" } });
    expect(run.output).toMatchObject({ exit_code: 0, stdout: "$(touch /tmp/x); `id` && echo\n" });
  });

  it("keeps the end of what it writes, within bounds, without secrets", async () => {
    const run = await ran(
      command(`process.stdout.write("x".repeat(5_000_000) + " key-4711 postgres://me:hunter22@db/x end"); console.error("warned")`, {
        outputLimit: 1_000,
      }),
      {
        redact: ["key-4711"],
      },
    );
    const { stdout, stderr } = run.output as { stdout: string; stderr: string };
    expect(stdout.length).toBeLessThan(1_200);
    expect(stdout).toMatch(/^… \(\d+ bytes before this\)\nx+ \[redacted\] postgres:\/\/me:\[redacted\]@db\/x end$/);
    expect(stderr).toBe("warned\n");
  });

  it("tells its exit code and what it wrote last, when it fails", async () => {
    const run = await ran(command(`console.error("line 1\\nno such table: sales"); process.exit(3)`));
    expect(run).toMatchObject({
      status: "failed",
      error: { code: "COMMAND_FAILED", message: "exited with 3: line 1\nno such table: sales" },
    });
    expect(
      await ran(pipeline({ id: "job", executor: commandExecutor({ command: "/no/such/program" }), execution: { retries: 0 } })),
    ).toMatchObject({
      status: "failed",
      error: { message: expect.stringMatching(/ cannot be started \(ENOENT\): no such file/) },
    });
    expect(await ran(command("process.kill(process.pid, 'SIGKILL')"))).toMatchObject({ error: { message: "was killed by SIGKILL" } });
    expect(await ran(command("console.log('no json')", { output: "json" }))).toMatchObject({
      error: { message: expect.stringMatching(/its output is not JSON: .* at line \d+, column \d+$/) },
    });
  });

  it("is ended with all it has started, although it does not heed SIGTERM", async () => {
    const pids = join(folder, "pids");
    const child = `process.on("SIGTERM",()=>{}); setInterval(()=>{}, 1000);`;
    const code = `const fs=require("fs"); process.on("SIGTERM",()=>fs.appendFileSync("${pids}.term","got it")); const c=require("child_process").spawn(process.execPath,["-e",${JSON.stringify(child)}],{stdio:"inherit"}); fs.writeFileSync("${pids}", process.pid+" "+c.pid); setInterval(()=>{}, 1000);`;
    const run = await ran(command(code, {}, { retries: 0, timeout: "3s" })); // as long as two processes may take to start
    expect(run.status).toBe("timed_out");
    expect(existsSync(`${pids}.term`)).toBe(true);
    const [parent, grandchild] = readFileSync(pids, "utf8").split(" ").map(Number);
    const alive = () => [parent, grandchild].filter((pid) => isAlive(pid as number));
    await vi.waitFor(() => expect(alive()).toEqual([]), { timeout: 5_000 }); // whoever inherits a process that was killed takes a moment to reap it
  });

  it("leaves no orphan when headgate itself is killed", async () => {
    const file = join(folder, "orphan");
    const host = join(folder, "host.mts");
    const index = new URL("../../src/", import.meta.url).href;
    const code = `require("fs").writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(()=>{}, 1000);`;
    writeFileSync(
      host,
      `import { createScheduler, pipeline } from "${index}index.js";
       import { commandExecutor } from "${index}adapters/executors/local/index.js";
       const job = pipeline({ id: "job", executor: commandExecutor({ command: process.execPath, args: ["-e", ${JSON.stringify(code)}] }) });
       const scheduler = createScheduler({ pipelines: [job] });
       await scheduler.start();
       await scheduler.trigger("job");`,
    );
    const root = fileURLToPath(new URL("../../", import.meta.url));
    const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", host], { stdio: "inherit", cwd: root });
    while (!existsSync(file) || readFileSync(file, "utf8") === "") await new Promise((resolve) => setTimeout(resolve, 20));
    const pid = Number(readFileSync(file, "utf8"));
    expect(isAlive(pid)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGKILL");
    await once(child, "exit");
    for (const until = Date.now() + 5_000; isAlive(pid) && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAlive(pid)).toBe(false);
    expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(file);
  });

  it("runs where the streams of a process cannot be let go, as on Bun", async () => {
    const { unref } = Socket.prototype;
    Reflect.deleteProperty(Socket.prototype, "unref");
    try {
      const echo = commandExecutor({ command: process.execPath, args: ["-e", "console.log('hi')"] });
      expect(await ran(pipeline({ id: "echo", executor: echo }))).toMatchObject({ status: "succeeded", output: { stdout: "hi\n" } });
    } finally {
      Socket.prototype.unref = unref;
    }
  });

  it("says what is wrong with its options", () => {
    expect(() => commandExecutor({ command: "" })).toThrow(HeadgateError);
    expect(() => commandExecutor({ command: "ls -la | wc" })).toThrow(/arguments as args/);
    expect(() => commandExecutor({ command: "x", args: ["a\0b"] })).toThrow(/array of strings/);
    expect(() => commandExecutor({ command: "x", concurrency: 0 })).toThrow(/concurrency/);
    expect(() => commandExecutor({ command: "x", outputLimit: 1e9 })).toThrow(/outputLimit/);
  });
});

describe("a thread", () => {
  it("runs the function that is named as the pipeline, keeps progress, and hands errors over with their codes", async () => {
    const executor = workerThreadExecutor({ module: fileURLToPath(WORK), concurrency: 1 });
    expect((await ran(pipeline({ id: "named", executor }))).output).toEqual({ pipelineId: "named", attempt: 1 });
    const failed = await ran(
      pipeline({ id: "job", executor: workerThreadExecutor({ module: WORK }), execution: { retries: 0 } }),
      {},
      { parameters: { work: "fail" } },
    );
    expect(failed).toMatchObject({
      status: "failed",
      progress: { seen: "fail" },
      error: {
        message: "as requested",
        stack: expect.stringMatching(/^Error: as requested\n {4}at work .*work\.mjs:\d+/),
        cause: { message: "by its parameters", code: "RangeError", stack: expect.stringContaining("work.mjs") },
      },
    });
    const nothing = pipeline({
      id: "job",
      executor: workerThreadExecutor({ module: join(folder, "nothing.mjs") }),
      execution: { retries: 0 },
    });
    expect(await ran(nothing)).toMatchObject({ status: "failed", error: { message: expect.stringContaining("Cannot find module") } });
  });

  it("that never looks up is ended with its thread after the grace, and the next run gets another", async () => {
    const executor = workerThreadExecutor({ module: WORK, concurrency: 1 });
    const spinning = pipeline({ id: "job", executor, execution: { retries: 0, timeout: "300ms" } });
    const scheduler = createScheduler({ pipelines: [spinning], logger: { log: () => {} }, cancelGracePeriod: "300ms" });
    await scheduler.start();
    const timedOut = new Promise((resolve) => scheduler.once("run.timed_out", resolve));
    await scheduler.trigger("job", { parameters: { work: "spin", ms: 60_000 } });
    await timedOut;
    const succeeded = new Promise((resolve) => scheduler.once("run.succeeded", resolve));
    await scheduler.trigger("job", { parameters: { work: "succeed" } });
    await succeeded;
    await scheduler.stop();
  });

  it("that is busy for seconds delays none of 1,000 schedules", async () => {
    const busy = pipeline({ id: "job", executor: workerThreadExecutor({ module: WORK, concurrency: 1 }) });
    let late = 0;
    let count = 0;
    const ticks = Array.from({ length: 1_000 }, (_, n) =>
      pipeline({
        id: `tick${n}`,
        schedule: every("1s"),
        run: ({ trigger, clock }) => {
          count++;
          late = Math.max(late, clock.now() - (trigger.scheduledFor?.getTime() ?? 0));
        },
      }),
    );
    const scheduler = createScheduler({
      pipelines: [busy, ...ticks],
      logger: { log: () => {} },
      executor: functionExecutor({ concurrency: 2_000 }),
    });
    await scheduler.start();
    const done = new Promise((resolve) => scheduler.on("run.succeeded", ({ run }) => run.pipelineId === "job" && resolve(run)));
    await scheduler.trigger("job", { parameters: { work: "spin", ms: 4_000 } });
    await done;
    await scheduler.stop({ drain: 0 });
    expect(count).toBeGreaterThanOrEqual(3_000);
    expect(late).toBeLessThan(1_000); // a function of this process would have held all of them up for four seconds
  });
});
