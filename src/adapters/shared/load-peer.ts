import { createRequire } from "node:module";
import { join } from "node:path";
import { cwd } from "node:process";
import { pathToFileURL } from "node:url";
import { HeadgateError } from "../../base/errors.js";

/** Of a CommonJS bundle, which has no `import.meta`. */
declare const __filename: string | undefined;
/** Set by the build of the CommonJS entry points, whose `import()` is a `require`, which takes no address. */
declare const HEADGATE_IS_COMMONJS: boolean | undefined;

/** Returns what loads packages from where headgate is: its own module, the CommonJS bundle it is part of, else the working directory. */
export function requireHere(): NodeJS.Require {
  const url: string | undefined = import.meta.url;
  return createRequire(url ?? (typeof __filename === "string" ? __filename : join(cwd(), "headgate.cjs")));
}

/** Imports a module of JavaScript by its path. */
export async function importFile(file: string): Promise<Readonly<Record<string, unknown>>> {
  const isCommonJs = typeof HEADGATE_IS_COMMONJS !== "undefined";
  return (await import(isCommonJs ? file : pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
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
