import { lstat, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Duration, durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Sensor, SensorEvent } from "../../ports/sensor.js";
import { SENSOR_TIMING, type SensorTiming, timingOf } from "../../trigger/sensor.js";

/** Options of {@link fileSensor}. */
export interface FileSensorOptions extends SensorTiming {
  /** The directory. */
  path: string;
  /** Files in it, as globs relative to it, such as `"*.csv"` or a list of them. Default `"*"`. Names that begin with a dot are left out. */
  pattern?: string | readonly string[];
  /** Time a file must stay as it is before it counts as arrived: it may still be written. Default `"2s"`. */
  settle?: Duration;
  /** True if files that are there at the very first look count as new. Default `"take"`. */
  existing?: "take" | "ignore";
  /** Default: made of path and pattern. */
  name?: string;
}

/** Size and time of a file, as they were when it was found. */
type Signature = string;

interface Cursor {
  readonly files: Readonly<Record<string, Signature>>;
}

const FILES_LIMIT = 20_000;
const EVENTS_AT_ONCE = 1_000;

/**
 * Finds new and changed files; links are not followed. Each raises a trigger with the parameters `{ path, name, size, modified_at }`. The files stay where they are; which have been found is
 * remembered in the cursor, so move away what is done with (at most 20,000 files). Needs the package `tinyglobby`.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * pipeline({ id: "import", sensors: [fileSensor({ path: "incoming", pattern: "*.csv", every: "10s" })], run: ({ parameters }) => load(parameters.path) });
 */
export function fileSensor(options: FileSensorOptions): Sensor {
  checkOptions(options, { ...SENSOR_TIMING, path: true, pattern: true, settle: true, existing: true, name: true }, "fileSensor");
  const { path, existing = "take" } = options;
  if (typeof path !== "string" || path === "" || path.includes("\0")) throw bad("path: must be a directory");
  if (existing !== "take" && existing !== "ignore") throw bad(`existing: ${JSON.stringify(existing)} is unknown; allowed: take, ignore`);
  const patterns = typeof options.pattern === "string" ? [options.pattern] : [...(options.pattern ?? ["*"])];
  const settleMs = durationMs(options.settle ?? "2s", "fileSensor: settle");
  const settling = new Map<string, { readonly signature: Signature; readonly since: number }>();
  return {
    ...timingOf(options.name ?? `files ${join(path, patterns.join(" "))}`.slice(0, 100), options),
    poll: async ({ cursor, signal, now }) => {
      const found = await filesOf(path, patterns, signal);
      const known = cursor === null ? null : ((cursor as Cursor).files ?? {});
      const files: Record<string, Signature> = {};
      const events: SensorEvent[] = [];
      for (const name of found) {
        const seen = await seenAt(join(path, name));
        if (seen === null) continue; // gone meanwhile
        const old = known !== null && Object.hasOwn(known, name) ? known[name] : undefined;
        if (old === seen.signature) files[name] = old;
        else if (known === null && existing === "ignore") files[name] = seen.signature;
        else if (events.length < EVENTS_AT_ONCE && isSettled(settling, name, seen, settleMs, now)) {
          files[name] = seen.signature;
          events.push(eventOf(path, name, seen));
        } else if (old !== undefined) files[name] = old;
      }
      const there = new Set(found);
      for (const [name, { signature }] of settling) if (files[name] === signature || !there.has(name)) settling.delete(name);
      return { events, cursor: { files }, hasMore: events.length >= EVENTS_AT_ONCE };
    },
  };
}

async function filesOf(path: string, patterns: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const { glob } = await library();
  await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new HeadgateError("SENSOR_FAILED", `${path} cannot be read (${cause.code})`, { cause });
  });
  const found = await glob([...patterns], { cwd: path, onlyFiles: true, followSymbolicLinks: false, signal });
  if (found.length > FILES_LIMIT)
    throw new HeadgateError(
      "SENSOR_FAILED",
      `${path} has ${found.length} files, over the limit of ${FILES_LIMIT}; move processed files elsewhere`,
    );
  return found.sort();
}

async function library(): Promise<typeof import("tinyglobby")> {
  try {
    return await import("tinyglobby");
  } catch (cause) {
    throw new HeadgateError("MISSING_PEER", "fileSensor needs the package tinyglobby: npm install tinyglobby", { cause });
  }
}

interface Seen {
  readonly signature: Signature;
  readonly size: number;
  readonly modifiedAt: number;
}

async function seenAt(file: string): Promise<Seen | null> {
  try {
    const found = await lstat(file); // a link that took its place meanwhile may lead anywhere
    if (!found.isFile()) return null;
    const { size, mtimeMs } = found;
    return { signature: `${mtimeMs}:${size}`, size, modifiedAt: Math.trunc(mtimeMs) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Old enough by its own time, or seen unchanged for long enough: a file's time may be anything, in the future too. */
function isSettled(
  settling: Map<string, { readonly signature: Signature; readonly since: number }>,
  name: string,
  { signature, modifiedAt }: Seen,
  settleMs: number,
  now: number,
): boolean {
  if (modifiedAt <= now && now - modifiedAt >= settleMs) return true;
  const before = settling.get(name);
  if (before?.signature === signature) return now - before.since >= settleMs;
  settling.set(name, { signature, since: now });
  return settleMs === 0;
}

function eventOf(path: string, name: string, { signature, size, modifiedAt }: Seen): SensorEvent {
  const file = join(path, name);
  return {
    key: `${file}:${signature}`,
    reason: `file ${file}`,
    parameters: { path: file, name: basename(name), size, modified_at: new Date(modifiedAt).toISOString() },
  };
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `fileSensor: ${problem}`);
}
