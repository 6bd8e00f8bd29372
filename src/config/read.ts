import { readFileSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import type { Tree } from "./ast.js";
import type { ConfigProblem, Place } from "./diagnostic.js";
import { mergeTrees, without } from "./merge.js";
import { FILE_LIMIT, parseTree } from "./parse.js";

const FILES = 100;
/** Bytes of all files together. */
const WHOLE_LIMIT = 1_048_576;

/** A file and what it includes, as one tree. */
export interface Source {
  readonly tree: Tree | null;
  /** Absolute paths of all files that were read, or should have been. */
  readonly files: readonly string[];
  readonly problems: readonly ConfigProblem[];
}

/** Reads a file; what it names in `include` lies below it, later ones over earlier ones. With `given`, there is no file and this is what it would say. */
export function readSource(path: string, given?: string): Source {
  const files: string[] = [];
  const problems: ConfigProblem[] = [];
  let size = 0;
  const shown = (file: string) => {
    const short = relative(process.cwd(), file);
    return short.startsWith("..") || short === "" ? file : short;
  };
  const read = (file: string, from: Place, above: readonly string[]): Tree | null => {
    const refuse = (message: string) => {
      problems.push({ ...from, path: above.length === 0 ? "" : "include", message });
      return null;
    };
    if (above.includes(file)) return refuse(`${shown(file)} includes itself`);
    if (!files.includes(file)) files.push(file);
    if (files.length > FILES) return refuse(`more than ${FILES} files are included`);
    const text = given !== undefined && above.length === 0 ? given : textOf(file);
    size += typeof text === "string" ? text.length : 0;
    if (size > WHOLE_LIMIT) return refuse(`the files have over ${WHOLE_LIMIT / 1_024} KiB together`);
    if (typeof text !== "string") return refuse(`${shown(file)} ${text.problem}`);
    const parsed = parseTree(text, shown(file));
    problems.push(...parsed.problems);
    const { tree } = parsed;
    if (tree === null || tree.kind !== "map") {
      if (tree !== null) problems.push({ ...tree.place, path: "", message: "must be a map of sections, such as pipelines" });
      return null;
    }
    const include = tree.entries.get("include")?.value;
    const named = include === undefined ? [] : include.kind === "list" ? include.items : [include];
    let below: Tree | null = null;
    for (const one of named) {
      if (one.kind !== "scalar" || typeof one.value !== "string" || one.value === "") {
        problems.push({ ...one.place, path: "include", message: "must be the path of a file, or a list of them" });
        continue;
      }
      const part = read(resolve(dirname(file), one.value), one.place, [...above, file]);
      if (part !== null) below = below === null ? part : mergeTrees(below, part);
    }
    const own = without(tree, "include");
    return below === null ? own : mergeTrees(below, own);
  };
  const file = resolve(path);
  const tree = read(file, { file: shown(file), line: 1, column: 1 }, []);
  return { tree, files, problems };
}

function textOf(file: string): string | { problem: string } {
  try {
    const { size } = statSync(file);
    if (size > FILE_LIMIT) return { problem: `has over ${FILE_LIMIT / 1_024} KiB; move parts to other files and list them in include` };
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return { problem: "does not exist" };
    return {
      problem: code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "is not UTF-8" : `cannot be read (${code ?? (error as Error).message})`,
    };
  }
}

/** The environments that a file names; none when it cannot be read, which loading it reports. */
export function environmentsOf(path: string): readonly string[] {
  const { tree } = readSource(path);
  const section = tree?.kind === "map" ? tree.entries.get("environments")?.value : undefined;
  return section?.kind === "map" ? [...section.entries.keys()] : [];
}
