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
  },
  format: ["esm", "cjs"],
  target: "node20",
  dts: true,
  splitting: true,
  shims: true,
  sourcemap: false,
  clean: true,
});
