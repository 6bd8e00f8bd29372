import { join, resolve } from "node:path";
import { argv, cwd } from "node:process";
import { pathToFileURL } from "node:url";
import { HeadgateError } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";

/** Of a CommonJS bundle, which has no `import.meta`. */
declare const __filename: string | undefined;
/** Set by the build of the CommonJS entry points, whose `import()` is a `require`, which takes no address. */
declare const HEADGATE_IS_COMMONJS: boolean | undefined;

/** Loads packages, and finds them. */
export interface Loader {
  (name: string): unknown;
  /** The path of a package's main file. */
  resolve(name: string): string;
}

/**
 * Returns what loads packages: from where headgate is (its own module, or the CommonJS bundle that it is part of), else from where the program is that was started, as webpack writes into a bundle where headgate was when it was made.
 */
export function requireHere(): Loader {
  const { createRequire } = lazyModule("node:module"); // imported, it is a function that webpack takes away
  const url: string | undefined = import.meta.url;
  const here = url ?? (typeof __filename === "string" ? __filename : join(cwd(), "headgate.cjs"));
  const places = [here, ...(argv[1] === undefined ? [] : [resolve(argv[1])])].map((place) => createRequire(place));
  const loader = (name: string): unknown => firstFound(places, (load) => load(name) as unknown);
  return Object.assign(loader, { resolve: (name: string) => firstFound(places, (load) => load.resolve(name)) });
}

/** Returns the result of the first place that has one; where none does, throws the error of the first. */
function firstFound<T>([first, ...others]: readonly NodeJS.Require[], use: (load: NodeJS.Require) => T): T {
  try {
    return use(first as NodeJS.Require);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "MODULE_NOT_FOUND" || others.length === 0) throw error;
    try {
      return firstFound(others, use);
    } catch (other) {
      throw (other as { code?: unknown }).code === "MODULE_NOT_FOUND" ? error : other;
    }
  }
}

/** Imports a module of JavaScript by its path. */
export async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const isCommonJs = typeof HEADGATE_IS_COMMONJS !== "undefined";
  const address = isCommonJs ? file : pathToFileURL(file).href;
  return (await import(/* webpackIgnore: true */ address)) as Readonly<Record<string, unknown>>;
}

/**
 * Loads an optional peer.
 *
 * @param what - needs it, for the message
 * @throws HeadgateError `MISSING_PEER` when it is not installed, or cannot be loaded
 */
export function loadPeer<T>(name: string, what: string): T {
  try {
    return requireHere()(name) as T;
  } catch (cause) {
    throw missingPeer(name, what, cause);
  }
}

/** The peer is not there, or it is and fails when it is loaded: the message says which. */
function missingPeer(name: string, what: string, cause: unknown): HeadgateError {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const isAbsent = code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND";
  const advice = isAbsent ? `: npm install ${name}` : `, which is installed but cannot be loaded (${firstLine(message)})`;
  return new HeadgateError("MISSING_PEER", `${what} the package ${name}${advice}`, { details: { package: name }, cause });
}

function firstLine(message: unknown): string {
  return String(message).split("\n", 1)[0]?.slice(0, 200) ?? "";
}
