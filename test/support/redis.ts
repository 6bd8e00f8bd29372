import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = "redis-server";

/** The Redis of this run, see `services.ts`; `null` where there is none, which with CI=true is an error. */
export async function testRedisUrl(): Promise<string | null> {
  const { HEADGATE_TEST_OWN_REDIS: url, CI } = process.env;
  if (url !== undefined) return url;
  if (CI === "true") throw new Error("no Redis: install redis-server, or set HEADGATE_TEST_REDIS_URL");
  return null;
}

export function hasRedisBinary(): boolean {
  return spawnSync(BINARY, ["--version"]).status === 0;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A Redis of the tests' own, which can be stopped and started again; it keeps what it has on disk. */
export class PrivateRedis {
  readonly #folder = mkdtempSync(join(tmpdir(), "headgate-redis-"));
  #child: ChildProcess | null = null;
  #port = 0;

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    this.#port ||= await freePort();
    const args = [
      "--port",
      String(this.#port),
      "--bind",
      "127.0.0.1",
      "--dir",
      this.#folder,
      "--appendonly",
      "yes",
      "--appendfsync",
      "always",
      "--save",
      "",
    ];
    this.#child = spawn(BINARY, args, { stdio: "ignore" });
    while (!(await answers(this.#port))) await new Promise((resolve) => setTimeout(resolve, 20));
    return this;
  }

  /** Ends it: by SIGKILL, or in order by SIGTERM. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  /** Forgets everything, as a server without a disk does: for one that has been ended. */
  forget(): void {
    for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name), { recursive: true });
  }

  /** Ends it at once, without waiting for it. */
  removeNow(): void {
    this.#child?.kill("SIGKILL");
    this.#child = null;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
