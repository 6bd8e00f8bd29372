import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { newFolder, type Served, served } from "../support/cli.js";

export const ADMIN_TOKEN = "an-admin-token-of-the-attacks";
export const VIEWER = "a-viewer-token-of-the-attacks-of-a";
export const OPERATOR = "an-operator-token-of-the-attacks-of-a";

/** A real `headgate serve`, with a small heap, under attack. */
export interface Victim {
  readonly cwd: string;
  readonly served: Served;
  ask(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown },
  ): Promise<{ readonly status: number; readonly text: string }>;
  /** Asks `/health` again and again from now on. */
  watch(): Watch;
  /** Opens a connection that writes a head and never reads. */
  deaf(head: string): Socket;
  /** Returns the resident memory, bytes; 0 where that cannot be read. */
  memory(): number;
  /** Ends the process as the operator of a machine would, and starts it again. */
  restart(signal: NodeJS.Signals): Promise<Victim>;
  isAlive(): boolean;
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

interface Watch {
  /** Stops asking; returns how many answers came and which failed. */
  stop(): Promise<{ readonly answers: number; readonly failures: readonly string[] }>;
}

export interface VictimOptions {
  /** Lines of the file after the pipelines and security. */
  readonly yaml?: string;
  /** A module of functions, by pipeline id. */
  readonly work?: string;
  readonly heapMb: number;
  readonly store?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const WORK = "export default () => {};\n";

/** Starts the service that is attacked: pipelines `a` and `b`, a viewer and an operator limited to `a`, rate limits off so that the attack is not paced. */
export async function victim(options: VictimOptions): Promise<Victim> {
  const { yaml = "", work = WORK, heapMb, store = "sqlite:./headgate.db", env = {} } = options;
  const cwd = options.cwd ?? newFolder();
  writeFileSync(join(cwd, "work.mjs"), work);
  writeFileSync(
    join(cwd, "schedule_config.yaml"),
    `pipelines:
  a: { schedule: { every: 1m }, executor: work, execution: { retries: 0 } }
  b: { executor: work, execution: { retries: 0 } }
executors: { work: { module: { path: work.mjs } } }
store: { url: "${store}" }
security:
  admin_token: ${ADMIN_TOKEN}
  tokens:
    - { id: viewer, role: viewer, token: ${VIEWER}, pipelines: [a] }
    - { id: operator, role: operator, token: ${OPERATOR}, pipelines: [a] }
  rate_limits: { per_token: false, per_address: false }
${yaml}`,
  );
  const running = await served([], { cwd, env: { NODE_OPTIONS: `--max-old-space-size=${heapMb}`, ...env } });
  const { child, url } = running;
  const port = Number(new URL(url).port);
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  return {
    cwd,
    served: running,
    isAlive,
    ask: async (method, path, { token = ADMIN_TOKEN, body } = {}) => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(120_000),
      });
      return { status: response.status, text: await response.text() };
    },
    watch: () => watching(url),
    deaf: (head) => {
      const socket = connect(port, "127.0.0.1", () => socket.write(head));
      socket.on("error", () => {}); // the service may drop it
      socket.pause();
      return socket;
    },
    memory: () => residentOf(child.pid ?? 0),
    restart: async (signal) => {
      await running.end(signal);
      return victim({ ...options, cwd });
    },
    end: (signal) => running.end(signal),
  };
}

function watching(url: string): Watch {
  let isOver = false;
  let answers = 0;
  const failures: string[] = [];
  const done = (async () => {
    while (!isOver) {
      try {
        const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(30_000) });
        await response.text();
        if (response.status === 200) answers++;
        else failures.push(`answers ${response.status}`);
      } catch (error) {
        failures.push(String((error as Error).cause ?? error));
        if (failures.length > 5) return;
      }
      await wait(20);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await done;
      return { answers, failures };
    },
  };
}

function residentOf(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1_024;
  } catch {
    return process.platform === "darwin" ? Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1_024 : 0;
  }
}

/** The head of a request, with a token. */
export function headOf(line: string, token: string, ...more: readonly string[]): string {
  return `${[`${line} HTTP/1.1`, "host: x", `authorization: Bearer ${token}`, ...more].join("\r\n")}\r\n\r\n`;
}
