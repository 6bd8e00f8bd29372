import type { Store } from "../../src/index.js";

/** Methods of a store as functions of their own, so that some can be replaced by a spread. */
export function bound(store: Store): Store {
  return new Proxy({} as Store, {
    ownKeys: () =>
      [...new Set([...Object.keys(store), ...Object.getOwnPropertyNames(Object.getPrototypeOf(store))])].filter(
        (key) => key !== "constructor",
      ),
    getOwnPropertyDescriptor: (_, key) => ({ configurable: true, enumerable: true, value: memberOf(store, key as keyof Store) }),
    get: (_, key) => memberOf(store, key as keyof Store),
  });
}

function memberOf(store: Store, key: keyof Store): unknown {
  const value: unknown = store[key];
  return typeof value === "function" ? value.bind(store) : value;
}
