import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const pages = [
  "CONTRIBUTING.md",
  "docs/architecture.md",
  ...readdirSync(new URL("docs/decisions/", ROOT)).map((name) => `docs/decisions/${name}`),
];
/** Folders below which a page names files: the one of its table, or of its recipe. */
const FOLDERS = [
  "",
  "src/",
  "src/engine/",
  "src/ports/",
  "src/gate/conditions/",
  "src/adapters/stores/",
  "src/adapters/stores/sql/",
  "src/adapters/stores/sqlite/",
  "src/adapters/executors/",
  "src/adapters/sensors/",
  "src/adapters/alerts/",
  "src/adapters/probes/",
  "test/",
  "test/executors/",
];
const isThere = (name: string) =>
  FOLDERS.some((folder) => ["", ".test.ts"].some((ending) => existsSync(new URL(`${folder}${name}${ending}`, ROOT))));
/** Paths, and files by name; not entry points of the package. */
const isPath = (name: string) => /^(?!headgate\/)[a-z][\w-]*\/[\w./-]+$|\.(?:ts|json|md|yml)$/.test(name) && !name.startsWith(".tmp/");

describe("the pages for contributors", () => {
  it.each(pages)("%s names files and folders that are there", (page) => {
    const named = [...read(page).matchAll(/`([\w./-]+)`/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => isPath(name) && !isThere(name))).toEqual([]);
  });

  it("name every variable that tests read", () => {
    const sources = readdirSync(new URL("test/", ROOT), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const variables = new Set(
      sources.flatMap((name) => [...read(`test/${name}`).matchAll(/process\.env\.(HEADGATE_\w+)/g)].map(([, one = ""]) => one)),
    );
    const set = new Set(["HEADGATE_TEST_SECRET", "HEADGATE_TEST_PASSED_ON", "HEADGATE_SECRET", "HEADGATE_PIPELINE"]); // by the test that reads it
    const text = read("CONTRIBUTING.md");
    expect([...variables].filter((name) => !set.has(name) && !text.includes(`\`${name}\``))).toEqual([]);
  });

  it("have ten decisions with the same headings", () => {
    const decisions = pages.filter((name) => /\/\d{4}-/.test(name)).toSorted();
    expect(decisions.map((name) => Number(/\/(\d{4})-/.exec(name)?.[1]))).toEqual(decisions.map((_, index) => index + 1));
    for (const name of decisions) {
      const headings = [...read(name).matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
      expect([name, headings]).toEqual([name, ["Context", "Decision", "Consequences", "Considered instead"]]);
    }
  });

  it.each(["defect", "idea"])("ask for what is needed by a form: %s", (name) => {
    const form = parse(read(`.github/ISSUE_TEMPLATE/${name}.yml`));
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    const ids = form.body.flatMap(({ type, id }: { type: string; id?: string }) => (type === "markdown" ? [] : [id]));
    expect(new Set(ids).size).toBe(ids.length);
  });
});
