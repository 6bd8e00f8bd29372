/** The entry points of the package, as package.json names them under `exports`, with their source files. */
export const entries = {
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
} as const;

/** The command. */
export const command = "src/cli/main.ts";
