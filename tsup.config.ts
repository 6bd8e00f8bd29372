import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { defineConfig, type Options } from "tsup";
import { commonJs } from "./build/commonjs.js";
import { withoutColumns } from "./build/source-map.js";

/** All entry points as CommonJS, see {@link commonJs}. */
const COMMON = "all.cjs";

const config = {
  entry: {
    index: "src/index.ts",
    testing: "src/testing/index.ts",
    holidays: "src/adapters/calendars/holidays.ts",
    sqlite: "src/adapters/stores/sqlite/sqlite-store.ts",
    postgres: "src/adapters/stores/postgres/postgres-store.ts",
    stores: "src/entry/store-from-url.ts",
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
    bullmq: "src/entry/bullmq.ts",
    pino: "src/adapters/loggers/pino-logger.ts",
    config: "src/config/index.ts",
    cli: "src/cli/main.ts",
  },
  format: ["esm", "cjs"],
  target: "node20",
  dts: true,
  splitting: true,
  /** Maps name the files and lines of the sources, so that stacks can show them; the sources themselves would be 40 % of the package. */
  sourcemap: true,
  esbuildOptions: (options) => {
    options.sourcesContent = false;
  },
  clean: true,
  onSuccess: finish,
} satisfies Options;

export default defineConfig(config);

async function finish(): Promise<void> {
  for (const name of await readdir("dist")) {
    const file = join("dist", name);
    if (name.endsWith(".cjs.map") || name.endsWith(".cjs")) await rm(file);
    else if (name.endsWith(".js.map")) await writeFile(file, withoutColumns(await readFile(file, "utf8")));
  }
  const { cli: _, ...entries } = config.entry;
  await writeFile(join("dist", COMMON), await commonJs(entries));
  for (const name of Object.keys(entries))
    await writeFile(join("dist", `${name}.cjs`), `module.exports = require("./${COMMON}")[${JSON.stringify(name)}]();\n`);
  const { configSchema } = (await import(pathToFileURL("dist/config.js").href)) as typeof import("./src/config/index.js");
  await writeFile("dist/schema.json", JSON.stringify(configSchema()));
}
