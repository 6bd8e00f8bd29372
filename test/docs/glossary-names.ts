/** The public names of each surface: what TypeScript, HTTP, YAML and metrics call things. */
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";

const ROOT = new URL("../../", import.meta.url);

/** Returns a camelCase name in snake_case. */
export const snake = (name: string) => name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();

/** Returns the names of all members of exported interfaces and object types in src, and of the fields that records are defined by (`TRIGGER_FIELDS` …), in snake_case; ends in `_at` and `_ms` stay. */
export function typescriptNames(): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node) => {
    if ((ts.isPropertySignature(node) || ts.isMethodSignature(node)) && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name)))
      names.add(snake(node.name.text));
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.name.text.endsWith("_FIELDS") && node.initializer)
      for (const field of ts.isObjectLiteralExpression(node.initializer) ? node.initializer.properties : [])
        if (field.name !== undefined && ts.isIdentifier(field.name)) names.add(snake(field.name.text));
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) names.add(snake(node.literal.text));
    ts.forEachChild(node, visit);
  };
  for (const name of readdirSync(new URL("src/", ROOT), { recursive: true, encoding: "utf8" })) {
    if (
      !name.endsWith(".ts") ||
      /^(cli|service|config|testing|adapters\/http\/(?!options|server-limits|webhook-source|signatures))/.test(name)
    )
      continue;
    const file = ts.createSourceFile(name, readFileSync(new URL(`src/${name}`, ROOT), "utf8"), ts.ScriptTarget.ES2022, true);
    for (const statement of file.statements) {
      const isPublic =
        ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      if (isPublic) visit(statement);
    }
    // names of functions are keys in YAML: conditions, schedules, executors, channels
    for (const statement of file.statements)
      if (ts.isFunctionDeclaration(statement) && statement.name !== undefined) names.add(snake(statement.name.text));
  }
  return names;
}

/** Returns the property names in a JSON Schema. */
export function propertiesIn(schema: unknown, names = new Set<string>()): Set<string> {
  if (typeof schema !== "object" || schema === null) return names;
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties" && typeof value === "object" && value !== null) for (const name of Object.keys(value)) names.add(name);
    propertiesIn(value, names);
  }
  return names;
}
