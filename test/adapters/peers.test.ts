import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadPeer } from "../../src/adapters/shared/load-peer.js";
import { openWith } from "../../src/adapters/shared/sqlite-driver.js";

const load = createRequire(import.meta.url);
const rootOf = (name: string) => {
  try {
    return dirname(load.resolve(`${name}/package.json`));
  } catch {
    return null;
  }
};
const sqlite = rootOf("better-sqlite3");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "headgate-peers-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.skipIf(sqlite === null)("better-sqlite3 that was installed without its build scripts is a missing peer, with advice", async () => {
  const modules = join(folder, "node_modules");
  const from = createRequire(join(sqlite as string, "package.json"));
  await mkdir(modules);
  await cp(join(sqlite as string, "lib"), join(modules, "better-sqlite3/lib"), { recursive: true });
  await cp(join(sqlite as string, "package.json"), join(modules, "better-sqlite3/package.json"));
  for (const name of ["bindings", "file-uri-to-path"])
    await cp(dirname(createRequire(from.resolve("bindings")).resolve(`${name}/package.json`)), join(modules, name), { recursive: true });
  const Unbuilt = createRequire(join(folder, "app.js"))("better-sqlite3") as Parameters<typeof openWith>[0];
  expect(() => openWith(Unbuilt, ":memory:")).toThrow(
    expect.objectContaining({ code: "MISSING_PEER", message: expect.stringMatching(/npm rebuild better-sqlite3.*pnpm approve-builds/) }),
  );
});

test("a binary for another Node is a missing peer too, and other errors stay what they are", () => {
  const failing = (error: Error) =>
    class {
      constructor() {
        throw error;
      }
    } as unknown as Parameters<typeof openWith>[0];
  const foreign = Object.assign(new Error("was compiled against a different Node.js version"), { code: "ERR_DLOPEN_FAILED" });
  expect(() => openWith(failing(foreign), "a.db")).toThrow(expect.objectContaining({ code: "MISSING_PEER" }));
  const full = Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" });
  expect(() => openWith(failing(full), "a.db")).toThrow(full);
});

test("a package that is absent is told from one that fails when it is loaded", async () => {
  expect(() => loadPeer("headgate-no-such-package", "this test needs")).toThrow(
    expect.objectContaining({
      code: "MISSING_PEER",
      message: "this test needs the package headgate-no-such-package: npm install headgate-no-such-package",
    }),
  );
  const broken = join(folder, "broken.cjs");
  await writeFile(broken, 'throw new Error("wrong machine");');
  expect(() => loadPeer(broken, "this test needs")).toThrow(/which is installed but cannot be loaded \(wrong machine\)/);
});
