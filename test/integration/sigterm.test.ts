import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const FIXTURE = fileURLToPath(new URL("sigterm.fixture.ts", import.meta.url));
const WAITING = 20_000;
const folder = mkdtempSync(join(tmpdir(), "headgate-sigterm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a process with a backlog of quick runs on SQLite", () => {
  it(`heeds SIGTERM within 1 s with ${WAITING} triggers waiting, and stops without working them off`, async () => {
    const file = join(folder, "backlog.db");
    const args = ["--import", "tsx", FIXTURE];
    const filled = spawnSync(process.execPath, [...args, "fill", file, String(WAITING)], { encoding: "utf8" });
    expect([filled.status, filled.stderr]).toEqual([0, expect.not.stringContaining("Error")]);
    const child = spawn(process.execPath, [...args, "run", file], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    const exit = once(child, "exit");
    try {
      while (!out.includes("working")) await Promise.race([once(child.stdout, "data"), exit.then(() => Promise.reject(new Error(out)))]);
      expect(out).toContain("started"); // before the backlog was worked off
      const sentAt = Date.now();
      child.kill("SIGTERM");
      await exit;
      const [, heeded = "0", stopped = "0", runs = "0"] = /heeded (\d+)\nstopped (\d+) after (\d+) runs/.exec(out) ?? [];
      expect(Number(heeded) - sentAt).toBeLessThan(1_000);
      expect(Number(stopped) - sentAt).toBeLessThan(5_000);
      expect(Number(runs)).toBeLessThan(WAITING / 2);
    } finally {
      child.kill("SIGKILL");
    }
  }, 120_000);
});
