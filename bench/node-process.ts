import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "./support.js";

/** What a node says of itself when it ends. */
export interface NodeFigures {
  /** The median of its claims; `null` if it made none. */
  readonly claimMs: number | null;
  /** Bytes. */
  readonly mostMemory: number;
}

const PROGRAM = fileURLToPath(new URL("processes/node.ts", import.meta.url));

/** A node in a process of its own. */
export class NodeProcess {
  readonly #child: ChildProcess;
  #isReady = false;
  #ran = 0;
  #figures: NodeFigures | null = null;

  constructor(storeUrl: string) {
    this.#child = spawn(process.execPath, ["--import", "tsx", PROGRAM, storeUrl], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", (message) => {
      if (message === "ready") this.#isReady = true;
      else if (typeof message === "number") this.#ran = message;
      else this.#figures = message as NodeFigures;
    });
  }

  get ran(): number {
    return this.#ran;
  }

  /** Resolves when it has started. */
  async ready(): Promise<void> {
    await until(() => this.#isReady || this.#child.exitCode !== null, "a node has started", 120);
  }

  /** Ends the pause of everything. */
  resume(): void {
    this.#child.send("resume");
  }

  async stop(): Promise<NodeFigures> {
    this.#child.send("stop");
    await once(this.#child, "exit");
    if (this.#figures === null) throw new Error("a node ended without its figures");
    return this.#figures;
  }
}
