import { type Clock, createScheduler, type EventName, type Pipeline, type Scheduler, type Store } from "../../../src/index.js";
import type { FakeClock } from "../../../src/testing/index.js";
import type { World } from "../spec.js";

/** A node of a world: a scheduler that can be killed, after which nothing of it reaches the clock or the store any more. */
export class WorldNode {
  readonly scheduler: Scheduler;
  readonly #killed = new AbortController();
  readonly #onKilled: Promise<void>;

  constructor(options: {
    readonly world: World;
    readonly name: string;
    readonly pipelines: readonly Pipeline[];
    readonly store: Store;
    readonly clock: FakeClock;
    readonly newId: (now: number) => string;
  }) {
    const { world, store, clock } = options;
    this.#onKilled = new Promise((resolve) => this.#killed.signal.addEventListener("abort", () => resolve()));
    this.scheduler = createScheduler({
      pipelines: options.pipelines,
      store: this.#mortalStore(store, world.timerTrust),
      clock: this.#mortalClock(clock),
      logger: { log: () => {} },
      node: options.name,
      random: () => world.draw,
      newId: options.newId,
      pools: world.pools,
      misfireThreshold: world.misfireThreshold,
      leaseDuration: world.lease,
      maxTimerDelay: world.timerTrust,
      ...(world.globalLimit === null ? {} : { maxActiveRuns: world.globalLimit }),
      measureLoad: () => ({ cpu: null, memory: null }),
    });
  }

  listen<N extends EventName>(names: readonly N[], listener: (name: N, event: unknown) => void): void {
    for (const name of names) this.scheduler.on(name, (event) => listener(name, event));
  }

  kill(): void {
    this.#killed.abort();
  }

  get #isDead(): boolean {
    return this.#killed.signal.aborted;
  }

  /** What a dead node asked for never answers. */
  #mortal<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.#isDead || resolve(value),
        (error: unknown) => this.#isDead || reject(error),
      );
    });
  }

  #mortalClock(clock: FakeClock): Clock {
    return {
      isSimulated: true,
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (ms, fn) => (this.#isDead ? () => {} : clock.setTimer(ms, () => this.#isDead || fn())),
      sleep: (ms, signal) => {
        const ends = signal === undefined ? this.#killed.signal : AbortSignal.any([signal, this.#killed.signal]);
        return this.#mortal(clock.sleep(ms, ends));
      },
      track: (promise, kind, name) => {
        if (!this.#isDead) clock.track?.(Promise.race([promise, this.#onKilled]), kind, name);
      },
    };
  }

  #mortalStore(store: Store, pollMs: number): Store {
    return new Proxy(store, {
      get: (target, key) => {
        if (key === "pollMs") return target.pollMs === null ? null : pollMs; // a poll a second is nearly all that a played day would cost
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...all: unknown[]) => {
          if (this.#isDead) return key === "subscribe" ? () => {} : new Promise(() => {});
          const result: unknown = value.apply(target, all);
          return result instanceof Promise ? this.#mortal(result) : result;
        };
      },
    });
  }
}
