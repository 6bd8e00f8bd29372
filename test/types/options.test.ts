import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../../src/", import.meta.url));

/** Every option of every exported interface of options, with its comment. */
const options = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .flatMap((name) => {
    const source = ts.createSourceFile(name, readFileSync(join(SRC, name), "utf8"), ts.ScriptTarget.ES2022, true);
    const interfaces = source.statements.filter(ts.isInterfaceDeclaration).filter(isExported);
    return interfaces.filter((one) => /^(?!Resolved).*(?:Options|ActionContext)$/.test(one.name.text)).flatMap(optionsOf);
  });

function isExported({ modifiers = ts.factory.createNodeArray() }: ts.InterfaceDeclaration): boolean {
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function optionsOf(owner: ts.InterfaceDeclaration) {
  return owner.members.map((member) => ({
    name: `${owner.name.text}.${member.name?.getText()}`,
    isOptional: member.questionToken !== undefined,
    comment: ts
      .getJSDocCommentsAndTags(member)
      .map((one) => one.getText())
      .join(" "),
  }));
}

it("every option says what it is", () => {
  expect(options.length).toBeGreaterThan(350);
  expect(options.filter(({ comment }) => comment === "").map(({ name }) => name)).toEqual([]);
});

it("every option that may be left out says what holds then", () => {
  const silent = options.filter(({ isOptional, comment }) => isOptional && !/\bdefaults?\b/i.test(comment));
  expect(silent.map(({ name }) => name)).toEqual([]);
});
