import { type Duration, durationMs } from "../../../base/duration.js";
import { HeadgateError, NonRetryableError } from "../../../base/errors.js";
import { checkOptions } from "../../../base/options.js";
import type { Health } from "../../../gate/conditions/outside.js";
import { PROBE_OPTIONS, type ProbeOptions, policyOf } from "../../../gate/probe.js";
import type { RemoteCall, RemoteExecutor, RemoteRun, RemoteState } from "../../../ports/executor.js";
import type { Probe } from "../../../ports/probe.js";
import { AIRFLOW_CONNECTION, AirflowApi, type AirflowConnection } from "./api.js";

/** Options of {@link airflowExecutor}. */
export interface AirflowExecutorOptions extends AirflowConnection {
  /** The DAG, or a function that returns it for a pipeline's id. Default: the pipeline's id. */
  dagId?: string | ((pipelineId: string) => string);
  /** The DAG run's `conf`. Default: the parameters. */
  conf?: (run: RemoteRun) => Record<string, unknown>;
  /** Interval at which a DAG run is polled. Default `"10s"`. */
  pollInterval?: Duration;
}

interface Reference {
  readonly dagId: string;
  readonly dagRunId: string;
}

/**
 * Hands runs to Apache Airflow as DAG runs, through its stable REST API: v2 (Airflow 3) or v1 (Airflow 2). A DAG run has an id made of the run's and the attempt's, so that it is triggered once; a fire time becomes its logical date.
 *
 * @see https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * pipeline({ id: "daily_sales", schedule: cron("0 2 * * *"), executor: airflowExecutor({ username: "headgate", password: process.env.AIRFLOW_PASSWORD }) });
 */
export function airflowExecutor(options: AirflowExecutorOptions = {}): RemoteExecutor {
  checkOptions(options, { ...AIRFLOW_CONNECTION, dagId: true, conf: true, pollInterval: true }, "airflowExecutor");
  const { dagId = (id: string) => id, conf = ({ parameters }: RemoteRun) => parameters as Record<string, unknown> } = options;
  const api = new AirflowApi(options, "airflowExecutor");
  const dagOf = (pipelineId: string) => (typeof dagId === "string" ? dagId : dagId(pipelineId));
  return {
    kind: "remote",
    secrets: api.secrets,
    name: "airflow",
    pollMs: durationMs(options.pollInterval ?? "10s", "airflowExecutor: pollInterval"),
    submit: async (run, call) => {
      const reference: Reference = { dagId: dagOf(run.pipelineId), dagRunId: `headgate__${run.submissionId}` };
      const { scheduledFor, user, reason } = run.trigger;
      const logicalDate = scheduledFor === null || run.attempt > 1 ? null : new Date(scheduledFor).toISOString();
      const note = [`headgate run ${run.runId}, attempt ${run.attempt}`, user, reason].filter(Boolean).join("; ").slice(0, 1_000);
      const body = { dag_run_id: reference.dagRunId, conf: conf(run), note };
      await triggered(api, reference, { ...body, ...api.logicalDate(logicalDate) }, body, call);
      return reference;
    },
    poll: async (reference, call): Promise<RemoteState> => {
      const { status, body, problem } = await api.ask("GET", pathOf(reference as Reference), undefined, call);
      if (status === 404) return { status: "lost", reason: "Airflow has no such DAG run" };
      if (status !== 200) throw unexpected(status, problem);
      const { state, start_date, end_date } = body as { state?: string; start_date?: string; end_date?: string };
      const { dagId: dag_id, dagRunId: dag_run_id } = reference as Reference;
      if (state === "success")
        return { status: "succeeded", output: { dag_id, dag_run_id, start_date: start_date ?? null, end_date: end_date ?? null } };
      if (state === "failed")
        return { status: "failed", error: { message: `DAG run ${dag_run_id} of ${dag_id} failed`, code: "DAG_RUN_FAILED" } };
      return { status: "running", progress: { state: state ?? null } };
    },
    cancel: async (reference, call) => {
      const { status, problem } = await api.ask("PATCH", pathOf(reference as Reference), { state: "failed" }, call);
      if (status !== 200 && status !== 404 && status !== 409) throw unexpected(status, problem);
    },
  };
}

/** 409 says that a DAG run of this id is there already, which is fine; or that another has this logical date: then it goes without one. */
async function triggered(api: AirflowApi, reference: Reference, body: object, undated: object, call: RemoteCall): Promise<void> {
  const path = `/dags/${encodeURIComponent(reference.dagId)}/dagRuns`;
  const { status, problem } = await api.ask("POST", path, body, call);
  if (status === 200 || status === 201) return;
  if (status === 409) {
    const known = await api.ask("GET", pathOf(reference), undefined, call);
    if (known.status === 200) return;
    const again = await api.ask("POST", path, { ...undated, ...api.logicalDate(null) }, call);
    if (again.status === 200 || again.status === 201 || again.status === 409) return;
    throw unexpected(again.status, again.problem);
  }
  if (status === 404) throw new NonRetryableError(`Airflow has no DAG ${reference.dagId}, or it is not active`);
  if (status === 400 || status === 422) throw new NonRetryableError(`Airflow rejected the DAG run: ${problem}`);
  throw unexpected(status, problem);
}

function pathOf({ dagId, dagRunId }: Reference): string {
  return `/dags/${encodeURIComponent(dagId)}/dagRuns/${encodeURIComponent(dagRunId)}`;
}

/** Returns an error that is worth another request if it may be temporary, else one that fails the attempt. */
function unexpected(status: number, problem: string): HeadgateError {
  const isPassing = status === 408 || status === 429 || status >= 500;
  return new HeadgateError(isPassing ? "EXECUTOR_UNAVAILABLE" : "REMOTE_RUN_FAILED", `Airflow responded with ${status}: ${problem}`, {
    details: { status },
  });
}

/**
 * Returns true if Airflow's database and scheduler are healthy, by its monitoring endpoint.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * healthy({ probes: [airflowHealth()] });
 */
export function airflowHealth(options: AirflowConnection & ProbeOptions = {}): Probe<Health> {
  checkOptions(options, { ...AIRFLOW_CONNECTION, ...PROBE_OPTIONS }, "airflowHealth");
  const api = new AirflowApi(options, "airflowHealth");
  return {
    name: options.name ?? `airflow ${api.address}`,
    ...policyOf(options, "airflowHealth"),
    measure: async ({ signal }) => {
      const { status, body } = await api.health(signal);
      const parts = Object.entries((body ?? {}) as Record<string, { status?: string | null } | null>);
      const needed = ["metadatabase", "scheduler"];
      const ill = needed.filter((name) => parts.find(([part]) => part === name)?.[1]?.status !== "healthy");
      const statuses = Object.fromEntries(parts.map(([name, part]) => [name, part?.status ?? null]));
      const isHealthy = status === 200 && ill.length === 0;
      return {
        isHealthy,
        reason: isHealthy ? "is healthy" : status === 200 ? `${ill.join(" and ")} not healthy` : `responded with ${status}`,
        evidence: { status, ...statuses },
      };
    },
  };
}
