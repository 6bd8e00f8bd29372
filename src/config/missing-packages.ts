import { requireHere } from "../adapters/shared/load-peer.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import { pathText } from "./diagnostic.js";

/** A part of a file that needs an optional package which is not installed. */
export interface MissingPackage {
  /** Where it stands in the file. */
  readonly path: string;
  readonly package: string;
}

/** Texts that are shown at most. */
const MOST = 100;

/**
 * Returns the packages that parts of a file will need once they work, and that are not installed. Others are missed when the file is loaded.
 *
 * @param plain - what the file says
 * @param isInstalled - default: whether it can be found from where headgate is
 */
export function missingPackages(
  plain: unknown,
  pipelines: readonly Pipeline[],
  isInstalled: (name: string) => boolean = isFound,
): readonly MissingPackage[] {
  const needed: MissingPackage[] = pipelines.flatMap(({ id, sensors, pattern }) =>
    sensors.length === 0 && pattern?.sensor?.kind === "file"
      ? [{ path: pathText(["pipelines", id, "pattern"]), package: "tinyglobby" }]
      : [],
  );
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    const name = neededBy(value, path);
    if (name !== null) needed.push({ path: pathText(path), package: name });
    if (typeof value !== "object" || value === null) return;
    for (const [key, part] of Object.entries(value)) walk(part, [...path, Array.isArray(value) ? Number(key) : key]);
  };
  walk(plain, []);
  const known = new Map<string, boolean>();
  return needed
    .filter(({ package: name }) => {
      if (!known.has(name)) known.set(name, isInstalled(name));
      return known.get(name) === false;
    })
    .slice(0, MOST);
}

function neededBy(value: unknown, path: readonly (string | number)[]): string | null {
  const [last, before, section] = [path.at(-1), path.at(-2), path[0]];
  if (typeof value === "string") return /^postgres(?:ql)?:\/\//.test(value) ? "pg" : null;
  if (last === "file" && typeof before === "number" && path.at(-3) === "sensors") return "tinyglobby";
  if (section === "monitoring" && path[1] === "channels" && path.length === 4 && last === "email") return "nodemailer";
  if (section === "monitoring" && path.length === 2 && last === "metrics") return value === true ? "prom-client" : null;
  const isWatched =
    section === "triggers" && path.length === 2 && last === "files" && (value as { polling?: unknown })?.polling === undefined;
  return isWatched ? "chokidar" : null;
}

function isFound(name: string): boolean {
  try {
    requireHere().resolve(name);
    return true;
  } catch {
    return false; // not installed
  }
}

/** Returns the advice for a missing package. */
export function missingPackageLine({ path, package: name }: MissingPackage): string {
  return `${path} needs the package ${name}, which is not installed: npm install ${name}`;
}
