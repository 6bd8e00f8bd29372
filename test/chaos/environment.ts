import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PrivateRedis } from "../support/redis.js";
import { FaultyNetwork } from "./faulty-network.js";
import { Fleet } from "./fleet.js";
import type { PostgresServer } from "./servers.js";

/** On what a fleet works: PostgreSQL, one SQLite file, or PostgreSQL with a queue on Redis. */
export type Kind = "postgres" | "sqlite" | "queue";

const DISK_MB = 64;
/** Nodes of a fleet. */
export const NODES: Readonly<Record<Kind, number>> = { postgres: 3, sqlite: 2, queue: 2 };

/** A store of its own, the fleet that works on it, and whatever can be broken in between. */
export interface Environment {
  readonly kind: Kind;
  readonly fleet: Fleet;
  /** Workers of the queue; `null`: there is no queue. */
  readonly workers: Fleet | null;
  readonly redis: PrivateRedis | null;
  readonly postgres: PostgresServer | null;
  /** The network of each node. */
  readonly proxies: readonly FaultyNetwork[];
  /** The SQLite file, and whether its disk is one that can be filled. */
  readonly file: string | null;
  readonly disk: string | null;
  /** Address of the store, past all proxies. */
  readonly storeUrl: string;
  readonly log: string;
  close(): Promise<void>;
}

/** Makes an environment; its fleet is not started yet. */
export async function environment(kind: Kind, epoch: number, postgres: PostgresServer | null): Promise<Environment> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-chaos-"));
  const log = join(folder, "log.jsonl");
  const redis = kind === "queue" ? await new PrivateRedis().start() : null;
  const size = NODES[kind];
  const schema = `chaos_${epoch}`;
  const proxies: FaultyNetwork[] = [];
  const disk = kind === "sqlite" ? mountedDisk(join(folder, "disk")) : null;
  const file = kind === "sqlite" ? join(disk ?? folder, "headgate.db") : null;
  const server = postgres?.url;
  if (file === null) {
    if (server === undefined) throw new Error("there is no PostgreSQL to work on");
    for (let slot = 0; slot < size; slot++)
      proxies.push(await new FaultyNetwork({ host: "127.0.0.1", port: Number(server.port) }).listen());
  }
  const urlOf = (port: string) => {
    const url = new URL(server as URL);
    url.port = port;
    url.searchParams.set("schema", schema);
    return url.toString();
  };
  const fleet = new Fleet({
    program: new URL("node.fixture.ts", import.meta.url),
    role: "node",
    size,
    settingsOf: (slot, node) => ({
      url: file === null ? urlOf(String(proxies[slot]?.port)) : `sqlite:${file}`,
      node,
      log,
      redis: redis?.url ?? null,
    }),
  });
  const workers =
    redis === null
      ? null
      : new Fleet({
          program: new URL("worker.fixture.ts", import.meta.url),
          role: "worker",
          size: 1,
          settingsOf: (_, node) => ({ url: "", node, log, redis: redis.url }),
        });
  return {
    kind,
    fleet,
    workers,
    redis,
    postgres: file === null ? postgres : null,
    proxies,
    file,
    disk,
    log,
    storeUrl: file === null ? urlOf((server as URL).port) : `sqlite:${file}`,
    close: async () => {
      await Promise.all([fleet.killAll(), workers?.killAll()]);
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await redis?.remove();
      if (file === null) await postgres?.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      if (disk !== null) execFileSync("umount", ["--lazy", disk]); // a process that was killed may let go of its files a little later
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A small file system that can be filled; `null` where this process may not mount one. */
function mountedDisk(folder: string): string | null {
  mkdirSync(folder);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MB}m`, "tmpfs", folder], { stdio: "ignore" });
    return folder;
  } catch {
    return null; // not root: said where faults are planned
  }
}
