import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import webpack from "webpack";
import { folder, link, pack, run, unpack, write } from "./consumer.js";

const APP = `
import { cron, createScheduler, HeadgateError, pipeline } from "headgate";
import { postgresStore } from "headgate/postgres";
import { again } from "./again.cjs";

const silent = { log: () => {} };
const daily = pipeline({ id: "daily", schedule: cron("0 2 * * *"), run: () => "done" });
const onPostgres = createScheduler({
  pipelines: [daily],
  store: postgresStore({ connectionString: "postgres://nobody@127.0.0.1:1/nothing" }),
  logger: silent,
});
const inMemory = createScheduler({ pipelines: [daily], logger: silent });
(async () => {
  const postgres = await onPostgres.start().then(() => "started", (error) => error.code);
  await inMemory.start();
  const { output } = await inMemory.run("daily");
  await inMemory.stop();
  console.log(postgres, output, again.HeadgateError === HeadgateError);
})();
`;
/** A part of the application that requires what others import. */
const AGAIN = 'exports.again = require("headgate");';

type Format = "cjs" | "esm";
const bundlers = {
  esbuild: async (project: string, into: string, format: Format): Promise<void> => {
    await build({
      entryPoints: { app: join(project, "app.mjs") },
      outdir: into,
      outExtension: { ".js": format === "cjs" ? ".cjs" : ".mjs" },
      bundle: true,
      platform: "node",
      format,
      external: ["pg"],
      logLevel: "silent",
    });
  },
  webpack: (project: string, into: string, format: Format): Promise<void> =>
    new Promise((resolve, reject) => {
      const isModule = format === "esm";
      const configuration = {
        mode: "production" as const,
        target: "node20",
        context: project,
        entry: "./app.mjs",
        optimization: { minimize: false },
        experiments: { outputModule: isModule },
        output: {
          path: into,
          filename: isModule ? "app.mjs" : "app.cjs",
          chunkFilename: isModule ? "[id].mjs" : "[id].cjs",
          ...(isModule ? { module: true, chunkFormat: "module", library: { type: "module" } } : {}),
        },
      };
      webpack(configuration, (error, stats) => {
        const problems = stats?.hasErrors() || stats?.hasWarnings() ? stats.toString({ all: false, errors: true, warnings: true }) : "";
        if (error !== null || problems !== "") reject(error ?? new Error(problems));
        else resolve();
      });
    }),
};

describe.each(["esbuild", "webpack"] as const)("an application that %s bundles", (bundler) => {
  const place = folder("bundle");
  const project = join(place, "project");
  beforeAll(async () => {
    await mkdir(project);
    await unpack(await pack(place), project);
    write(project, { "package.json": { name: "app", private: true }, "app.mjs": APP, "again.cjs": AGAIN });
  });
  afterAll(() => rm(project, { recursive: true, force: true }));

  test.each(["cjs", "esm"] as const)(
    "as %s has one copy of headgate, finds pg beside it, and says so when it is not there",
    async (format) => {
      const built = join(place, `built-${format}`);
      const deployed = join(place, `deployed-${format}`);
      await bundlers[bundler](project, built, format);
      await cp(built, deployed, { recursive: true });
      await rm(built, { recursive: true });
      const start = async () => (await run(process.execPath, [join(deployed, `app.${format === "cjs" ? "cjs" : "mjs"}`)])).stdout.trim();
      expect(await start()).toBe("MISSING_PEER done true");
      link(deployed, ["pg"]);
      expect(await start()).toBe("STORE_UNAVAILABLE done true");
    },
  );
});
