/**
 * The English of the project, as far as a test can judge it: doc comments begin with a verb or with the thing itself, and words that a reader has to translate appear
 * nowhere that leaves the process.
 */
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const sources = readdirSync(new URL("src/", ROOT), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `src/${name}`);
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync(new URL("docs/", ROOT), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !name.startsWith("api/"))
    .map((name) => `docs/${name}`),
];

/** Beginnings that make a reader guess what is returned. */
const BEGINNINGS =
  /^(What|How|Whether|Who|Whose|Whom|Which|Why|One that|One who|Those that|Those who|Whoever|Whatever|Gives|Tells|Asks|Lets|Has|Have)\b/;
/** Private or antiquated words, and what to write in their place. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\b(told|tells|telling)\b/i, "notified, reported, emitted, shown"],
  [/\btell\b/i, "notify, report, show"],
  [/\banew\b/i, "again"],
  [/\bunder way\b/i, "active, running"],
  [/\bwhoever\b/i, "anyone who, the one that"],
  [/\bone['’]s own\b/i, "custom, your own"],
  [/\b(carry|carries|carried|carrying)\b[^.;,]{0,20}\bout\b/i, "run, execute"],
  [/\bmischief\b/i, "what is dangerous, by name"],
  [/\bhand(s|ed)? in\b/i, "pass"],
  [/\bwhole number\b/i, "integer"],
];

/** Takes out what is code: names and examples have their own words. */
const prose = (text: string) => text.replaceAll(/```[\s\S]*?```/g, "").replaceAll(/`[^`\n]*`/g, "");
const wrongWordsIn = (text: string) => WORDS.flatMap(([word, better]) => (word.test(text) ? [`${text.match(word)?.[0]} → ${better}`] : []));

interface Text {
  readonly line: number;
  readonly text: string;
}

/** The comments of a file, without their marks, and its texts. */
function textsOf(path: string): { readonly docs: Text[]; readonly comments: Text[]; readonly strings: Text[] } {
  const source = read(path);
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const found: ReturnType<typeof textsOf> = { docs: [], comments: [], strings: [] };
  const seen = new Set<number>();
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1;
  const visit = (node: ts.Node) => {
    for (const range of [
      ...(ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(source, node.getEnd()) ?? []),
    ]) {
      if (seen.has(range.pos)) continue;
      seen.add(range.pos);
      const comment = source.slice(range.pos, range.end);
      const text = comment
        .replaceAll(/^\/\*\*?|\*\/$|^\/\//g, "")
        .replaceAll(/^\s*\*(?=\s|$)/gm, "")
        .trim();
      found.comments.push({ line: lineOf(range.pos), text });
      if (comment.startsWith("/**")) found.docs.push({ line: lineOf(range.pos), text });
    }
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
    if (isText && !ts.isImportDeclaration(node.parent) && / /.test(node.text))
      found.strings.push({ line: lineOf(node.getStart(file)), text: node.text });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const all = sources.map((path) => ({ path, ...textsOf(path) }));

describe("the English of the project", () => {
  it("begins doc comments with a verb in the third person or with the noun that the thing is", () => {
    const wrong = all.flatMap(({ path, docs }) =>
      docs.filter(({ text }) => BEGINNINGS.test(text)).map(({ line, text }) => `${path}:${line} ${text.slice(0, 60)}`),
    );
    expect(wrong).toEqual([]);
  });

  it("has no private words in comments", () => {
    const wrong = all.flatMap(({ path, comments }) =>
      comments.flatMap(({ line, text }) => wrongWordsIn(prose(text)).map((word) => `${path}:${line} ${word}`)),
    );
    expect(wrong).toEqual([]);
  });

  it("has none in texts that leave the process", () => {
    const wrong = all.flatMap(({ path, strings }) =>
      strings.flatMap(({ line, text }) => wrongWordsIn(text).map((word) => `${path}:${line} ${word}`)),
    );
    expect(wrong).toEqual([]);
  });

  it.each(pages)("has none in %s", (page) => {
    const lines = prose(read(page)).split("\n");
    expect(lines.flatMap((text, index) => wrongWordsIn(text).map((word) => `${index + 1} ${word}: ${text.slice(0, 120)}`))).toEqual([]);
  });

  it("finds what it looks for", () => {
    expect(wrongWordsIn("the node is told that work under way is carried out anew by whoever is free")).toHaveLength(5);
    expect(BEGINNINGS.test("Whether it runs.")).toBe(true);
    expect(BEGINNINGS.test("Returns true if it runs.")).toBe(false);
    expect(all.reduce((count, { docs }) => count + docs.length, 0)).toBeGreaterThan(2_000);
  });
});
