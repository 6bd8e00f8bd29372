import { Worker } from "node:worker_threads";
import type { Stall } from "./evidence.js";

const EVERY_MS = 20;
const LEAST_MS = 80;

/** Runs in a thread: a timer, and the times at which it was late. */
const TIMER = `
const { parentPort } = require("node:worker_threads");
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  const late = now - last - ${EVERY_MS};
  last = now;
  if (late > ${LEAST_MS}) parentPort.postMessage({ at: Date.now(), ms: Math.round(late) });
}, ${EVERY_MS});`;

/** Measures how late a plain timer is on this machine now: in a thread that does nothing else, and in the harness itself. */
export class StallMeter {
  readonly stalls: Stall[] = [];
  readonly #thread = new Worker(TIMER, { eval: true });

  constructor() {
    this.#thread.on("message", (stall: Stall) => this.stalls.push(stall));
    this.#thread.unref();
  }

  async stop(): Promise<void> {
    await this.#thread.terminate();
  }
}
