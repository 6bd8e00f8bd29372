import { RateLimiterMemory, type RateLimiterRes } from "rate-limiter-flexible";
import { isError } from "../../base/errors.js";
import { Problem } from "./problem.js";

/** Keys that are counted at once; beyond it, the one that was counted longest ago is forgotten. About 4 MB. */
const MOST_KEYS = 10_000;

/**
 * Counts requests by key in windows of time, on this node, and says how many are left. Its memory is bounded, however many keys there are.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
 */
export class RateLimiter {
  readonly #name: string;
  readonly #limiter: RateLimiterMemory;
  readonly #policy: string;
  /** Least recently counted first. */
  readonly #keys = new Set<string>();

  constructor(name: string, { requests, perMs }: { readonly requests: number; readonly perMs: number }) {
    this.#name = name;
    this.#limiter = new RateLimiterMemory({ keyPrefix: name, points: requests, duration: perMs / 1_000 });
    this.#policy = `"${name}";q=${requests};w=${Math.ceil(perMs / 1_000)}`;
  }

  /** Counts one request. @throws Problem `RATE_LIMITED` */
  async count(key: string): Promise<RateLimiterRes> {
    this.#remember(key);
    try {
      return await this.#limiter.consume(key);
    } catch (error) {
      if (isError(error)) throw error;
      const left = error as RateLimiterRes;
      const retryAfter = String(Math.max(1, Math.ceil(left.msBeforeNext / 1_000)));
      throw new Problem(429, "RATE_LIMITED", `too many requests from this ${this.#name}; try again in ${retryAfter} s`, {
        headers: { ...this.headersOf(left), "retry-after": retryAfter },
      });
    }
  }

  /** Number of keys that are counted now. */
  get size(): number {
    return this.#keys.size;
  }

  #remember(key: string): void {
    this.#keys.delete(key);
    this.#keys.add(key);
    if (this.#keys.size <= MOST_KEYS) return;
    const [oldest = ""] = this.#keys;
    this.#keys.delete(oldest);
    void this.#limiter.delete(oldest); // in memory: cannot fail
  }

  /** Returns the headers for a count. */
  headersOf({ remainingPoints, msBeforeNext }: RateLimiterRes): Record<string, string> {
    return { ratelimit: `"${this.#name}";r=${remainingPoints};t=${Math.ceil(msBeforeNext / 1_000)}`, "ratelimit-policy": this.#policy };
  }
}
