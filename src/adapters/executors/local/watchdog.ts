import { type ChildProcess, spawn } from "node:child_process";
import { execPath, platform } from "node:process";
import type { Writable } from "node:stream";

/**
 * A separate process that knows the active process groups, and ends them when this process is gone for any reason: its standard input closes then.
 */
const SOURCE = `
const groups = new Set();
let rest = "";
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n");
  rest = lines.pop();
  for (const line of lines) line[0] === "+" ? groups.add(+line.slice(1)) : groups.delete(+line.slice(1));
});
const all = (signal) => { for (const group of groups) try { process.kill(-group, signal); } catch {} };
const end = () => { all("SIGTERM"); setTimeout(() => { all("SIGKILL"); process.exit(0); }, groups.size === 0 ? 0 : 2000); };
process.stdin.on("end", end).on("error", end);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
`;

/** Ends process groups when this process dies, even by `kill -9`. Where there are no process groups (Windows) it does nothing. */
export class Watchdog {
  readonly #groups = new Set<number>();
  #child: ChildProcess | null = null;

  /** Called right after a group was started. */
  add(group: number): void {
    if (platform === "win32") return;
    this.#groups.add(group);
    if (this.#child === null) this.#start();
    else this.#tell(`+${group}\n`);
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`-${group}\n`);
  }

  close(): void {
    this.#child?.stdin?.end();
    this.#child = null;
  }

  #start(): void {
    const child = spawn(execPath, ["-e", SOURCE], { stdio: ["pipe", "ignore", "ignore"], detached: true, env: {} });
    this.#child = child;
    child.stdin?.on("error", () => {}); // it has ended; the next group starts another
    child.on("error", () => this.#ended(child)).once("exit", () => this.#ended(child));
    child.unref();
    unref(child.stdin);
    this.#tell([...this.#groups].map((group) => `+${group}\n`).join(""));
  }

  #ended(child: ChildProcess): void {
    if (this.#child === child) this.#child = null;
    if (this.#child === null && this.#groups.size > 0 && child.pid !== undefined) this.#start();
  }

  #tell(text: string): void {
    if (text !== "") this.#child?.stdin?.write(text);
  }
}

/** Allows this process to exit while the stream is open. Node's is a socket; Bun's is not, has no `unref`, and keeps no process alive. */
function unref(stream: (Writable & { unref?(): void }) | null): void {
  stream?.unref?.();
}
