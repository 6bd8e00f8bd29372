import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { NodeSettings, Order, Reply, Wish } from "./orders.js";

/** How long a process may take to be up, ms. */
export const STARTING_MS = 60_000;

/** One process from its start to its end, by the machine's clock. */
export interface Life {
  readonly node: string;
  readonly slot: number;
  readonly role: "node" | "worker";
  readonly from: number;
  /** When it said that it was up; `null`: not yet, or never. */
  upAt: number | null;
  /** When it was asked to end; `null`: it was not. */
  stoppingAt: number | null;
  until: number | null;
  /** `died`: by itself. */
  end: "killed" | "terminated" | "died" | null;
  exit: string | null;
}

interface Process {
  readonly child: ChildProcess;
  readonly life: Life;
  /** Whether it is up in time, or has ended. */
  readonly up: Promise<boolean>;
  isStopped: boolean;
  /** The last of what it printed. */
  output: string;
}

/** How a process of the fleet is started. */
export interface FleetOptions {
  /** The program that each process runs. */
  readonly program: URL;
  readonly role: Life["role"];
  readonly size: number;
  readonly settingsOf: (slot: number, node: string) => NodeSettings;
}

/** Processes of one kind, each in a slot: one that is gone can be replaced by another, under a name of its own. */
export class Fleet {
  readonly lives: Life[] = [];
  readonly size: number;
  readonly #options: FleetOptions;
  readonly #processes: (Process | null)[];
  readonly #waiting = new Map<number, { slot: number; resolve: (reply: Reply) => void }>();
  #orders = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.size = options.size;
    this.#processes = Array.from({ length: options.size }, () => null);
  }

  /** The name of the process in a slot; `null` while there is none. */
  nameOf(slot: number): string | null {
    return this.#processes[slot]?.life.node ?? null;
  }

  pidOf(slot: number): number | null {
    return this.#processes[slot]?.child.pid ?? null;
  }

  isUp(slot: number): boolean {
    const one = this.#processes[slot];
    return one != null && one.life.upAt !== null && one.life.until === null && !one.isStopped;
  }

  /** Starts processes in all slots that have none; resolves when all are up, with the names of those that took too long. */
  async fill(): Promise<string[]> {
    for (const [slot, one] of this.#processes.entries()) if (one === null) this.#start(slot);
    const late = await Promise.all(this.#processes.map(async (one) => (one === null || (await one.up) ? [] : [one.life.node])));
    return late.flat();
  }

  #start(slot: number): void {
    const { program, role, settingsOf } = this.#options;
    const node = `${role === "node" ? "n" : "w"}${slot}.${this.lives.length}`;
    const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(program), JSON.stringify(settingsOf(slot, node))], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const life: Life = { node, slot, role, from: Date.now(), upAt: null, stoppingAt: null, until: null, end: null, exit: null };
    this.lives.push(life);
    const one: Process = { child, life, up: isUp(child, life), isStopped: false, output: "" };
    this.#processes[slot] = one;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        one.output = (one.output + chunk.toString()).slice(-4_000);
      });
    child.on("message", (reply: Reply) => {
      this.#waiting.get(reply.n)?.resolve(reply);
      this.#waiting.delete(reply.n);
    });
    child.once("exit", (code, signal) => {
      life.until = Date.now();
      life.end ??= "died";
      life.exit = `${signal ?? code}${life.end === "died" || (life.end === "terminated" && code !== 0) ? ` ${one.output}` : ""}`;
      if (this.#processes[slot] === one) this.#processes[slot] = null;
      for (const [n, waiting] of this.#waiting)
        if (waiting.slot === slot) {
          waiting.resolve({ n, value: null, error: "GONE" });
          this.#waiting.delete(n);
        }
    });
  }

  /** Sends an order; the error is `NO_ANSWER` when none came in time, `GONE` when the process ended. */
  ask(slot: number, wish: Wish, timeoutMs = 3_000): Promise<Reply> {
    const one = this.#processes[slot];
    const n = ++this.#orders;
    if (one == null || !one.child.connected) return Promise.resolve({ n, value: null, error: "GONE" });
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(n);
        resolve({ n, value: null, error: "NO_ANSWER" });
      }, timeoutMs);
      this.#waiting.set(n, {
        slot,
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
      });
      one.child.send({ ...wish, n } satisfies Order, () => {}); // a broken channel comes with the end of the process
    });
  }

  async kill(slot: number): Promise<void> {
    const one = this.#processes[slot];
    if (one == null) return;
    one.life.end ??= "killed";
    one.child.kill("SIGKILL");
    if (one.life.until === null) await once(one.child, "exit");
  }

  /** Stops a process as a debugger or a hypervisor would. */
  pause(slot: number): void {
    const one = this.#processes[slot];
    if (one == null) return;
    one.isStopped = true;
    one.child.kill("SIGSTOP");
  }

  resume(slot: number): void {
    const one = this.#processes[slot];
    if (one == null) return;
    one.isStopped = false;
    one.child.kill("SIGCONT");
  }

  /** Ends a process as a supervisor would; gives how long it took, ms. One that goes on beyond `patienceMs` is killed. */
  async terminate(slot: number, patienceMs: number): Promise<number> {
    const one = this.#processes[slot];
    if (one == null || one.life.until !== null) return 0;
    const begin = performance.now();
    one.life.end ??= "terminated";
    one.life.stoppingAt = Date.now();
    const gone = once(one.child, "exit");
    one.child.kill("SIGTERM");
    const timer = setTimeout(() => one.child.kill("SIGKILL"), patienceMs);
    await gone;
    clearTimeout(timer);
    return performance.now() - begin;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#processes.map((_, slot) => this.kill(slot)));
  }
}

function isUp(child: ChildProcess, life: Life): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), STARTING_MS);
    const end = () => {
      clearTimeout(timer);
      resolve(true);
    };
    child.once("exit", end);
    child.once("message", () => {
      life.upAt = Date.now();
      end();
    });
  });
}
