import { memoryStore, type Store } from "../../src/index.js";

/** A memory store that several schedulers of one process share, as if it were a database. */
export function sharedStore(store: Store = memoryStore()): Store {
  const names = [...Object.keys(store), ...Object.getOwnPropertyNames(Object.getPrototypeOf(store))].filter(
    (name) => name !== "constructor",
  );
  const bound = names.flatMap((name) => {
    const method = (store as unknown as Readonly<Record<string, unknown>>)[name];
    return typeof method === "function" ? [[name, method.bind(store)]] : [];
  });
  return { ...Object.fromEntries(bound), name: "shared", pollMs: 1_000 } as Store;
}
