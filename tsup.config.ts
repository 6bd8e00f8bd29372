import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, transform } from "esbuild";
import { defineConfig } from "tsup";

/** What is built into the published files, so that they load quickly and `npx headgate serve` needs nothing else. */
const BUILT_IN = ["luxon", "cron-parser", "eventemitter3", "hono", "rate-limiter-flexible"];

export default defineConfig({
  entry: {
    index: "src/index.ts",
    testing: "src/testing/index.ts",
    holidays: "src/adapters/calendars/holidays.ts",
    sqlite: "src/adapters/stores/sqlite/sqlite-store.ts",
    postgres: "src/adapters/stores/postgres/postgres-store.ts",
    stores: "src/store-from-url.ts",
    http: "src/adapters/http/index.ts",
    express: "src/adapters/http/express.ts",
    fastify: "src/adapters/http/fastify.ts",
    client: "src/adapters/http/client.ts",
    files: "src/adapters/files/index.ts",
    sensors: "src/adapters/sensors/index.ts",
    probes: "src/adapters/probes/index.ts",
    alerts: "src/adapters/alerts/index.ts",
    prometheus: "src/adapters/metrics/prometheus.ts",
    otel: "src/adapters/metrics/otel.ts",
    executors: "src/adapters/executors/local/index.ts",
    "webhook-executor": "src/adapters/executors/webhook/webhook.ts",
    airflow: "src/adapters/executors/airflow/index.ts",
    bullmq: "src/bullmq.ts",
    pino: "src/adapters/loggers/pino-logger.ts",
    config: "src/config/index.ts",
    cli: "src/cli/main.ts",
  },
  format: ["esm", "cjs"],
  target: "node20",
  dts: true,
  splitting: true,
  sourcemap: false,
  clean: true,
  noExternal: BUILT_IN,
  esbuildPlugins: [slim()],
  /** One copy of Luxon for headgate and cron-parser, which would load another. */
  esbuildOptions: (options) => {
    options.alias = { luxon: resolve("node_modules/luxon/build/es6/luxon.mjs") };
  },
  onSuccess: finish,
});

/** Of rate-limiter-flexible only what counts in memory is wanted. */
function slim(): Plugin {
  return {
    name: "slim",
    setup: (build) => {
      build.onResolve({ filter: /^rate-limiter-flexible$/ }, ({ path, resolveDir }) => ({
        path,
        namespace: "one-limiter",
        pluginData: resolveDir,
      }));
      build.onLoad({ filter: /.*/, namespace: "one-limiter" }, ({ path, pluginData }) => ({
        contents: `import RateLimiterMemory from "${path}/lib/RateLimiterMemory.js";\nexport { RateLimiterMemory };`,
        resolveDir: pluginData as string,
      }));
    },
  };
}

async function finish(): Promise<void> {
  for (const name of await readdir("dist")) {
    const file = join("dist", name);
    if (name.endsWith(".js")) await shrink(file);
    else if (name.endsWith(".cjs")) await (name.startsWith("chunk-") ? rm(file) : requireModule(file));
  }
  const { configSchema } = (await import(pathToFileURL("dist/config.js").href)) as typeof import("./src/config/index.js");
  await writeFile("dist/schema.json", JSON.stringify(configSchema()));
  const licenses = await Promise.all(BUILT_IN.map(async (name) => `${name}\n\n${await readFile(await licenseOf(name), "utf8")}`));
  await writeFile("dist/LICENSES-OF-WHAT-IS-BUILT-IN.txt", licenses.join("\n\n"));
}

async function licenseOf(name: string): Promise<string> {
  const files = await readdir(`node_modules/${name}`);
  return `node_modules/${name}/${files.find((file) => /^licen[cs]e/i.test(file))}`;
}

/** Takes white space and comments out of what was built: a third of its size. Names stay and lines are short, so that stacks can be read. */
async function shrink(file: string): Promise<void> {
  const built = await readFile(file, "utf8");
  const { code } = await transform(built, { target: "node20", minifySyntax: true, minifyWhitespace: true, lineLimit: 400 });
  await writeFile(file, code);
}

/**
 * CommonJS gets the same modules, which every Node that headgate runs on can require (20.19 and later): there is one copy of everything, and `instanceof` holds
 * whoever loaded it. Only the types of CommonJS need files of their own.
 */
async function requireModule(file: string): Promise<void> {
  await writeFile(file, `module.exports = require("./${basename(file, ".cjs")}.js");\n`);
}
