import ts from "typescript";

/** Of `import()`, and of a default import from a module that was an ES module or was not. */
const HELPERS = `const defaultOf = (module) => (module && module.__esModule ? module.default : module);
const importOf = async (name) => {
  const module = require(name);
  return module && module.__esModule ? module : { ...module, default: module };
};
`;

/** Text instead of that between two places. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * Returns the CommonJS form of an ES module: the same text but for what it imports and exports. It holds for modules that import each other in no circle and never assign anew to what they export.
 *
 * @param rename - what is required instead of a module
 * @throws Error for a form of import or export that it does not know
 */
export function commonJsOf(code: string, rename: (module: string) => string): string {
  const text = code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
  const file = ts.createSourceFile("module.js", text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const edits: Edit[] = [];
  const replace = (node: ts.Node, by: string) => edits.push({ from: node.getStart(file), to: node.getEnd(), text: by });
  const required = (module: ts.Expression) => `require(${JSON.stringify(rename((module as ts.StringLiteral).text))})`;
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) return void replace(node, importLines(node, required(node.moduleSpecifier)));
    if (ts.isExportDeclaration(node)) return void replace(node, exportLine(node, required));
    if (ts.isMetaProperty(node)) return void replace(node, "({})");
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      replace(node.expression, "importOf");
      const [module] = node.arguments;
      if (module !== undefined && ts.isStringLiteral(module)) return void replace(module, JSON.stringify(rename(module.text)));
    }
    if (
      ts.isExportAssignment(node) ||
      (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword))
    )
      throw new Error(`no CommonJS form is known of ${node.getText(file).slice(0, 100)}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  const body = edits.reduceRight((all, { from, to, text: by }) => all.slice(0, from) + by + all.slice(to), text);
  const constant = /\bHEADGATE_IS_COMMONJS\b/.test(body) ? "const HEADGATE_IS_COMMONJS = true;\n" : "";
  const helpers = /\b(?:defaultOf|importOf)\(/.test(body) ? HELPERS : "";
  return `"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n${constant}${helpers}${body}`;
}

function importLines({ importClause: clause }: ts.ImportDeclaration, required: string): string {
  if (clause === undefined) return `${required};`;
  const { name, namedBindings: bindings } = clause;
  const lines: string[] = [];
  if (name !== undefined) lines.push(`const ${name.text} = defaultOf(${required});`);
  if (bindings !== undefined && ts.isNamespaceImport(bindings)) lines.push(`const ${bindings.name.text} = ${required};`);
  if (bindings !== undefined && ts.isNamedImports(bindings)) lines.push(`const ${namesOf(bindings)} = ${required};`);
  return lines.join("\n");
}

function exportLine({ exportClause: clause, moduleSpecifier }: ts.ExportDeclaration, required: (module: ts.Expression) => string): string {
  if (clause !== undefined && ts.isNamedExports(clause) && moduleSpecifier === undefined)
    return `Object.assign(exports, ${namesOf(clause)});`;
  if (clause === undefined && moduleSpecifier !== undefined) return `Object.assign(exports, ${required(moduleSpecifier)});`;
  throw new Error("no CommonJS form is known of this export");
}

/** What stands between braces, as it stands there: `x as y` of an import is `x: y` of a pattern, that of an export `y: x` of an object. */
function namesOf(bindings: ts.NamedImports | ts.NamedExports): string {
  const order = ts.isNamedImports(bindings) ? "$1: $2" : "$2: $1";
  return bindings.getText().replaceAll(/([\w$]+) as ([\w$]+)/g, order);
}
