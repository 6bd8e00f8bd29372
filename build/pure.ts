/**
 * Finds what pure folders must not do: read a clock, set a timer, draw a random number, look at the process, or reach a module of Node, by whatever name.
 *
 * Names are resolved by the compiler, so that neither an alias, nor destructuring, nor `globalThis` hides them. `npm run check` runs this; `test/api/pure.test.ts` tries it.
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const PURE = ["base", "schedule", "trigger", "gate", "run", "adaptive", "monitor", "pattern", "pipeline"];
/** Files of `base` that hand modules of Node, and turns of the event loop, to others: pure folders must not import them. */
export const IMPURE_BASE = ["src/base/lazy-module.ts", "src/base/turn-budget.ts"];

/** Globals that pure code may use; whatever else the platform declares is refused. */
const ALLOWED = new Set(
  `Array ArrayBuffer BigInt Boolean Error AggregateError RangeError SyntaxError TypeError Infinity Intl Iterator JSON Map NaN Number Object Promise Proxy Reflect RegExp Set String Symbol
  Uint8Array Uint32Array Int32Array Float32Array Float64Array WeakMap WeakRef WeakSet decodeURIComponent encodeURIComponent isFinite isNaN parseFloat parseInt structuredClone undefined
  URL URLSearchParams TextEncoder TextDecoder AbortSignal AbortController Buffer`.split(/\s+/),
);

/** A place in pure code that does what it must not. */
export interface Impurity {
  readonly where: string;
  readonly what: string;
}

/** Returns what is impure in these files of a program. */
export function impurities(program: ts.Program, isPure: (file: string) => boolean, root: string): readonly Impurity[] {
  const checker = program.getTypeChecker();
  const found: Impurity[] = [];
  for (const file of program.getSourceFiles()) {
    if (file.isDeclarationFile || !isPure(relative(root, file.fileName))) continue;
    const report = (node: ts.Node, what: string) => {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      found.push({ where: `${relative(root, file.fileName)}:${line + 1}`, what });
    };
    const visit = (node: ts.Node): void => {
      if (isOfTypes(node)) return;
      const problem = problemOf(node, checker);
      if (problem !== null) report(node, problem);
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

function isOfTypes(node: ts.Node): boolean {
  return (
    ts.isTypeNode(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    (ts.isImportDeclaration(node) && node.importClause?.isTypeOnly === true)
  );
}

function problemOf(node: ts.Node, checker: ts.TypeChecker): string | null {
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return "imports while it runs";
  if (ts.isMetaProperty(node)) return "uses import.meta";
  if (ts.isPropertyAccessExpression(node) && isNow(node, checker)) return `${node.getText()} reads the clock`;
  if (!ts.isIdentifier(node) || !isReference(node)) return null;
  const symbol = checker.getSymbolAtLocation(node);
  if (symbol === undefined || !isOfPlatform(symbol)) return null;
  if (node.text === "Date") return isTimeless(node.parent, node) ? null : `${node.parent.getText()} may read the clock`;
  if (node.text === "Math") {
    const { parent } = node;
    return ts.isPropertyAccessExpression(parent) && parent.expression === node && parent.name.text !== "random"
      ? null
      : "Math.random is not pure";
  }
  return ALLOWED.has(node.text) ? null : `uses the global ${node.text}`;
}

/** Returns true for an identifier that stands for a value, and is no name of a property. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isPropertyDeclaration(parent) || ts.isBindingElement(parent))
    return parent.name !== node && (!ts.isBindingElement(parent) || parent.propertyName !== node);
  return true;
}

/** Returns true for what the platform declares, as opposed to this file, another one, or a library. */
function isOfPlatform(symbol: ts.Symbol): boolean {
  const declarations = symbol.declarations ?? [];
  if (declarations.length === 0) return symbol.name === "globalThis";
  return declarations.every((one) => {
    const { fileName } = one.getSourceFile();
    return fileName.includes("/typescript/lib/") || fileName.includes("/@types/node/");
  });
}

/** Returns true for uses of `Date` that need no clock. */
function isTimeless(parent: ts.Node, node: ts.Node): boolean {
  if (ts.isNewExpression(parent) && parent.expression === node) return (parent.arguments?.length ?? 0) > 0;
  if (ts.isPropertyAccessExpression(parent))
    return parent.name.text === "UTC" || parent.name.text === "parse" || parent.name.text === "prototype";
  return ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
}

/** Libraries of values that know the present, by their own functions. */
function isNow(node: ts.PropertyAccessExpression, checker: ts.TypeChecker): boolean {
  const { text } = node.name;
  const owner = ts.isIdentifier(node.expression) ? node.expression.text : "";
  const isCall = ts.isCallExpression(node.parent) && node.parent.expression === node;
  if (owner === "DateTime")
    return (
      text === "now" || ((text === "local" || text === "utc") && (!isCall || (node.parent as ts.CallExpression).arguments.length === 0))
    );
  return text === "toRelative" && checker.typeToString(checker.getTypeAtLocation(node.expression)).startsWith("DateTime");
}

/** Returns the program of the whole source. */
export function programOf(root: string): ts.Program {
  const { config } = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return ts.createProgram(
    fileNames.filter((file) => file.startsWith(`${root}/src/`)),
    options,
  );
}

const PURE_PATH = new RegExp(`^src/(${PURE.join("|")})/`);

/** Returns true for a file that must be pure. */
export function mustBePure(file: string): boolean {
  return PURE_PATH.test(file) && !IMPURE_BASE.includes(file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
  const found = impurities(programOf(root), mustBePure, root);
  for (const { where, what } of found) console.error(`${where}: ${what}`);
  if (found.length > 0) process.exitCode = 1;
}
