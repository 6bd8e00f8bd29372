import type { Job } from "bullmq";
import { type Duration, durationMs } from "../../../base/duration.js";
import { errorFacts } from "../../../base/error-facts.js";
import { HeadgateError, NonRetryableError } from "../../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../../../base/options.js";
import type { Clock, Logger, LogLevel, Pipeline, RunContext, RunScheduler } from "../../../index.js";
import { withDataInterval } from "../../../pipeline/data-interval.js";
import type { TriggerRecord } from "../../../trigger/trigger.js";
import { triggerView } from "../../../trigger/view.js";
import { BULLMQ_CONNECTION, type BullmqConnection, bullmq, type JobData } from "./connection.js";

/** Options of `createWorker`. */
export type BullmqWorkerOptions = BullmqConnection & {
  /** Default `"headgate"`. */
  readonly queue?: string;
  /** Runs at once. Default 10. */
  readonly concurrency?: number;
  /** Time a worker may be silent before its job is another's. Default `"30s"`. */
  readonly lockDuration?: Duration;
  /** Number of times a job may be taken over from workers that died before it counts as failed. Default 1. */
  readonly maxStalledCount?: number;
  /** Default `consoleLogger()`. */
  readonly logger?: Logger;
};

/** Dependencies of a worker. */
export interface Surroundings {
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Takes jobs until it is closed. */
export interface BullmqWorker {
  /** Resolves when it takes jobs. */
  ready(): Promise<void>;
  /** Takes no more jobs, and waits for active ones; with `force` it does not wait. */
  close(options?: { force?: boolean }): Promise<void>;
}

/** See `createWorker`. */
export function workerOn(
  { clock, logger: usual }: Surroundings,
  pipelines: readonly Pipeline[],
  options: BullmqWorkerOptions,
): BullmqWorker {
  checkOptions(
    options,
    { ...BULLMQ_CONNECTION, queue: true, concurrency: true, lockDuration: true, maxStalledCount: true, logger: true },
    "createWorker",
  );
  const { queue = "headgate", concurrency = 10, maxStalledCount = 1, logger = usual } = options;
  checkInteger(concurrency, { least: 1 }, "concurrency", invalidArgument("createWorker"));
  const lockDuration = durationMs(options.lockDuration ?? "30s", "createWorker: lockDuration");
  const byId = new Map(pipelines.map((one) => [one.id, one]));
  const stopping = new AbortController();
  const made = bullmq(options).then(({ Worker, giveUp, options: common }) => {
    const worker = new Worker<JobData>(queue, (job) => carriedOut(job, byId, { logger, clock }, stopping.signal), {
      ...common,
      concurrency,
      lockDuration,
      stalledInterval: lockDuration,
      maxStalledCount,
    });
    worker.on("error", (error) => logger.log("error", `a worker of ${queue}: ${error.message}`, { queue }));
    return { worker, giveUp };
  });
  const opened = made.then(({ worker }) => worker.waitUntilReady());
  opened.catch(() => {}); // reported by ready()
  return {
    ready: async () => void (await opened),
    close: async ({ force = false } = {}) => {
      const { worker, giveUp } = await made; // connected or not
      giveUp();
      if (force) stopping.abort(new HeadgateError("RUN_LOST", "the worker stopped"));
      await worker.close(force);
    },
  };
}

/** Defaults of the fields that triggers in jobs of 0.1.0 lack. */
const UNKNOWN_TO_OLDER = { requestedBy: null, endedBy: null, catchup: null, intervalStart: null, rerunOf: null } as const;

async function carriedOut(
  job: Job<JobData>,
  pipelines: ReadonlyMap<string, Pipeline>,
  { logger, clock }: Surroundings,
  stopping: AbortSignal,
): Promise<unknown> {
  const { pipelineId, timeoutMs } = job.data;
  const timeout = new AbortController();
  const stopTimer = clock.setTimer(timeoutMs, () => timeout.abort(new HeadgateError("RUN_TIMED_OUT", `took longer than ${timeoutMs} ms`)));
  const signal = AbortSignal.any([timeout.signal, stopping]);
  try {
    const pipeline = pipelines.get(pipelineId);
    if (pipeline === undefined) throw new NonRetryableError(`this worker has no pipeline ${pipelineId}`);
    const output = await pipeline.run(await contextOf(job, pipeline, { logger, clock }, signal));
    return output ?? null;
  } catch (error) {
    await job.updateData({ ...job.data, failure: { ...errorFacts(error), isRetryable: !(error instanceof NonRetryableError) } });
    throw error;
  } finally {
    stopTimer();
  }
}

async function contextOf(
  job: Job<JobData>,
  pipeline: Pipeline,
  { logger, clock }: Surroundings,
  signal: AbortSignal,
): Promise<RunContext<unknown>> {
  const { runId, pipelineId, attempt } = job.data;
  const trigger = job.data.trigger as TriggerRecord;
  const ids = { pipelineId, triggerId: trigger.id, runId };
  const at = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
    logger.log(level, message, { ...fields, ...ids });
  const view = triggerView(withDataInterval({ ...UNKNOWN_TO_OLDER, ...trigger }, pipeline));
  return {
    pipelineId,
    runId,
    attempt,
    parameters: await parametersOf(pipeline, trigger.parameters ?? {}),
    trigger: view,
    interval: view.interval,
    signal,
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    clock: { now: () => clock.now(), sleep: (length) => clock.sleep(durationMs(length, "sleep"), signal) },
    scheduler: NO_SCHEDULER,
    upstream: async () => (trigger.kind === "dependency" ? noScheduler("upstream") : null),
    lastProgress: typeof job.progress === "object" ? job.progress : null,
    heartbeat: (progress) => {
      if (progress !== undefined) void job.updateProgress(progress as object).catch(() => {}); // the run goes on without it
    },
  };
}

/** A worker knows no store. */
export const NO_SCHEDULER: RunScheduler = {
  trigger: async () => noScheduler("scheduler.trigger"),
  run: async () => noScheduler("scheduler.run"),
  waitFor: async () => noScheduler("scheduler.waitFor"),
  cancel: async () => noScheduler("scheduler.cancel"),
  getTrigger: async () => noScheduler("scheduler.getTrigger"),
  getRun: async () => noScheduler("scheduler.getRun"),
};

function noScheduler(what: string): never {
  throw new HeadgateError(
    "NO_SCHEDULER",
    `${what}: a BullMQ worker has no scheduler; call the HTTP API of one, with createClient of headgate/client`,
  );
}

async function parametersOf({ parameters: schema }: Pipeline, given: unknown): Promise<unknown> {
  if (schema === null) return given;
  const parsed = await schema.safeParseAsync(given);
  if (parsed.success) return parsed.data;
  throw new NonRetryableError(`parameters: ${parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}`);
}
