import { nextTick } from "node:process";
import { HeadgateError } from "../../base/errors.js";
import type { TurnBudget } from "../../base/turn-budget.js";
import type { Clock } from "../../ports/clock.js";
import { isUnavailable } from "./store-health.js";

interface Waiting<Q, R> {
  readonly request: Q;
  readonly resolve: (answer: R) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_AT_ONCE = 1_000;
/** Answers given before the time that they take is looked at. */
const ANSWERED_AT_ONCE = 32;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;
/** So many times a batch meets a store that is away before one of its requests is tried alone. */
const PROBED_EVERY = 4;
/** Number of attempts for a request that fails for an unforeseen reason: about a minute in total. */
const UNFORESEEN_ATTEMPTS = 13;

/** Options of a {@link Batcher}. */
interface BatcherOptions {
  /** True if requests wait for a store that is unavailable; else they fail at once. Default true. */
  readonly isPatient?: boolean;
  /** Maximum number of batches being sent; a further one is sent only when it is full. Default 1, which keeps their order. */
  readonly lanes?: number;
  /**
   * The point until which a batch collects, so that what came in together is sent together: the end of the turn of the event loop, when what has arrived meanwhile was looked at; or of the
   * tick, when everything that follows from the answers just given has been done. Default: nothing.
   */
  readonly gathers?: "turn" | "tick" | null;
}

const END_OF = {
  turn: () => new Promise<void>((resolve) => setImmediate(resolve)),
  tick: () => new Promise<void>((resolve) => nextTick(resolve)),
} as const;

/**
 * Gathers requests to the store that come while one is in flight and sends them together, so that many small ends cost
 * one transaction. While the store is unavailable, a patient one keeps them and sends them again; what fails for a reason nobody foresaw is sent again for a minute.
 */
export class Batcher<Q, R> {
  readonly #turns: TurnBudget | undefined;
  readonly #core: { readonly clock: Clock };
  readonly #send: (requests: readonly Q[]) => Promise<readonly R[]>;
  readonly #isPatient: boolean;
  readonly #lanes: number;
  readonly #gathers: "turn" | "tick" | null;
  #waiting: Waiting<Q, R>[] = [];
  #busy = 0;
  #hasGivenUp = false;
  #stopWaiting = new AbortController();

  constructor(
    core: { readonly clock: Clock & { readonly turns?: TurnBudget } },
    send: (requests: readonly Q[]) => Promise<readonly R[]>,
    { isPatient = true, lanes = 1, gathers = null }: BatcherOptions = {},
  ) {
    this.#core = core;
    this.#turns = core.clock.turns;
    this.#send = send;
    this.#isPatient = isPatient;
    this.#lanes = lanes;
    this.#gathers = gathers;
  }

  /** Waits no more for a store that is unavailable: what waits fails with the store's error. */
  giveUp(): void {
    this.#hasGivenUp = true;
    this.#stopWaiting.abort();
  }

  add(request: Q): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#busy > 0 && (this.#busy >= this.#lanes || this.#waiting.length < MOST_AT_ONCE)) return;
      this.#busy++;
      queueMicrotask(() => this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#gathers !== null && this.#waiting.length < MOST_AT_ONCE) await END_OF[this.#gathers]();
      await this.#settle(this.#waiting.splice(0, MOST_AT_ONCE));
    }
    this.#busy--;
  }

  /** Sends one batch until it is answered, or fails for good. */
  async #settle(batch: readonly Waiting<Q, R>[]): Promise<void> {
    let failures = 0;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      try {
        const answers = await this.#send(batch.map(({ request }) => request));
        return await this.#answer(batch, answers);
      } catch (error) {
        if (!isUnavailable(error)) return this.#oneByOne(batch);
        if (!this.#isPatient || this.#hasGivenUp) {
          for (const { reject } of batch) reject(error);
          return;
        }
        if (++failures % PROBED_EVERY === 0 && batch.length > 1) {
          const probe = batch[(failures / PROBED_EVERY - 1) % batch.length] as Waiting<Q, R>;
          if ((await this.#try(probe)) === null) return this.#oneByOne(batch.filter((one) => one !== probe));
        }
        await this.#pause(waitMs);
      }
    }
  }

  /** Answers many requests over several turns of the event loop. */
  async #answer(batch: readonly Waiting<Q, R>[], answers: readonly R[]): Promise<void> {
    for (const [index, { resolve }] of batch.entries()) {
      resolve(answers[index] as R);
      if (this.#turns === undefined || index % ANSWERED_AT_ONCE !== ANSWERED_AT_ONCE - 1) continue;
      await null; // what follows from these is done
      if (this.#turns.isSpent) await this.#turns.next();
    }
  }

  /**
   * One bad request must not fail its neighbours, and a store that goes away meanwhile is waited for as ever. One for which alone the store is away (its statement takes too long, say) waits apart; when it is
   * away for the next one too, it is away.
   */
  async #oneByOne(batch: readonly Waiting<Q, R>[]): Promise<void> {
    let isAway = !this.#isPatient;
    for (const [index, one] of batch.entries()) {
      const error = await this.#try(one);
      if (error === null) {
        isAway = !this.#isPatient;
        continue;
      }
      if (isUnavailable(error.cause)) {
        if (isAway) return this.#settle(batch.slice(index));
        isAway = true;
        void this.#alone(one, error.cause);
        continue;
      }
      if (!this.#isPatient || error.cause instanceof HeadgateError) one.reject(error.cause);
      else void this.#alone(one, error.cause);
    }
  }

  /** Sends a request that fails for a reason nobody foresaw again, for about a minute, apart from the others; then it fails. */
  async #alone(one: Waiting<Q, R>, first: unknown): Promise<void> {
    let cause = first;
    let waitMs = FIRST_WAIT_MS;
    for (let attempt = 1; attempt < UNFORESEEN_ATTEMPTS && !this.#hasGivenUp; attempt++) {
      await this.#pause(waitMs);
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      const error = await this.#try(one);
      if (error === null) return;
      cause = error.cause;
      if (isUnavailable(cause))
        attempt--; // that says nothing of the request
      else if (cause instanceof HeadgateError) break;
    }
    one.reject(cause);
  }

  /** Sends one request; returns why it failed, `null` when it was answered. */
  async #try({ request, resolve }: Waiting<Q, R>): Promise<{ readonly cause: unknown } | null> {
    try {
      const [answer] = await this.#send([request]);
      resolve(answer as R);
      return null;
    } catch (cause) {
      return { cause };
    }
  }

  async #pause(ms: number): Promise<void> {
    await this.#core.clock.sleep(ms, this.#stopWaiting.signal).catch(() => {}); // woken to give up
  }
}
