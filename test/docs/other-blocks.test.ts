import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { withReference } from "../../docs/reference/make.js";
import { newFolder } from "../support/cli.js";
import { loaded } from "../support/config-file.js";

const ROOT = new URL("../../", import.meta.url);
const CLI = fileURLToPath(new URL("dist/cli.js", ROOT));
const scripts = Object.keys(JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")).scripts);
const hasPython = spawnSync("python3", ["--version"]).status === 0;
const pagesIn = (folder: string) =>
  readdirSync(new URL(folder, ROOT))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `${folder}${name}`);
/** Pages for those who change the code; the repository has them, the package does not. */
const forContributors = ["CONTRIBUTING.md", "docs/architecture.md", ".github/pull_request_template.md", ...pagesIn("docs/decisions/")];
const files = [...new Set(["README.md", "SECURITY.md", "examples/service/README.md", ...pagesIn("docs/"), ...forContributors])];
const texts = new Map(files.map((name) => [name, readFileSync(new URL(name, ROOT), "utf8")]));
const blocks = [...texts].flatMap(([name, text]) =>
  [...text.matchAll(/^```(\S*)([^\n]*)\n(.*?)^```$/gms)].map(([, language = "", label = "", code = ""], index) => ({
    title: `${name} #${index + 1} (${language}${label})`,
    name,
    language,
    label: label.trim(),
    code,
  })),
);
const of = (...languages: readonly string[]) => blocks.filter(({ language }) => languages.includes(language));

describe("blocks of README and docs that are no JavaScript", () => {
  it("are in languages that are looked at", () => {
    // js and ts: code-blocks.test.ts; text: pictures and what programs say
    expect(
      blocks
        .filter(({ language }) => !["js", "ts", "sh", "yaml", "json", "python", "text", ""].includes(language))
        .map(({ title }) => title),
    ).toEqual([]);
  });

  it.each(of("yaml"))("$title is a configuration that is right", ({ code }) => {
    expect(loaded(code, { env: {} }).scheduler.pipelines.length).toBeGreaterThan(0);
  });

  it.each(of("json"))("$title is JSON", ({ code }) => {
    expect(typeof JSON.parse(code)).toBe("object");
  });

  // those of docs/http.md run against a real service: test/cli/serve.test.ts
  it.each(of("sh").filter(({ name, label }) => name !== "docs/http.md" && label !== "no-run" && name !== "README.md"))(
    "$title runs as it stands",
    ({ code }) => {
      const script = `headgate() { "${process.execPath}" "${CLI}" "$@"; }\n${code}`;
      const env = { PATH: process.env.PATH, HOME: process.env.HOME };
      const { status, stderr } = spawnSync("bash", ["--norc", "-euc", script], { cwd: newFolder(), env, encoding: "utf8" });
      expect([status, stderr]).toEqual([0, ""]);
    },
  );

  it.each(of("sh"))("$title is a script, of npm scripts that are there", ({ code }) => {
    expect(spawnSync("bash", ["--norc", "-n", "-c", code], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
    for (const [, name = ""] of code.matchAll(/npm run ([\w:-]+)/g)) expect(scripts).toContain(name);
  });

  it.skipIf(!hasPython).each(of("python"))("$title is Python", ({ code }) => {
    const { status, stderr } = spawnSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], {
      input: code,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  });
});

describe("README and docs", () => {
  it("link to pages, headings and folders that are there, and every guide is linked from the README, or from the page for contributors", () => {
    const anchors = (text: string) =>
      [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
        title
          .toLowerCase()
          .replaceAll(/[^\w\s-]/g, "")
          .trim()
          .replaceAll(/\s+/g, "-"),
      );
    const broken: string[] = [];
    for (const [name, text] of texts) {
      for (const [, target = ""] of text.replaceAll(/^```.*?^```$/gms, "").matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [path = "", anchor] = target.split("#");
        const at = new URL(path === "" ? name : path, new URL(name, ROOT));
        const file = path === "" ? new URL(name, ROOT) : at;
        if (!existsSync(file)) {
          broken.push(`${name}: ${target}`);
          continue;
        }
        const found = file.pathname.endsWith(".md") ? readFileSync(file, "utf8") : "";
        if (anchor !== undefined && !anchors(found).includes(anchor)) broken.push(`${name}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
    const linked = (from: string, name: string) => texts.get(from)?.includes(`(${name})`) === true;
    const guides = pagesIn("docs/").filter((name) => !forContributors.includes(name));
    expect(guides.filter((name) => !linked("README.md", name))).toEqual([]);
    expect(forContributors.filter((name) => linked("README.md", name))).toEqual([]);
    expect(["docs/architecture.md", "docs/decisions/README.md"].filter((name) => !linked("CONTRIBUTING.md", name))).toEqual([]);
    const decisions = pagesIn("docs/decisions/").map((name) => name.slice("docs/decisions/".length));
    expect(decisions.filter((name) => name !== "README.md" && !linked("docs/decisions/README.md", name))).toEqual([]);
  });

  it("have the reference that the schema makes", () => {
    const text = texts.get("docs/configuration.md") ?? "";
    expect(withReference(text)).toBe(text);
  });
});
