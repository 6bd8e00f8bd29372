import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";

const DEBIAN = "/usr/lib/postgresql";

/** Where the server's programs are; `null` where there are none. */
export function postgresBinaries(): string | null {
  const found = spawnSync("sh", ["-c", "command -v initdb"], { encoding: "utf8" }).stdout.trim();
  if (found !== "") return join(found, "..");
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a)) : [];
  const version = versions.find((one) => existsSync(join(DEBIAN, one, "bin", "initdb")));
  return version === undefined ? null : join(DEBIAN, version, "bin");
}

/** Ways to end a server: with an orderly checkpoint, at once, or by SIGKILL. */
export type PostgresEnd = "fast" | "immediate" | "kill";

/** Attempts to start a server, 100 ms apart: processes of one that was killed hold its memory a little longer. */
const STARTS = 100;

/** A server of the tests' own. */
export interface PrivatePostgres {
  readonly url: string;
  /** Ends it. */
  end(how: PostgresEnd): Promise<void>;
  /** Starts it again; resolves when it takes connections. */
  start(): Promise<void>;
  /** Ends it at once, as a crash would, and starts it again. */
  restart(): void;
  stop(): void;
}

export async function privatePostgres(bin: string): Promise<PrivatePostgres> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-postgres-"));
  const data = join(folder, "data");
  const port = await freePort();
  const as = owner(folder); // the server refuses to run as root
  const run = (name: string, args: readonly string[]) => execFileSync(join(bin, name), args, { ...as, stdio: "ignore", cwd: folder });
  // suites that run at the same time open more than the usual 100 connections: a condition whose store refuses it counts as a block, and its trigger is held
  // an orderly end waits for connections that have not said who they are: 60 s by default, as long as pg_ctl waits
  const options = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c authentication_timeout=10s -c max_connections=300`;
  const start = () => run("pg_ctl", ["-D", data, "-w", "-l", join(folder, "log"), "-o", options, "start"]);
  const kill = () => run("pg_ctl", ["-D", data, "-m", "immediate", "stop"]);
  run("initdb", ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]);
  start();
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    end: async (how) => {
      if (how !== "kill") await promisify(execFile)(join(bin, "pg_ctl"), ["-D", data, "-m", how, "stop"], { ...as, cwd: folder });
      else process.kill(Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]), "SIGKILL");
    },
    start: async () => {
      const args = ["-D", data, "-w", "-l", join(folder, "log"), "-o", options, "start"];
      for (let attempt = 1; ; attempt++) {
        const child = spawn(join(bin, "pg_ctl"), args, { ...as, stdio: "ignore", cwd: folder });
        const [code] = (await once(child, "exit")) as [number | null];
        if (code === 0) return;
        if (attempt === STARTS) throw new Error(`the server in ${folder} does not start`);
        await wait(100);
      }
    },
    restart: () => {
      kill();
      start();
    },
    stop: () => {
      if (existsSync(join(data, "postmaster.pid"))) kill(); // it may have ended, or been ended, before
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function owner(folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  const [uid, gid] = [id("-u"), id("-g")];
  chownSync(folder, uid, gid);
  return { uid, gid };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
