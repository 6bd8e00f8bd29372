import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { until } from "./support.js";

/** What a node says of itself when it ends. */
export interface NodeFigures {
  /** The median of its claims; `null` if it made none. */
  readonly claimMs: number | null;
  /** Bytes. */
  readonly mostMemory: number;
}

const SOURCE = fileURLToPath(new URL("processes/node.ts", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../.tmp/bench-node.mjs", import.meta.url));
let isBuilt = false;

/** Makes plain JavaScript of the program: a node in service runs without a compiler, whose memory and time to start are not what is measured. */
function program(): string {
  if (!isBuilt)
    buildSync({
      entryPoints: [SOURCE],
      outfile: PROGRAM,
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      target: "node20",
    });
  isBuilt = true;
  return PROGRAM;
}

/** A node in a process of its own. */
export class NodeProcess {
  readonly #child: ChildProcess;
  #isReady = false;
  #ran = 0;
  #figures: NodeFigures | null = null;

  constructor(storeUrl: string) {
    this.#child = spawn(process.execPath, [program(), storeUrl], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
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
