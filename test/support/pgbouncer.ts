import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";

/** Whether this machine has PgBouncer. */
export const hasPgbouncer = spawnSync("pgbouncer", ["--version"]).error === undefined;

/** PgBouncer as Debian ships it, before the server of a database, in a mode of pooling. */
export async function pgbouncer(target: URL, mode: "session" | "transaction" | "statement"): Promise<{ url: string; stop(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-pgbouncer-"));
  chmodSync(folder, 0o755);
  const port = await freePort();
  const file = join(folder, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `* = host=${target.hostname} port=${target.port || 5432}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    `pool_mode = ${mode}`,
    "default_pool_size = 20",
  ];
  // with "any", the user towards the server stands with the database
  lines[1] = `${lines[1]} user=${target.username || "postgres"}`;
  writeFileSync(file, lines.join("\n"));
  const isRoot = process.getuid?.() === 0;
  const child: ChildProcess = spawn("pgbouncer", ["-q", file], { stdio: "ignore", ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}) });
  await answers(port);
  const through = new URL(target);
  through.hostname = "127.0.0.1";
  through.port = String(port);
  return {
    url: through.toString(),
    stop: () => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves when something listens at a port. */
async function answers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (isThere) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error(`PgBouncer does not listen at ${port}`);
}
