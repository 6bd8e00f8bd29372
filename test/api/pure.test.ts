import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { impurities, mustBePure } from "../../build/pure.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

type Case = readonly [what: string, text: string];

/** What is found in files of the pure folder `schedule` with these texts. */
function foundIn(texts: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const byFile = new Map(texts.map((text, index) => [`${ROOT}/src/schedule/planted-${index}.ts`, text]));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version) => {
    const text = byFile.get(name);
    return text === undefined ? read(name, version) : ts.createSourceFile(name, text, version, true);
  };
  host.fileExists = (name) => byFile.has(name) || ts.sys.fileExists(name);
  host.getCurrentDirectory = () => ROOT;
  const found = impurities(ts.createProgram([...byFile.keys()], options, host), mustBePure, ROOT);
  return new Map(
    [...byFile].map(([file, text]) => [
      text,
      found.flatMap(({ where, what }) => (`${ROOT}/${where}`.startsWith(`${file}:`) ? [what] : [])),
    ]),
  );
}

const IMPURE: readonly Case[] = [
  ["Date.now()", "export const now = Date.now();"],
  ["new Date()", "export const now = new Date();"],
  ["Date by another name", "const D = Date; export const now = D.now();"],
  ["Date out of globalThis", "const { Date: D } = globalThis; export const now = D.now();"],
  ["globalThis", "export const now = globalThis.Date.now();"],
  ["Math.random", "export const dice = Math.random();"],
  ["Math taken apart", "const { random } = Math; export const dice = random();"],
  ["Math by a name made at run time", 'export const dice = Math["ran" + "dom" as "random"]();'],
  ["timers", "setTimeout(() => {}, 1);"],
  ["setImmediate", "setImmediate(() => {});"],
  ["the process", "export const { env } = process;"],
  ["performance", "export const now = performance.now();"],
  ["crypto", "export const id = crypto.randomUUID();"],
  ["fetch", 'export const page = fetch("http://localhost");'],
  ["eval", 'export const now = eval("Date.now()");'],
  ["Function", 'export const now = new Function("return Date.now()")();'],
  ["a module imported while it runs", 'export const fs = import("node:fs");'],
  ["import.meta", "export const here = import.meta.url;"],
  ["the present of luxon", 'import { DateTime } from "luxon"; export const now = DateTime.now();'],
  ["the present of luxon, local", 'import { DateTime } from "luxon"; export const now = DateTime.local();'],
];

const PURE: readonly Case[] = [
  ["an instant as a Date", "export const toDate = (ms: number) => new Date(ms);"],
  ["Date as a type, and to compare with", "export const isDate = (value: unknown): value is Date => value instanceof Date;"],
  ["Math but for its dice", "export const round = (x: number) => Math.round(x);"],
  [
    "properties that are called like globals",
    "export const now = (clock: { performance: number; Date: number }) => clock.performance + clock.Date;",
  ],
  [
    "luxon at an instant",
    'import { DateTime } from "luxon"; export const day = (ms: number) => DateTime.fromMillis(ms, { zone: "utc" }).day;',
  ],
];

/** `npm run check` looks at the source itself. */
describe("pure folders", () => {
  const found = foundIn([...IMPURE, ...PURE].map(([, text]) => text));

  test.each(IMPURE)("may not use %s", (_, text) => {
    expect(found.get(text)).not.toEqual([]);
  });

  test.each(PURE)("may use %s", (_, text) => {
    expect(found.get(text)).toEqual([]);
  });
});
