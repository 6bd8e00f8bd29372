import { HeadgateError } from "../base/errors.js";
import { nearestName } from "../base/near-match.js";

/** Where something stands in a file; both from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with a configuration. */
export interface ConfigProblem extends Place {
  /** Path of the setting, such as `pipelines.daily-sales.execution.retries`; `""` for the whole. */
  readonly path: string;
  /** Description of the problem, with the allowed values and a likely correction. */
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
  const best = nearestName(name, names);
  return best === null ? "" : `; did you mean ${JSON.stringify(best)}?`;
}
