import { setTimeout as wait } from "node:timers/promises";
import type { TriggerOptions } from "../../src/index.js";
import type { Request, Setting } from "./evidence.js";
import type { Fleet } from "./fleet.js";
import type { Wish } from "./orders.js";
import type { Random } from "./random.js";

const EVERY_MS = [60, 240] as const;
/** How long a request may go unanswered once everything works again, ms. */
const ACCEPTED_MS = 15_000;

/** Asks for runs, cancels, pauses and changes settings, over nodes drawn at random; keeps what was confirmed. */
export class Workload {
  readonly requests: Request[] = [];
  readonly settings: Setting[] = [
    { name: "pause of halted", confirmed: null, possible: [] },
    { name: "interval of retimed", confirmed: null, possible: [] },
  ];
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly #pipelines: readonly string[];
  readonly #open = new Set<Promise<void>>();
  #working: Promise<void> | null = null;
  #isOver = false;
  #isAbandoned = false;
  #count = 0;

  /** @param pipelines - those that are asked for */
  constructor(fleet: Fleet, random: Random, pipelines: readonly string[]) {
    this.#fleet = fleet;
    this.#random = random;
    this.#pipelines = pipelines;
  }

  start(): void {
    this.#working = (async () => {
      while (!this.#isOver) {
        if (this.#open.size < 30) this.#track(this.#act());
        await wait(this.#random.between(...EVERY_MS));
      }
    })();
  }

  /** Asks for nothing more, goes on until everything with a key was accepted or `ACCEPTED_MS` are over, and ends the pauses. */
  async finish(): Promise<void> {
    this.#isOver = true;
    await this.#working;
    const until = performance.now() + ACCEPTED_MS;
    while (this.#open.size > 0 && performance.now() < until) await Promise.race([Promise.all(this.#open), wait(200)]);
    while (performance.now() < until)
      if ((await this.#ask({ order: "resume", pipeline: "pausable" })).error === null) break;
      else await wait(200);
  }

  /** Asks for nothing more, and repeats no request: its fleet is about to go. */
  async abandon(): Promise<void> {
    this.#isOver = true;
    this.#isAbandoned = true;
    await this.#working;
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#open.delete(tracked));
    this.#open.add(tracked);
  }

  #ask(wish: Wish) {
    return this.#fleet.ask(this.#random.whole(0, this.#fleet.size - 1), wish);
  }

  async #act(): Promise<void> {
    const what = this.#random.between(0, 1);
    if (what < 0.72) return this.#trigger();
    if (what < 0.8) return this.#cancel();
    if (what < 0.92) return this.#pauseOrResume();
    await this.#set();
  }

  async #trigger(): Promise<void> {
    const random = this.#random;
    const pipeline = random.pick(this.#pipelines);
    const key = random.chance(0.85) ? `key-${this.#count++}` : null;
    const failures = pipeline === "flaky" ? random.whole(0, 6) : 0;
    const options: TriggerOptions = {
      kind: random.chance(0.2) ? "immediate" : "manual",
      priority: random.pick(["critical", "high", "normal", "low"] as const),
      parameters: { failures },
      ...(key === null ? {} : { idempotencyKey: key }),
    };
    const wish: Wish = { order: "trigger", pipeline, options };
    const request: Request = { pipeline, key, sentAt: Date.now(), acceptedAt: null, ids: [] };
    this.requests.push(request);
    const ask = async () => {
      const { value, error } = await this.#ask(wish);
      if (error !== null) return;
      request.ids.push(String(value));
      request.acceptedAt ??= Date.now();
    };
    await Promise.all(key !== null && random.chance(0.2) ? [ask(), ask(), ask()] : [ask()]);
    const isMissing = () => key !== null && request.acceptedAt === null && !this.#isAbandoned;
    for (const until = performance.now() + 120_000; isMissing() && performance.now() < until; ) {
      await wait(250);
      await ask();
    }
  }

  async #cancel(): Promise<void> {
    const [id] = this.requests.findLast(({ pipeline, ids }) => pipeline === "long" && ids.length > 0)?.ids ?? [];
    if (id !== undefined) await this.#ask({ order: "cancel", id });
  }

  async #pauseOrResume(): Promise<void> {
    if (this.#random.chance(0.5)) await this.#ask({ order: "resume", pipeline: "pausable" });
    else await this.#ask({ order: "pause", pipeline: "pausable", reason: "a short one" });
  }

  /** One change at a time of each setting: which one came last is known. */
  #setting: Promise<void> = Promise.resolve();
  #set(): Promise<void> {
    this.#setting = this.#setting.then(async () => {
      const n = this.#count++;
      if (this.#random.chance(0.3))
        return void (await this.#ask({ order: "change", pipeline: "tuned", change: { maxActiveRuns: this.#random.whole(1, 3) } }));
      const isPause = this.#random.chance(0.5);
      const setting = this.settings[isPause ? 0 : 1] as Setting;
      const value = String(isPause ? `pause ${n}` : 60_000 + n);
      setting.possible.push(value);
      const { error } = await this.#ask(
        isPause
          ? { order: "pause", pipeline: "halted", reason: value }
          : { order: "change", pipeline: "retimed", change: { scheduleIntervalMs: Number(value) } },
      );
      if (error !== null) return;
      setting.confirmed = value;
      // an answer that never came may still be the work of a node that hangs
      setting.possible.splice(setting.possible.indexOf(value), 1);
    });
    return this.#setting;
  }
}
