import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach } from "vitest";

/** A folder for a test file, removed in the end, and its processes, killed after each test. */
export function processes(name: string): { readonly folder: string; track(child: ChildProcess): void } {
  const folder = mkdtempSync(join(tmpdir(), `headgate-${name}-`));
  const running = new Set<ChildProcess>();
  afterEach(() => {
    for (const child of running) child.kill("SIGKILL");
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    track: (child) => {
      running.add(child);
      child.once("exit", () => running.delete(child));
    },
  };
}
