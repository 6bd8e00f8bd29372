import { afterAll, describe, expect, it } from "vitest";
import { commandExecutor } from "../../src/adapters/executors/local/index.js";
import { createScheduler, memoryStore, type Pipeline, pipeline, type Run } from "../../src/index.js";

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends) await end();
});

/** Runs a shell script once, and gives the run when it has ended. */
async function ran(
  script: string,
  rest: Partial<Parameters<typeof pipeline>[0]> = {},
  options: Partial<Parameters<typeof commandExecutor>[0]> = {},
): Promise<Run> {
  const one: Pipeline = pipeline({
    id: "job",
    execution: { retries: 0 },
    executor: commandExecutor({ command: "/bin/sh", args: ["-c", script], ...options }),
    ...rest,
  });
  const scheduler = createScheduler({ pipelines: [one], store: memoryStore(), logger: { log: () => {} }, cancelGracePeriod: "2s" });
  ends.push(() => scheduler.stop({ drain: 0 }));
  await scheduler.start();
  const done = new Promise<Run>((resolve) => {
    for (const name of ["run.succeeded", "run.failed", "run.timed_out", "run.cancelled"] as const)
      scheduler.on(name, ({ run }) => resolve(run));
  });
  await scheduler.trigger("job");
  return done;
}

describe("what a command printed", () => {
  it("is kept with the attempt when it fails: both outputs, whole if they are short", async () => {
    const { error } = await ran("echo loading; echo 'Traceback:' >&2; for n in 1 2 3 4 5 6; do echo \"  line $n\" >&2; done; exit 3");
    expect(error).toMatchObject({
      code: "COMMAND_FAILED",
      output: { stdout: "loading\n", stderr: "Traceback:\n  line 1\n  line 2\n  line 3\n  line 4\n  line 5\n  line 6\n" },
    });
  });

  it("is kept when it timed out, or ended well after it was told to end", async () => {
    const slow = { execution: { retries: 0, timeout: "300ms" } };
    const killed = await ran("echo waiting for lock held by pid 4711; sleep 20", slow);
    expect(killed).toMatchObject({
      status: "timed_out",
      error: { code: "RUN_TIMED_OUT", output: { stdout: "waiting for lock held by pid 4711\n" } },
    });
    const obedient = await ran("trap 'exit 0' TERM; echo began; sleep 20 & wait", slow);
    expect(obedient).toMatchObject({ status: "timed_out", error: { output: { stdout: expect.stringContaining("began") } } });
  });

  it("has its beginning and its end when it is long, and no secret, not even a part of one", async () => {
    const secret = "sup3r-s3cret-value-of-the-warehouse";
    const script = `printf 'first line\\n' >&2; printf "%s" "$TOKEN" >&2; i=0; while [ $i -lt 900 ]; do echo "line $i é" >&2; i=$((i+1)); done; printf "last $TOKEN" >&2; exit 1`;
    const { error } = await ran(script, {}, { env: { TOKEN: secret }, envFrom: ["PATH"] });
    const { stderr = "" } = error?.output ?? {};
    expect(stderr).toMatch(/^first line\n\[redacted\]line 0 é\n[\s\S]*… \(\d+ bytes omitted\)[\s\S]*line 899 é\nlast \[redacted\]$/);
    expect(stderr.length).toBeLessThan(2_700);
    expect(stderr).not.toContain("\ufffd");
    expect(stderr).not.toContain(secret.slice(0, 8));
  });

  it("is kept with each attempt, with exit codes that are final too", async () => {
    const again = await ran("echo attempt $HEADGATE_ATTEMPT; exit 1", { execution: { retries: 2, retryDelay: "50ms" } });
    expect(again.attempts.map(({ error }) => error?.output?.stdout)).toEqual(["attempt 1\n", "attempt 2\n"]);
    expect(again.error?.output?.stdout).toBe("attempt 3\n");
    const final = await ran("echo bad input; exit 64", { execution: { retries: 2 } }, { finalExitCodes: [64] });
    expect(final).toMatchObject({ attempt: 1, error: { output: { stdout: "bad input\n" } } });
  });
});

describe("a command that cannot be started", () => {
  it.each([
    [{ command: "headgate-no-such-program", args: [] }, /^headgate-no-such-program cannot be started \(ENOENT\): not found in the PATH/],
    [
      { command: "/bin/sh", args: [], cwd: "/no/such/directory" },
      /^\/bin\/sh cannot be started in \/no\/such\/directory \(ENOENT\): the directory \(cwd\) does not/,
    ],
    [{ command: "/", args: [] }, /^\/ cannot be started \(EACCES\): it is not executable/],
  ])("is named with its directory: %j", async (options, words) => {
    expect((await ran("", {}, options)).error?.message).toMatch(words);
  });
});
