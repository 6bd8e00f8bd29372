import { parse } from "yaml";
import type { Scalar, Tree } from "./ast.js";
import { type ConfigProblem, type Path, pathText } from "./diagnostic.js";

export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$(?:\$|\{([^{}]*)\})/g;

/**
 * Puts variables in: `${NAME}`, `${NAME:-default}` (also for an empty one), `$$` for a dollar sign. Without quotes around it, `${PORT}` may become a number or a boolean.
 */
export function interpolated(tree: Tree, env: Environment, problems: ConfigProblem[], path: Path = []): Tree {
  switch (tree.kind) {
    case "map":
      return {
        ...tree,
        entries: new Map(
          [...tree.entries].map(([name, { place, value }]) => [
            name,
            { place, value: interpolated(value, env, problems, [...path, name]) },
          ]),
        ),
      };
    case "list":
      return { ...tree, items: tree.items.map((item, index) => interpolated(item, env, problems, [...path, index])) };
    case "scalar":
      return typeof tree.value === "string" && tree.value.includes("$") ? scalar(tree, tree.value, env, problems, path) : tree;
  }
}

function scalar(tree: Scalar, template: string, env: Environment, problems: ConfigProblem[], path: Path): Scalar {
  const variables: string[] = [];
  let hasVariable = false;
  const refuse = (message: string) => {
    problems.push({ ...tree.place, path: pathText(path), message });
    return "";
  };
  const text = template.replaceAll(REFERENCE, (_, inside: string | undefined) => {
    if (inside === undefined) return "$";
    const [, name, rest, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$/s.exec(inside) ?? [];
    if (name === undefined) return refuse("has an invalid reference ${…}; write ${NAME} or ${NAME:-default}, and $$ for a dollar sign");
    hasVariable = true;
    const value = env[name];
    if (value !== undefined && (value !== "" || rest === undefined)) {
      variables.push(value);
      return value;
    }
    if (rest !== undefined) return fallback ?? "";
    return refuse(`the environment variable ${name} is not set; set it, or provide a default: \${${name}:-…}`);
  });
  if (!hasVariable) return { ...tree, value: text, text };
  return { ...tree, value: tree.isPlain ? readScalar(text) : text, text, variables };
}

/** A number, a boolean or null, if that is how YAML reads it; else the text. */
export function readScalar(text: string): string | number | boolean | null {
  if (!/^(?:[-+.\w]{1,30})$/.test(text)) return text;
  const value: unknown = parse(text, { version: "1.2", logLevel: "silent" });
  return value === null || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value)) ? value : text;
}
