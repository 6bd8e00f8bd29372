import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { freePort } from "./port.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const folders: string[] = [];
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "headgate-cli-"));
  folders.push(folder);
  return folder;
}

/** The environment of a command: nothing of this machine's own settings. */
function environment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, ...env };
}

export interface Told {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function headgate(
  args: readonly string[],
  { cwd = newFolder(), env = {} }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Told {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd, env: environment(env), encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

export interface Served {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it has said so far. */
  text(): { readonly out: string; readonly err: string };
  /** Resolves when a line of its log matches. */
  said(pattern: RegExp): Promise<void>;
  /** Ends it by a signal and gives its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `headgate serve`, ready. */
export async function served(
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Readonly<Record<string, string>> },
): Promise<Served> {
  const port = await freePort();
  const child = spawn(process.execPath, [CLI, "serve", ...args, "--port", String(port)], {
    cwd,
    env: environment(env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = once(child, "exit");
  const said = async (pattern: RegExp) => {
    while (!pattern.test(out)) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`headgate serve ended (${child.exitCode}): ${out}${err}`);
      await Promise.race([once(child.stdout, "data"), ended]);
    }
  };
  await said(/"message":"ready"|^\[headgate\] info: ready/m);
  return {
    url: `http://127.0.0.1:${port}`,
    child,
    text: () => ({ out, err }),
    said,
    end: async (signal = "SIGTERM") => {
      child.kill(signal);
      await ended;
      children.delete(child);
      return child.exitCode;
    },
  };
}
