import type { Queue } from "bullmq";
import { type Duration, durationMs } from "../../../base/duration.js";
import { HeadgateError, quote } from "../../../base/errors.js";
import { checkOptions } from "../../../base/options.js";
import type { Clock } from "../../../ports/clock.js";
import type { RemoteExecutor, RemoteState } from "../../../ports/executor.js";
import { secretsOfUrl } from "../../../run/secret-forms.js";
import type { Priority } from "../../../trigger/trigger.js";
import { BULLMQ_CONNECTION, type BullmqConnection, bullmq, type JobData } from "./connection.js";

/** Options of {@link bullmqExecutor}. */
export type BullmqExecutorOptions = BullmqConnection & {
  /** The queue; a worker made by `createWorker` must name the same. Default `"headgate"`. */
  readonly queue?: string;
  /** Interval at which a job is polled when no event reports it. Default `"5s"`. */
  readonly pollInterval?: Duration;
  /** Time ended jobs stay in the queue, for inspection; results are reported before. Default `"1h"`. */
  readonly keep?: Duration;
};

/** Time a call waits for the first connection: a job that nobody took holds up no stop for longer. */
const CONNECT_MS = 5_000;
/** Time the connections have to close: a server that is away never responds. */
const CLOSE_MS = 1_000;

/** Smaller goes first. */
const PRIORITIES: Readonly<Record<Priority, number>> = { critical: 1, high: 2, normal: 3, low: 4 };

/** A job that this process has added or watches: its end, or progress, as soon as an event reports it. */
interface Watched {
  state: RemoteState | null;
  onChange: (() => void) | null;
}

/**
 * Hands runs to BullMQ 6, on Redis or on PostgreSQL, as jobs that are added once. Ends and progress are reported by the queue's events, and found by polling when an event was missed. A worker that dies has its job taken over by
 * BullMQ; a job that the queue has lost is started again under the retry policy.
 *
 * @see https://docs.bullmq.io
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * createScheduler({ pipelines, executor: bullmqExecutor({ redis: "redis://127.0.0.1:6379" }) });
 */
export function bullmqExecutor(options: BullmqExecutorOptions = {}): RemoteExecutor {
  checkOptions(options, { ...BULLMQ_CONNECTION, queue: true, pollInterval: true, keep: true }, "bullmqExecutor");
  const { queue: name = "headgate" } = options;
  if (typeof name !== "string" || !/^[\w.-]{1,100}$/.test(name))
    throw new HeadgateError("INVALID_ARGUMENT", `bullmqExecutor: queue ${quote(name)} is not a valid name`);
  const keepS = Math.ceil(durationMs(options.keep ?? "1h", "bullmqExecutor: keep") / 1_000);
  const watched = new Map<string, Watched>();
  const of = (id: string) => {
    const known = watched.get(id) ?? { state: null, onChange: null };
    watched.set(id, known);
    return known;
  };
  const report = (id: string, state: RemoteState) => {
    const known = watched.get(id);
    if (known === undefined || (known.state !== null && known.state.status !== "running")) return;
    known.state = state;
    known.onChange?.();
  };
  let opened: Promise<Opened> | null = null;
  let clockOfCalls: Clock | null = null;
  const close = async () => {
    const made = await opened?.catch(() => null); // what is not there need not be closed
    opened = null;
    const closed = made?.close().catch(() => {}); // it is given up in any case
    if (closed !== undefined && clockOfCalls !== null) await within(CLOSE_MS, closed, clockOfCalls);
  };
  const open = async (clock: Clock) => {
    opened ??= opening(options, name, report);
    clockOfCalls = clock;
    try {
      const made = await opened;
      if (await within(CONNECT_MS, made.ready, clock)) return made;
    } catch (error) {
      await close();
      throw error;
    }
    throw new HeadgateError("EXECUTOR_UNAVAILABLE", `BullMQ: no connection within ${CONNECT_MS} ms`);
  };
  return {
    kind: "remote",
    secrets: passwordsOf("postgres" in options ? options.postgres : (options.redis ?? process.env.REDIS_URL)),
    name: "bullmq",
    pollMs: durationMs(options.pollInterval ?? "5s", "bullmqExecutor: pollInterval"),
    submit: async ({ submissionId, runId, pipelineId, attempt, trigger, timeoutMs }, { clock }) => {
      const known = of(submissionId);
      try {
        const { queue } = await open(clock);
        await queue.add(
          pipelineId,
          { runId, pipelineId, attempt, trigger, timeoutMs },
          {
            jobId: submissionId,
            priority: PRIORITIES[trigger.priority],
            attempts: 1, // headgate's retry policy says what follows a failure
            removeOnComplete: { age: keepS },
            removeOnFail: { age: keepS },
          },
        );
      } catch (cause) {
        watched.delete(submissionId);
        if (cause instanceof HeadgateError) throw cause;
        throw new HeadgateError("EXECUTOR_UNAVAILABLE", `BullMQ: ${(cause as Error).message}`, { cause });
      }
      known.state ??= { status: "running" }; // an event reports its end; only later polls query the queue
      return submissionId;
    },
    poll: async (reference, { clock }) => {
      const id = reference as string;
      const known = watched.get(id);
      if (known !== undefined && known.state !== null) {
        const { state } = known;
        if (state.status === "running") known.state = null;
        return state;
      }
      const { queue } = await open(clock);
      return stateOf(queue, id);
    },
    cancel: async (reference, { clock }) => {
      const { queue } = await open(clock);
      const job = await queue.getJob(reference as string);
      const state = await job?.getState();
      if (job !== undefined && state !== "active" && state !== "completed" && state !== "failed") await job.remove();
    },
    watch: (reference, onChange) => {
      const id = reference as string;
      of(id).onChange = onChange;
      const { state } = of(id);
      if (state !== null && state.status !== "running") onChange();
      return () => watched.delete(id);
    },
    close,
  };
}

