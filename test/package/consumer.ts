import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll } from "vitest";

export const run = promisify(execFile);
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Of the package. */
export const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

/** A folder that is removed after the tests of the file. */
export function folder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `headgate-${name}-`));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Packs the package as npm publishes it, and returns the path of the tarball. */
export async function pack(into: string): Promise<string> {
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", into], { cwd: ROOT });
  return join(into, readdirSync(into).find((name) => name.endsWith(".tgz")) ?? "missing.tgz");
}

/** Writes the files of a project of a user, objects as JSON. */
export function write(project: string, files: Readonly<Record<string, unknown>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), typeof content === "string" ? content : JSON.stringify(content));
  }
}

/** Has a project use what the package has installed for itself. */
export function link(project: string, names: readonly string[]): void {
  for (const name of names) {
    const path = join(project, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), path);
  }
}

/** Unpacks a tarball as the package that a project has installed; its dependencies are those of the package itself. */
export async function unpack(tarball: string, project: string): Promise<void> {
  const installed = join(project, "node_modules", "headgate");
  mkdirSync(installed, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  link(project, Object.keys(manifest.dependencies));
}
