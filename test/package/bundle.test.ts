import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** The bundler that the package itself is built with. */
const { build } = createRequire(createRequire(import.meta.url).resolve("tsup"))("esbuild") as {
  build(options: object): Promise<unknown>;
};
const run = promisify(execFile);

const APP = `
import { cron, createScheduler, pipeline } from "headgate";
import { postgresStore } from "headgate/postgres";

const scheduler = createScheduler({
  pipelines: [pipeline({ id: "daily", schedule: cron("0 2 * * *"), run: () => {} })],
  store: postgresStore({ connectionString: "postgres://nobody@127.0.0.1:1/nothing" }),
  logger: { log: () => {} },
});
scheduler.start().then(
  () => console.log("started"),
  (error) => console.log(error.code),
);
`;

describe("an application that is bundled", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "headgate-bundle-"));
    await writeFile(join(folder, "app.mjs"), APP);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const bundle = (format: "cjs" | "esm", name: string) =>
    build({
      entryPoints: [join(folder, "app.mjs")],
      outfile: join(folder, name),
      bundle: true,
      platform: "node",
      format,
      external: ["pg"],
      alias: { "headgate/postgres": resolve("dist/postgres.js"), headgate: resolve("dist/index.js") },
      logLevel: "silent",
      ...(format === "esm"
        ? { banner: { js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);' } }
        : {}),
    });

  test.each(["cjs", "esm"] as const)("as %s finds pg beside it, and says so when it is not there", async (format) => {
    const name = `app-bundle.${format === "cjs" ? "cjs" : "mjs"}`;
    await bundle(format, name);
    expect((await run(process.execPath, [join(folder, name)])).stdout.trim()).toBe("MISSING_PEER");
    await symlink(resolve("node_modules"), join(folder, "node_modules"));
    try {
      expect((await run(process.execPath, [join(folder, name)])).stdout.trim()).toBe("STORE_UNAVAILABLE");
    } finally {
      await rm(join(folder, "node_modules"));
    }
  });
});
