import { readFileSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { HeadgateError } from "../../base/errors.js";
import type { NamedConnections } from "../../gate/dependency.js";
import { secretsOfUrl } from "../../run/secret-forms.js";
import { partAt, placeOf, plainOf, type Tree } from "../ast.js";
import { type ConfigProblem, nearMatch, type Path, pathText } from "../diagnostic.js";
import type { SettledConfig } from "../schema/config.js";

/** Context of the compilation of a configuration: positions, problems and known names. */
export class BuildContext {
  readonly problems: ConfigProblem[] = [];
  /** Secrets that were read; they are kept out of everything that is printed or kept. */
  readonly secrets = new Set<string>();
  /** Files that hold secrets, and what they hold by where it is wanted. */
  readonly files = new Set<string>();
  readonly contents: (readonly [path: Path, text: string])[] = [];
  /** Connections that dependencies may name. */
  connections: NamedConnections = {};
  readonly config: Partial<SettledConfig>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly #tree: Tree;
  readonly #folder: string;

  constructor(tree: Tree, config: Partial<SettledConfig>, file: string, env: Readonly<Record<string, string | undefined>>) {
    this.#tree = tree;
    this.config = config;
    this.#folder = dirname(resolve(file));
    this.env = env;
  }

  refuse(path: Path, message: string, isKey = false): void {
    this.problems.push({ ...placeOf(this.#tree, path, isKey), path: pathText(path), message });
  }

  /** Makes something; what it refuses is a problem at this path, and `undefined` is made. */
  make<T>(path: Path, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof HeadgateError)) throw error;
      this.refuse(path, error.message);
      return undefined;
    }
  }

  /** Refuses a name that is not among those there are. */
  checkName(path: Path, what: string, name: string, names: Iterable<string>): boolean {
    const known = [...names];
    if (known.includes(name)) return true;
    const near = nearMatch(name, known);
    const shown = known.length > 20 ? `${known.slice(0, 20).join(", ")} and ${known.length - 20} more` : known.join(", ") || "none";
    this.refuse(path, `no such ${what}: ${JSON.stringify(name.slice(0, 128))}${near}${near === "" ? "; " : " "}available: ${shown}`);
    return false;
  }

  checkPipelines(path: Path, ids: string | readonly string[] | undefined): void {
    for (const id of typeof ids === "string" ? [ids] : (ids ?? [])) this.checkName(path, "pipeline", id, this.names("pipelines"));
  }

  /** Returns the raw value at a path, valid or not. */
  raw(path: Path): unknown {
    const part = partAt(this.#tree, path);
    return part === null ? undefined : plainOf(part);
  }

  pools(): readonly string[] {
    const pools = this.raw(["resources", "pools"]);
    return typeof pools === "object" && pools !== null ? Object.keys(pools) : [];
  }

  /** Names that the file gives, those of entries that are wrong too. */
  names(section: "pipelines" | "patterns" | "business_patterns" | "calendars" | "executors" | "connections"): readonly string[] {
    const part = this.#tree.kind === "map" ? this.#tree.entries.get(section)?.value : undefined;
    return part?.kind === "map" ? [...part.entries.keys()] : [];
  }

  /** A path of the file system as the configuration's own file sees it. */
  file(path: string): string {
    return isAbsolute(path) ? path : resolve(this.#folder, path);
  }

  /** A text that may stand in a file of its own, which `file:` names. */
  text(path: Path, value: string): string;
  text(path: Path, value: string | undefined): string | undefined;
  text(path: Path, value: string | undefined): string | undefined {
    if (value === undefined || !value.startsWith("file:")) return value;
    const text = this.#contentOf(path, value.slice("file:".length));
    this.contents.push([path, text]);
    return text;
  }

  /** A secret: the same, kept out of everything that is shown. */
  secret(path: Path, value: string): string;
  secret(path: Path, value: string | undefined): string | undefined;
  secret(path: Path, value: string | undefined): string | undefined {
    const text = this.text(path, value);
    if (text !== undefined) for (const one of [text, ...secretsOfUrl(text)]) this.secrets.add(one);
    return text;
  }

  #contentOf(path: Path, name: string): string {
    const file = this.file(name);
    this.files.add(file);
    try {
      const text = readFileSync(file, "utf8").trim();
      if (text !== "") return text;
      this.refuse(path, `the file ${name} is empty`);
    } catch (error) {
      this.refuse(path, `the file ${name} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
    }
    return "a secret that could not be read";
  }
}

/** The file's addresses are its writer's own, as those in code are. */
export const OWN_ADDRESSES = { allowPrivateNetworks: true };

/** Options in the spelling of code: `retry_delay` is `retryDelay`. Only the names of the options themselves; what is not given is left out. */
export function camel<T extends object>(options: T): CamelKeys<T> {
  const made: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options))
    if (value !== undefined) made[name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = value;
  return made as CamelKeys<T>;
}

type Camel<Name> = Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail> & string>}` : Name;
type CamelKeys<T> = { [Name in keyof T as Camel<Name>]: Exclude<T[Name], undefined> };