/** Returns false when the time has passed; what is waited for goes on. */
function within(ms: number, work: Promise<unknown>, clock: Clock): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stopTimer = clock.setTimer(ms, () => resolve(false));
    work.then(() => resolve(true), reject).finally(stopTimer);
  });
}

/** A queue and its events. */
interface Opened {
  readonly queue: Queue<JobData>;
  /** Resolves when both are connected. */
  readonly ready: Promise<unknown>;
  close(): Promise<void>;
}

async function opening(options: BullmqExecutorOptions, name: string, report: (id: string, state: RemoteState) => void): Promise<Opened> {
  const { Queue, QueueEvents, closeUnconnected, giveUp, options: common } = await bullmq(options);
  const queue = new Queue<JobData>(name, common);
  const events = new QueueEvents(name, common);
  const ignore = () => {}; // failures are reported by the call that fails; connections are re-established
  queue.on("error", ignore);
  events.on("error", ignore);
  let isConnected = false;
  const ready = Promise.all([queue.waitUntilReady(), events.waitUntilReady()]).then(() => {
    isConnected = true;
  });
  ready.catch(ignore); // thrown to those who await it
  events.on("completed", ({ jobId, returnvalue }) => report(jobId, { status: "succeeded", output: outputOf(returnvalue) }));
  events.on("progress", ({ jobId, data }) => report(jobId, { status: "running", progress: data }));
  events.on("failed", ({ jobId }) => {
    void stateOf(queue, jobId).then((state) => report(jobId, state), ignore); // the next look finds it
  });
  const close = async () => {
    giveUp();
    await (isConnected ? events.close() : closeUnconnected(events));
    await queue.close();
  };
  return { queue, ready, close };
}

/** The state is read before the job: a job that was read while it still ran has no result, even if it has ended meanwhile. */
async function stateOf(queue: Queue<JobData>, id: string): Promise<RemoteState> {
  const state = await queue.getJobState(id);
  const job = await queue.getJob(id);
  if (job === undefined) return { status: "lost", reason: "the queue has no such job" };
  if (state === "completed") return { status: "succeeded", output: job.returnvalue ?? null };
  if (state === "failed") {
    const { isRetryable = true, ...error } = job.data.failure ?? { message: job.failedReason ?? "the job failed" };
    return { status: "failed", error, isRetryable };
  }
  return state === "unknown" ? { status: "lost", reason: "the job's state is unknown to the queue" } : { status: "running" };
}

/** Events carry results as text or as they were, by backend. */
function outputOf(value: unknown): unknown {
  if (typeof value !== "string") return value ?? null;
  try {
    return JSON.parse(value);
  } catch {
    return value; // a text, as it was returned
  }
}

function passwordsOf(connection: unknown): readonly string[] {
  if (typeof connection === "string") return secretsOfUrl(connection);
  const { password } = (connection ?? {}) as { password?: unknown };
  return typeof password === "string" ? [password] : [];
}
