import { HeadgateError } from "../base/errors.js";

/** Where something stands in a file; both from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with a configuration. */
export interface ConfigProblem extends Place {
  /** What it is about, such as `pipelines.daily-sales.execution.retries`; `""` for the whole. */
  readonly path: string;
  /** What is wrong, what is allowed, and what may have been meant. */
  readonly message: string;
}

export type Path = readonly (string | number)[];

const SHOWN = 100;

/** Everything that is wrong with a configuration, at once. Code `INVALID_CONFIG`; `details.problems` is {@link ConfigError.problems}. */
export class ConfigError extends HeadgateError {
  readonly problems: readonly ConfigProblem[];

  /** Files that were read, or should have been; absolute. */
  readonly files: readonly string[];

  constructor(problems: readonly ConfigProblem[], files: readonly string[] = []) {
    const sorted = [...problems].sort(
      (one, other) => one.file.localeCompare(other.file) || one.line - other.line || one.column - other.column,
    );
    const left = sorted.length - SHOWN;
    const count = sorted.length === 1 ? "one problem" : `${sorted.length} problems`;
    super(
      "INVALID_CONFIG",
      `${count} in the configuration:\n${sorted.slice(0, SHOWN).map(problemLine).join("\n")}${left > 0 ? `\n… and ${left} more` : ""}`,
      { details: { problems: sorted } },
    );
    this.problems = sorted;
    this.files = files;
  }
}

/** `file:line:column: path: message`, which editors and terminals make links of. */
export function problemLine({ file, line, column, path, message }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${message}`;
}

/** `pipelines.daily.conditions[0]`, with quotes around what is not a word. */
export function pathText(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      const shown = /^[\w-]+$/.test(part) ? part : JSON.stringify(part.slice(0, 80));
      return index === 0 ? shown : `.${shown}`;
    })
    .join("");
}

/** `; did you mean "schedule"?` when one of the names is near enough, else nothing. */
export function nearMatch(name: string, names: Iterable<string>): string {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const one of names) {
    const distance = name.length > 64 ? least : distanceOf(name.toLowerCase(), one.toLowerCase(), least);
    if (distance < least) [best, least] = [one, distance];
  }
  return best === null ? "" : `; did you mean ${JSON.stringify(best)}?`;
}

/** Edits that make one word of another, neighbours swapped counting as one; not counted beyond `limit`. @see https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance */
function distanceOf(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit;
  let [before, last]: [number[], number[]] = [[], Array.from({ length: other.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      let edits = Math.min((last[column] as number) + 1, (next[column - 1] as number) + 1, (last[column - 1] as number) + (isSame ? 0 : 1));
      const isSwap = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      if (isSwap) edits = Math.min(edits, (before[column - 2] as number) + 1);
      next.push(edits);
    }
    [before, last] = [last, next];
  }
  return last[other.length] as number;
}
