import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { freePort } from "../support/port.js";
import { hasRedisBinary } from "../support/redis.js";

const FIXTURE = fileURLToPath(new URL("survivor.fixture.ts", import.meta.url));
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "headgate-survivor-"));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a scenario in a process with few file descriptors; resolves with what it prints. @throws when the process ends before */
async function survives(scenario: string): Promise<unknown> {
  const own = mkdtempSync(join(folder, "scenario-"));
  const line = `ulimit -n 256; exec "$0" --import tsx "$@"`;
  const child = spawn("sh", ["-c", line, process.execPath, FIXTURE, scenario, own], { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const text = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text.err += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  children.delete(child);
  if (code !== 0) throw new Error(`the host ended with ${code}: ${text.err}`);
  expect(text.err).toBe("");
  return JSON.parse(text.out);
}

describe("a host lives on", () => {
  it("when listeners throw what has no text", async () => {
    expect(await survives("listeners that throw")).toEqual(["succeeded", 3]);
  });

  it("when sensors and channels throw what has no text", async () => {
    expect(await survives("sensors, channels and conditions that throw")).toEqual(["channel", "sensor"]);
  });

  it("when a thread says more than is kept, which fails its run", async () => {
    expect(await survives("a thread that says too much")).toEqual(["failed", expect.stringMatching(/progress of run/), "done"]);
  });

  it("when a thread breaks after its run, whose place another takes", async () => {
    expect(await survives("a thread that breaks after its run")).toEqual(["done", ["too late"], "done"]);
  });

  it.skipIf(process.platform === "win32")("when there are no file descriptors for a command", async () => {
    expect(await survives("no file descriptors for a command")).toEqual([
      { n: 1 },
      "failed",
      expect.stringMatching(/cannot be started \(EMFILE\)/),
      { n: 3 },
    ]);
  });

  it.skipIf(process.platform === "win32")("when there are no file descriptors for probes", async () => {
    expect(await survives("no file descriptors for probes")).toEqual([
      expect.stringMatching(/cannot be started|EMFILE/),
      expect.stringMatching(/EMFILE/),
    ]);
  });

  it("when the folder of its configuration becomes a file", async () => {
    expect(await survives("a configuration whose folder becomes a file")).toBe(true);
  });

  it("when a mail transport breaks between two mails", async () => {
    expect(await survives("a mail transport that breaks")).toBe("sent");
  });

  it("when a listening socket breaks", async () => {
    expect(await survives("a listening socket that breaks")).toEqual([200, [expect.stringMatching(/accept ENFILE/)]]);
  });

  it.skipIf(!hasRedisBinary())("until it is stopped, also while Redis is away", async () => {
    expect(await survives("a Redis that is away when everything stops")).toBe("done");
  });

  it.skipIf(process.platform !== "linux")("when the disk of its log is full, and says so with its exit code", async () => {
    const port = await freePort();
    const child = spawn("sh", ["-c", `exec "$0" "$1" serve --port "$2" >/dev/full`, process.execPath, CLI, String(port)], {
      cwd: mkdtempSync(join(folder, "full-")),
      stdio: ["ignore", "ignore", "pipe"],
    });
    children.add(child);
    let text = "";
    child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const ended = once(child, "exit");
    while (!/token/.test(text)) {
      await Promise.race([once(child.stderr, "data"), ended]);
      if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}: ${text}`);
    }
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200); // by now it minds signals
    child.kill("SIGTERM");
    expect(await ended).toEqual([1, null]);
  });
});
