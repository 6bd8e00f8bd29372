import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "headgate-dev-"));
const ends: (() => unknown)[] = [];
afterAll(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true, force: true });
});

/** A small package that has what the watch needs, all of it committed. */
function project(): void {
  for (const name of ["src", "test/base", "build"]) mkdirSync(join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const name of ["build/dev.ts", "biome.json", "vitest.unit.config.ts", ".gitignore"]) cpSync(join(ROOT, name), join(folder, name));
  const options = { module: "nodenext", target: "es2022", strict: true, noEmit: true, skipLibCheck: true, types: [] };
  const files = {
    "package.json": { name: "watched", type: "module" },
    "tsconfig.json": { compilerOptions: options, include: ["src"] },
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
  writeFileSync(join(folder, "src/double.ts"), "export const double = (n: number): number => n * 2;\n");
  writeFileSync(
    join(folder, "test/base/double.test.ts"),
    'import { expect, it } from "vitest";\nimport { double } from "../../src/double.js";\n\nit("doubles", () => expect(double(2)).toBe(4));\n',
  );
  const git = (...args: string[]) => execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.example", ...args], { cwd: folder });
  git("init", "--quiet");
  execFileSync("npx", ["biome", "check", "--write", "."], { cwd: folder, stdio: "ignore" });
  git("add", "--all");
  git("commit", "--quiet", "--message", "Begin");
}

it.skipIf(process.platform === "win32")(
  "npm run dev says which of types, lint and affected tests fail, and ends on SIGINT",
  { timeout: 180_000 },
  async () => {
    project();
    const child = spawn(process.execPath, ["--import", "tsx", "build/dev.ts"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    ends.push(() => child.kill("SIGTERM"));
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const said = async (line: string) => {
      while (!text.includes(`\n${line}\n`)) await once(child.stdout, "data");
      text = "";
    };
    const write = (code: string) => writeFileSync(join(folder, "src/double.ts"), `export const double = ${code}\n`);

    await said("types ok  lint ok  tests none affected");
    write("(n: number): number => n * 3;");
    await said("types ok  lint ok  tests FAILED");
    write("(n: number): string => n * 2;");
    await said("types FAILED  lint ok  tests ok");
    write("(n: number): number => n*2;");
    await said("types ok  lint FAILED  tests ok");
    write("(n: number): number => n + n;");
    await said("types ok  lint ok  tests ok");
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([0, null]);
  },
);
