import { z } from "zod";
import { duration, name, oneOf, privateNetworks, secret, text, texts, whole } from "./primitives.js";

/** An executor of runs: one key names its kind. */
export const executor = z
  .strictObject({
    module: z
      .strictObject({
        path: text.describe("A JavaScript module"),
        export: text.optional().describe("The exported function. Default: one named as the pipeline's id, else `default`"),
      })
      .optional()
      .describe("A function in this process, as `run` in code"),
    command: z
      .strictObject({
        command: text.describe("A program, started without a shell"),
        args: z.array(z.string()).optional(),
        cwd: text.optional(),
        env: texts.optional(),
        env_from: z.array(text).optional().describe("Environment variables passed on from this process. Default PATH, HOME, LANG and TZ"),
        output: z.enum(["text", "json"]).optional(),
        output_limit: whole.optional(),
        final_exit_codes: z.array(z.int().min(0).max(255)).optional(),
        concurrency: whole.optional(),
      })
      .optional(),
    worker_thread: z.strictObject({ module: text, concurrency: whole.optional() }).optional(),
    webhook: z
      .strictObject({
        url: z.string().min(1),
        secret,
        callback_url: z.string().optional(),
        headers: texts.optional(),
        allow_private_networks: privateNetworks.optional(),
      })
      .optional(),
    airflow: z
      .strictObject({
        base_url: z.string().optional().describe("Default: AIRFLOW_BASE_URL"),
        api_version: z
          .union([z.literal(1), z.literal(2)])
          .optional()
          .describe("2 for Airflow 3, 1 for Airflow 2. Default 2"),
        username: text.optional(),
        password: secret.optional(),
        token: secret.optional(),
        dag_id: text.optional().describe("Default: the pipeline's id"),
        poll_interval: duration.optional(),
      })
      .optional(),
    bullmq: z
      .strictObject({
        redis: secret.optional().describe("Default: REDIS_URL, else `redis://127.0.0.1:6379`"),
        prefix: text.optional(),
        postgres: secret.optional(),
        schema: text.optional(),
        queue: text.optional(),
        poll_interval: duration.optional(),
        keep: duration.optional(),
      })
      .optional(),
  })
  .superRefine(oneOf("module", "command", "worker_thread", "webhook", "airflow", "bullmq"))
  .meta({ id: "Executor" });

export const executorUse = z.union([name, executor]);
export type ExecutorConfig = z.output<typeof executor>;
