import { TrieRouter } from "hono/router/trie-router";
import { Problem } from "./problem.js";
import type { Route } from "./route.js";

const NO_PARAMS: Readonly<Record<string, unknown>> = Object.freeze({});
/** Characters of a name in a path: ids and keys of maintenance windows are shorter. */
const NAME_LENGTH = 255;
const SOURCE_LENGTH = 128;

/** A route and the names in its path; or, when there is none, the methods that the path answers to. */
export type Found =
  | { readonly route: Route; readonly params: Readonly<Record<string, unknown>> }
  | { readonly route: null; readonly methods: readonly string[] };

/** Routes by method and path, compiled once. */
export class Routing {
  /** Paths without names in them, by method and path. */
  readonly #plain = new Map<string, Route>();
  readonly #router = new TrieRouter<Route>();
  /** By path only: each handler is a method. */
  readonly #methods = new TrieRouter<string>();

  constructor(routes: readonly Route[]) {
    for (const one of routes) {
      const path = one.path.replaceAll(/\{(\w+)\}/g, ":$1");
      if (path === one.path) this.#plain.set(`${one.method} ${path}`, one);
      else this.#router.add(one.method, path, one);
      this.#methods.add("ALL", path, one.method);
    }
  }

  /** HEAD finds what GET does. */
  find(method: string, path: string): Found {
    const matched = method === "HEAD" ? "GET" : method;
    const plain = this.#plain.get(`${matched} ${path}`);
    if (plain !== undefined) return { route: plain, params: NO_PARAMS };
    const [found] = this.#router.match(matched, path)[0];
    if (found !== undefined) return { route: found[0], params: found[1] };
    const methods = this.#methods.match("ALL", path)[0].map(([known]) => known);
    return { route: null, methods: methods.includes("GET") ? ["HEAD", ...methods] : methods };
  }

  hasPlain(path: string): boolean {
    return this.#plain.has(`GET ${path}`);
  }
}

/**
 * The names in a path, percent-decoded.
 *
 * @throws Problem `INVALID_REQUEST` for a path that is not percent-encoded; `NOT_FOUND` for a name that nothing can have
 */
export function namesOf(params: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const names: Record<string, string> = {};
  for (const name in params) {
    const value = decoded(String(params[name]));
    if (value.length > (name === "source" ? SOURCE_LENGTH : NAME_LENGTH) || value.includes("\0"))
      throw new Problem(404, "NOT_FOUND", "no such resource");
    names[name] = value;
  }
  return names;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, "INVALID_REQUEST", "the path is not valid percent-encoding");
  }
}
