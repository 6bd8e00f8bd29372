import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { transform } from "esbuild";
import { defineConfig } from "tsup";

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
  },
  format: ["esm", "cjs"],
  target: "node20",
  dts: true,
  splitting: true,
  shims: true,
  sourcemap: false,
  clean: true,
  onSuccess: shrink,
});

/**
 * Takes white space and comments out of what was built: a third of its size. Names stay and lines are short, so that stacks can be read.
 * It is done to the finished files, because the step that splits CommonJS cannot read minified code.
 */
async function shrink(): Promise<void> {
  for (const name of await readdir("dist")) {
    if (!/\.c?js$/.test(name)) continue;
    const file = join("dist", name);
    const built = await readFile(file, "utf8");
    const { code } = await transform(built, { target: "node20", minifySyntax: true, minifyWhitespace: true, lineLimit: 400 });
    await writeFile(file, code);
  }
}
