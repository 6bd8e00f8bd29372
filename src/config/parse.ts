import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLParseError, Scalar as YamlScalar } from "yaml";
import type { Entry, Tree } from "./ast.js";
import type { ConfigProblem, Place } from "./diagnostic.js";

/** Bytes of one file. */
export const FILE_LIMIT = 131_072;
/** Parts of one file, aliases followed: a few lines of aliases can stand for billions. */
const PARTS = 20_000;
const DEEPEST = 64;
const CORE = "tag:yaml.org,2002:";
const ABYSS = 1_000;

/**
 * Reads YAML 1.2 into a tree. Aliases and merge keys (`<<`) are followed; duplicate keys, tags beside those of the core schema, unknown directives, further documents, circles,
 * and what would grow without end are refused.
 *
 * @see https://yaml.org/spec/1.2.2/
 */
export function parseTree(text: string, file: string): { tree: Tree | null; problems: ConfigProblem[] } {
  const lines = new LineCounter();
  const problems: ConfigProblem[] = [];
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const refuse = (place: Place, message: string) => {
    problems.push({ ...place, path: "", message });
  };
  if (Buffer.byteLength(text) > FILE_LIMIT) {
    refuse({ file, line: 1, column: 1 }, `the file has over ${FILE_LIMIT / 1_024} KiB; move parts to other files and list them in include`);
    return { tree: null, problems };
  }
  const abyss = abyssIn(text);
  if (abyss !== null) {
    refuse({ file, line: abyss, column: 1 }, `is nested deeper than ${DEEPEST} levels`);
    return { tree: null, problems };
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, version: "1.2", logLevel: "error" });
  for (const error of document.errors.slice(0, 20))
    refuse(
      placeAt(error.pos[0]),
      error.code === "MULTIPLE_DOCS"
        ? "a second document starts here; move it to another file and list that in include"
        : syntaxProblemOf(error),
    );
  for (const warning of document.warnings.slice(0, 20))
    if (warning.code !== "TAG_RESOLVE_FAILED") refuse(placeAt(warning.pos[0]), syntaxProblemOf(warning));
  if (document.directives?.yaml.version !== "1.2") refuse({ file, line: 1, column: 1 }, "%YAML must be 1.2");
  if (problems.length > 0) return { tree: null, problems };
  if (document.contents === null) {
    refuse({ file, line: 1, column: 1 }, "the file is empty");
    return { tree: null, problems };
  }

  let parts = 0;
  const under = new Set<Node>();
  /** The newest node of each anchor so far: an alias means the one before it. The library would look through the whole file for each alias. */
  const anchors = new Map<string, Node>();
  const treeOf = (node: Node | null, depth: number, around: Place): Tree => {
    const place = node?.range ? placeAt(node.range[0]) : around;
    const nothing: Tree = { kind: "scalar", place, value: null, text: "", isPlain: true, variables: null };
    if (node === null || problems.length >= 20) return nothing;
    if (++parts > PARTS || depth > DEEPEST) {
      if (parts === PARTS + 1 || depth > DEEPEST)
        refuse(place, depth > DEEPEST ? `is nested deeper than ${DEEPEST} levels` : `comes to more than ${PARTS} values, aliases followed`);
      parts = Math.max(parts, PARTS + 1);
      return nothing;
    }
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) refuse(place, "refers to an anchor that is not defined before it; quote a value that begins with *");
      else if (under.has(target)) refuse(place, `*${node.source} stands within &${node.source}: an endless reference`);
      else return treeOf(target, depth + 1, place);
      return nothing;
    }
    if (node.tag !== undefined && !isOfTag(node, node.tag)) {
      refuse(place, "this tag is not supported here, or does not match the value; remove it, or quote a value that begins with !");
      return nothing;
    }
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarOf(node, place, refuse) ?? nothing;
    under.add(node);
    try {
      if (isSeq(node)) return { kind: "list", place, items: node.items.map((item) => treeOf(item as Node | null, depth + 1, place)) };
      if (isMap(node)) return mapOf(node, depth, place);
    } finally {
      under.delete(node);
    }
    refuse(place, "is not valid");
    return nothing;
  };
  const mapOf = (node: Node & { items: readonly { key: unknown; value: unknown }[] }, depth: number, place: Place): Tree => {
    const own = new Map<string, Entry>();
    const merged: Tree[] = [];
    for (const { key, value } of node.items) {
      const at = (key as Node | null)?.range ? placeAt((key as Node & { range: [number] }).range[0]) : place;
      const known = isAlias(key) ? anchors.get(key.source) : key;
      if (isScalar(known) && known.tag !== undefined && known.tag !== `${CORE}str`) refuse(at, "this tag is not supported; remove it");
      else if (!isScalar(known) || known.value === null) refuse(at, "a key must be a string");
      else {
        const name = String(known.value);
        const tree = treeOf(value as Node | null, depth + 1, at);
        if (name === "<<" && known.type === YamlScalar.PLAIN) merged.push(...(tree.kind === "list" ? tree.items : [tree]));
        else if (own.has(name))
          refuse(
            at,
            `the key ${JSON.stringify(name.slice(0, 80))} is a duplicate; it is first defined in line ${own.get(name)?.place.line}`,
          );
        else own.set(name, { place: at, value: tree });
      }
    }
    for (const one of merged) {
      if (one.kind !== "map") refuse(one.place, "<< must be a map or a list of maps");
      else for (const [name, entry] of one.entries) if (!own.has(name)) own.set(name, entry);
    }
    return { kind: "map", place, entries: own };
  };
  const tree = treeOf(document.contents as Node, 0, placeAt(0));
  return { tree: problems.length > 0 ? null : tree, problems };
}

