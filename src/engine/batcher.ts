import type { Core } from "./core.js";
import { isUnavailable } from "./outage.js";

interface Waiting<Q, R> {
  readonly request: Q;
  readonly resolve: (answer: R) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_AT_ONCE = 1_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 10_000;

/**
 * Gathers requests to the store that come while one is under way and sends them together, so that many small ends cost
 * one transaction. While the store is unavailable, a patient one keeps them and sends them again.
 */
export class Batcher<Q, R> {
  readonly #core: Pick<Core, "clock">;
  readonly #send: (requests: readonly Q[]) => Promise<readonly R[]>;
  readonly #isPatient: boolean;
  #waiting: Waiting<Q, R>[] = [];
  #isSending = false;
  #hasGivenUp = false;
  #stopWaiting = new AbortController();

  /** @param isPatient - whether requests wait for a store that is unavailable; else they fail at once */
  constructor(core: Pick<Core, "clock">, send: (requests: readonly Q[]) => Promise<readonly R[]>, isPatient = true) {
    this.#core = core;
    this.#send = send;
    this.#isPatient = isPatient;
  }

  /** Waits no more for a store that is unavailable: what waits fails with the store's error. */
  giveUp(): void {
    this.#hasGivenUp = true;
    this.#stopWaiting.abort();
  }

  add(request: Q): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (this.#isSending) return;
      this.#isSending = true;
      queueMicrotask(() => this.#drain());
    });
  }

  async #drain(): Promise<void> {
    let waitMs = FIRST_WAIT_MS;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, MOST_AT_ONCE);
      try {
        const answers = await this.#send(batch.map(({ request }) => request));
        this.#waiting.splice(0, batch.length);
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as R);
        waitMs = FIRST_WAIT_MS;
      } catch (error) {
        if (isUnavailable(error) && this.#isPatient && !this.#hasGivenUp) {
          await this.#core.clock.sleep(waitMs, this.#stopWaiting.signal).catch(() => {}); // woken to give up
          waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
          continue;
        }
        this.#waiting.splice(0, batch.length);
        if (batch.length === 1 || isUnavailable(error)) for (const { reject } of batch) reject(error);
        else await this.#oneByOne(batch);
      }
    }
    this.#isSending = false;
  }

  /** One bad request must not fail its neighbours. */
  async #oneByOne(batch: readonly Waiting<Q, R>[]): Promise<void> {
    for (const { request, resolve, reject } of batch) {
      try {
        const [answer] = await this.#send([request]);
        resolve(answer as R);
      } catch (error) {
        reject(error);
      }
    }
  }
}
