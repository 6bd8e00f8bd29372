import { HeadgateError, type Store } from "../../src/index.js";

/** Names of a store's methods, and what one is called with. */
type Fault = (method: keyof Store, args: readonly unknown[]) => unknown;

/** What goes wrong with a store; both may be changed at any time. `null` and `undefined`: nothing. */
export interface Faults {
  /** Returns what a call is to fail with before it does anything. */
  before?: Fault | null;
  /** The same after everything has been done: the answer is lost. */
  after?: Fault | null;
}

/** A store whose calls fail as `faults` says. */
export function faultyStore(store: Store, faults: Faults): Store {
  return new Proxy(store, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function" || key === "subscribe") return typeof value === "function" ? value.bind(target) : value;
      return async (...args: unknown[]) => {
        const method = key as keyof Store;
        const first = faults.before?.(method, args) ?? null;
        if (first !== null) throw first;
        const answer = await (value as (...all: unknown[]) => unknown).apply(target, args);
        const last = faults.after?.(method, args) ?? null;
        if (last !== null) throw last;
        return answer;
      };
    },
  });
}

export const storeIsAway = () => new HeadgateError("STORE_UNAVAILABLE", "the store is away");

/** Whether a call is one of those that work on a store, and not one that opens or closes it. */
export function isWork(method: keyof Store): boolean {
  return method !== "open" && method !== "close" && method !== "subscribe";
}