/** Returns true if a value is of the tag that is written before it: only those of YAML's core schema mean something here. @see https://yaml.org/spec/1.2.2/#103-core-schema */
function isOfTag(node: Node, tag: string): boolean {
  if (isMap(node)) return tag === `${CORE}map`;
  if (isSeq(node)) return tag === `${CORE}seq`;
  if (!isScalar(node) || !tag.startsWith(CORE)) return false;
  const { value } = node;
  switch (tag.slice(CORE.length)) {
    case "str":
      return typeof value === "string";
    case "int":
      return typeof value === "bigint" || Number.isInteger(value);
    case "float":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "null":
      return value === null;
    default:
      return false;
  }
}

/** The library's message, without what it quotes of the file: that may be a secret. */
function syntaxProblemOf({ code, message }: Pick<YAMLParseError, "code" | "message">): string {
  switch (code) {
    case "TAG_RESOLVE_FAILED":
      return "this tag is not supported; quote a value that begins with !";
    case "BAD_DIRECTIVE":
      return "is not a YAML directive; quote a value that begins with %";
    case "BAD_DQ_ESCAPE":
      return "Invalid escape sequence in double quotes";
    case "UNEXPECTED_TOKEN":
      return message.replace(/: .*$/s, "");
    default:
      return message;
  }
}

function scalarOf(node: YamlScalar, place: Place, refuse: (place: Place, message: string) => void): Tree | null {
  const { value, type, source } = node;
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) {
    refuse(place, `${String(value)} is not a finite number`);
    return null;
  }
  if (value !== null && typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    refuse(place, "has an unsupported type; allowed: text, numbers, true, false, null");
    return null;
  }
  return { kind: "scalar", place, value, text: source ?? String(value), isPlain: type === YamlScalar.PLAIN, variables: null };
}

/** The line that opens so many brackets, dashes or steps of indentation that a parser which calls itself would not survive it. */
function abyssIn(text: string): number | null {
  let open = 0;
  for (const [index, row] of text.split("\n").entries()) {
    for (const char of row) {
      if (char === "[" || char === "{") open++;
      else if (char === "]" || char === "}") open = Math.max(0, open - 1);
    }
    const steps = /^[ \t?-]*/.exec(row)?.[0].length ?? 0;
    if (open > ABYSS || steps > ABYSS) return index + 1;
  }
  return null;
}
