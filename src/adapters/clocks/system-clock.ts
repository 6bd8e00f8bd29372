import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../ports/clock.js";

/** Node's timers fire at once when asked for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The machine's clock and timers: the only place where headgate reads them. A started scheduler keeps its process alive,
 * until it is stopped.
 *
 * @example
 * createScheduler({ pipelines, clock: systemClock() });
 */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimer,
    yield: () => new Promise((resolve) => setImmediate(resolve)),
    sleep: async (ms, signal) => {
      try {
        for (let rest = ms; rest > 0; rest -= LONGEST_TIMER_MS) {
          await sleep(Math.min(rest, LONGEST_TIMER_MS), undefined, signal === undefined ? {} : { signal });
        }
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    },
  };
}

function setTimer(delayMs: number, fn: () => void): () => void {
  if (delayMs <= LONGEST_TIMER_MS) {
    const only = setTimeout(fn, delayMs);
    return () => clearTimeout(only);
  }
  let timer: NodeJS.Timeout;
  const arm = (rest: number) => {
    timer = rest <= LONGEST_TIMER_MS ? setTimeout(fn, rest) : setTimeout(() => arm(rest - LONGEST_TIMER_MS), LONGEST_TIMER_MS);
  };
  arm(Math.max(0, delayMs));
  return () => clearTimeout(timer);
}
