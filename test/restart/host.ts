import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";

const FIXTURE = fileURLToPath(new URL("host.fixture.ts", import.meta.url));

/** What the host process is started with. */
export interface HostOptions {
  readonly postgres: string;
  readonly redis: string;
  /** Where its alerts go. */
  readonly hook: string;
  /** The admin's token of its API. */
  readonly token: string;
}

/** What the host process says. */
export type HostMessage =
  | { readonly kind: "ready"; readonly url: string }
  | { readonly kind: "warning" | "uncaught" | "reported"; readonly text: string }
  | { readonly kind: "succeeded"; readonly pipelineId: string }
  | { readonly kind: "began"; readonly key: string; readonly isOverlap: boolean };

/** A host process, and what it has said. */
export class Host {
  readonly #child: ChildProcess;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly problems: string[] = [];
  readonly reported = new Map<string, number>();
  /** Successes by pipeline. */
  readonly succeeded = new Map<string, number>();
  /** Executions by attempt. */
  readonly began = new Map<string, number>();
  overlaps = 0;
  url = "";
  exit: string | null = null;

  constructor(options: HostOptions) {
    this.#child = spawn(process.execPath, ["--import", "tsx", FIXTURE, JSON.stringify(options)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.on("message", (message: HostMessage) => this.#hear(message));
    this.#child.stderr?.on("data", (chunk: Buffer) => this.problems.push(chunk.toString()));
    this.#child.once("exit", (code, signal) => {
      this.exit = `${code ?? signal}`;
      this.#changes.emit("change");
    });
  }

  #hear(message: HostMessage): void {
    if (message.kind === "ready") this.url = message.url;
    else if (message.kind === "succeeded") count(this.succeeded, message.pipelineId);
    else if (message.kind === "reported") count(this.reported, message.text);
    else if (message.kind === "began") {
      count(this.began, message.key);
      if (message.isOverlap) this.overlaps++;
    } else this.problems.push(message.text);
    this.#changes.emit("change");
  }

  /** Resolves when something is so. @throws when the process has ended */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.exit !== null) throw new Error(`the host ended with ${this.exit}:\n${this.problems.join("\n")}`);
      await once(this.#changes, "change");
    }
  }

  /** Has it stop by itself; resolves with how it ended. */
  async stop(): Promise<string | null> {
    this.#child.send("stop");
    while (this.exit === null) await once(this.#changes, "change");
    return this.exit;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
