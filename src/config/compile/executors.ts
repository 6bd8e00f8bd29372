import { pathToFileURL } from "node:url";
import { airflowExecutor } from "../../adapters/executors/airflow/airflow.js";
import { bullmqExecutor } from "../../adapters/executors/bullmq/bullmq.js";
import { commandExecutor } from "../../adapters/executors/local/command.js";
import { workerThreadExecutor } from "../../adapters/executors/local/worker-thread.js";
import { type WebhookExecutor, webhookExecutor } from "../../adapters/executors/webhook/webhook.js";
import { importFile } from "../../adapters/shared/load-peer.js";
import { NonRetryableError } from "../../base/errors.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { RunContext } from "../../pipeline/run-context.js";
import type { Executor } from "../../ports/executor.js";
import type { Path } from "../diagnostic.js";
import type { ExecutorConfig } from "../schema/executors.js";
import { baseUrl } from "./conditions.js";
import { type BuildContext, camel } from "./context.js";

/** The work of a pipeline: an executor, or a function in this process. */
export type Work = { readonly executor: Executor } | { readonly run: Pipeline["run"] };

/** The path under which an executor receives results of the runs that it posted. */
export interface Callbacks {
  readonly path: string;
  readonly executor: WebhookExecutor;
}

export function callbacksOf(works: Iterable<Work>): readonly Callbacks[] {
  return [...works].flatMap((work) => {
    const executor = "executor" in work ? (work.executor as Partial<WebhookExecutor>) : {};
    return typeof executor.callbackPath === "string" ? [{ path: executor.callbackPath, executor: executor as WebhookExecutor }] : [];
  });
}

export function workOf(context: BuildContext, path: Path, config: ExecutorConfig): Work | undefined {
  if (config.module !== undefined) {
    const { path: file, export: name } = config.module;
    return { run: fromModule(context.file(file), name) };
  }
  const executor = executorOf(context, path, config);
  return executor === undefined ? undefined : { executor };
}

function executorOf(
  context: BuildContext,
  path: Path,
  { command, worker_thread, webhook, airflow, bullmq }: ExecutorConfig,
): Executor | undefined {
  if (command !== undefined) {
    const cwd = context.file(command.cwd ?? ".");
    return context.make([...path, "command"], () => commandExecutor({ ...camel(command), cwd }));
  }
  if (worker_thread !== undefined)
    return context.make([...path, "worker_thread"], () =>
      workerThreadExecutor({ ...camel(worker_thread), module: pathToFileURL(context.file(worker_thread.module)) }),
    );
  if (webhook !== undefined) {
    const secret = context.secret([...path, "webhook", "secret"], webhook.secret);
    checkCallbackUrl(context, [...path, "webhook", "callback_url"], webhook.callback_url);
    return context.make([...path, "webhook"], () => webhookExecutor({ ...camel(webhook), secret }));
  }
  if (airflow !== undefined) {
    const { password, token, ...rest } = airflow;
    const secrets = {
      password: context.secret([...path, "airflow", "password"], password),
      token: context.secret([...path, "airflow", "token"], token),
    };
    return context.make([...path, "airflow"], () => airflowExecutor({ ...baseUrl(context), ...camel(rest), ...camel(secrets) }));
  }
  const { redis, postgres, schema, prefix, ...rest } = bullmq ?? {};
  const where = [...path, "bullmq"];
  if (postgres !== undefined && (redis !== undefined || prefix !== undefined))
    context.refuse(where, "set either redis (and prefix) or postgres (and schema), not both");
  if (postgres === undefined && schema !== undefined) context.refuse([...where, "schema"], "requires postgres");
  const connection =
    postgres === undefined
      ? { redis: context.secret([...where, "redis"], redis) ?? context.env.REDIS_URL ?? "redis://127.0.0.1:6379", ...camel({ prefix }) }
      : { postgres: context.secret([...where, "postgres"], postgres), ...camel({ schema }) };
  return context.make(where, () => bullmqExecutor({ ...connection, ...camel(rest) }));
}

/** The service's own paths, below its prefix. */
const OWN_PATHS = ["/health", "/ready", "/metrics", "/api/v1"];

/** Callbacks come to a path of their own: everything below it is theirs, and nothing of the service's. */
function checkCallbackUrl(context: BuildContext, path: Path, url: string | undefined): void {
  if (url === undefined || !URL.canParse(url)) return; // refused by the executor
  const under = `${new URL(url).pathname.replace(/\/+$/, "")}/`;
  const prefix = context.config.triggers?.api?.prefix ?? "";
  if (under === "/") {
    context.refuse(path, "must have a path, such as https://etl.example/callbacks: all requests below this path are treated as callbacks");
    return;
  }
  const own = OWN_PATHS.map((one) => `${prefix}${one}/`).find((one) => one.startsWith(under) || under.startsWith(one));
  if (own !== undefined)
    context.refuse(
      path,
      `${under.slice(0, -1)} would take requests from ${own.slice(0, -1)} of the service; use another path, such as ${prefix}/callbacks`,
    );
}

/** A function of a module, loaded with the first run. */
function fromModule(file: string, name: string | undefined): Pipeline["run"] {
  return async (run: RunContext<unknown>) => {
    const exported = await importFile(file);
    const work = exported[name ?? run.pipelineId] ?? (name === undefined ? exported.default : undefined);
    if (typeof work === "function") return (work as Pipeline["run"])(run);
    throw new NonRetryableError(
      `${file} exports no function ${JSON.stringify(name ?? run.pipelineId)}${name === undefined ? " and no default function" : ""}`,
    );
  };
}
