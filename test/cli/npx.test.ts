import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it, vi } from "vitest";
import { whenNpxIsGone } from "../../src/cli/parent.js";

const FIXTURE = fileURLToPath(new URL("npx.fixture.ts", import.meta.url));

it.skipIf(process.platform === "win32")(
  "a service that npx started ends when npx and its shell were killed",
  { timeout: 60_000 },
  async () => {
    const shell = spawn("/bin/sh", ["-c", `'${process.execPath}' --import tsx '${FIXTURE}'; true`], {
      env: { ...process.env, npm_command: "exec" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    shell.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(`up ${shell.pid}`)) shell.kill("SIGTERM"); // as npm does; the shell passes it on to nobody
    });
    await once(shell.stdout, "close");
    expect(text.trim().split("\n")).toEqual([`up ${shell.pid}`, "gone"]);
  },
);

it.each([
  ["is gone with npx", { npm_command: "exec" }, true],
  ["that was started otherwise may outlive its parent", {}, false],
  ["that a script started may outlive its parent", { npm_command: "run-script" }, false],
])("a service %s", (_, env, ends) => {
  vi.useFakeTimers();
  const view = { env, ppid: 5 };
  const onGone = vi.fn();
  whenNpxIsGone(onGone, view);
  vi.advanceTimersByTime(10_000);
  expect(onGone).not.toHaveBeenCalled();
  view.ppid = 1;
  vi.advanceTimersByTime(10_000);
  vi.useRealTimers();
  expect(onGone).toHaveBeenCalledTimes(ends ? 1 : 0);
});
