import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

/** What makes something that emits "error", which ends the process when nobody listens: of Node, and of the libraries that adapters load. */
const MAKES_EMITTER =
  /\b(?:spawn|createServer|createConnection|createReadStream|createWriteStream|createTransport)\(|= (?:watch|fork)\(|\bnew (?:\w+\.)?(?:Worker|Socket|Server|Pool|Client|QueueEvents|Redis|ReadStream|WriteStream)\(|\bnew library\.(?:Queue|Redis)\(|\.connect\(\{/;
const LISTENS = /\.(?:on|once)\(\s*"error"/;

const files = readdirSync(SRC, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".ts"))
  .toSorted();

/** The code of a file without comments, texts over several lines (programs of other processes), and declarations of types. */
function codeOf(name: string): string {
  return readFileSync(join(SRC, name), "utf8")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/(?<!:)\/\/.*$/gm, "")
    .replaceAll(/`[^`]*`/g, "``")
    .split("\n")
    .filter((line) => !/^\s*(?:readonly |export type |type |import |function \w+|async function \w+|export (?:async )?function)/.test(line))
    .join("\n");
}

describe("what emits errors", () => {
  const makers = files.filter((name) => MAKES_EMITTER.test(codeOf(name)));

  it("is found at all", () => {
    expect(makers.length).toBeGreaterThan(8);
    expect(makers).toEqual(expect.arrayContaining(["adapters/stores/postgres/pool.ts", "adapters/executors/local/command.ts"]));
  });

  it.each(makers)("has a listener where it is made: %s", (name) => {
    expect(LISTENS.test(codeOf(name))).toBe(true);
  });
});
