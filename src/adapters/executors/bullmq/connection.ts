import type { QueueEvents, QueueOptions } from "bullmq";
import type { ErrorFacts } from "../../../base/error-facts.js";
import { HeadgateError } from "../../../base/errors.js";
import type { OptionNames } from "../../../base/options.js";

/** Where BullMQ keeps its jobs: Redis (needs `ioredis`), or PostgreSQL (needs `pg`). */
export type BullmqConnection =
  | {
      /** `redis://host:6379`, options of `ioredis`, or a connection. Default: the environment's `REDIS_URL`, else `redis://127.0.0.1:6379`. */
      readonly redis?: string | QueueOptions["connection"];
      /** Of all keys. Default `"bull"`. */
      readonly prefix?: string;
    }
  | {
      /** `postgres://user@host/database`, or options of a pool of `pg`. */
      readonly postgres: string | Readonly<Record<string, unknown>>;
      /** Default `"bullmq"`. Its tables are made and migrated when it is first used. */
      readonly schema?: string;
    };

export const BULLMQ_CONNECTION: OptionNames<BullmqConnection> = { redis: true, prefix: true, postgres: true, schema: true };

/** The classes and options that go with a connection. */
export interface Bullmq {
  readonly Queue: typeof import("bullmq").Queue;
  readonly QueueEvents: typeof import("bullmq").QueueEvents;
  readonly Worker: typeof import("bullmq").Worker;
  /** Closes a listener whose connection was never made: its own `close` would wait for that. */
  closeUnconnected(one: QueueEvents): Promise<void>;
  /** Stops reconnecting: without it, a Redis that is away keeps the process alive. */
  giveUp(): void;
  /** Of every queue, worker and listener. Each has its own blocking connection. */
  readonly options: { readonly connection: QueueOptions["connection"]; readonly prefix?: string };
}

/** @throws HeadgateError `MISSING_PEER` */
export async function bullmq(connection: BullmqConnection): Promise<Bullmq> {
  const library = await import("bullmq").catch((cause: unknown) => {
    throw new HeadgateError(
      "MISSING_PEER",
      "bullmqExecutor needs the packages bullmq and ioredis, or bullmq and pg: npm install bullmq ioredis",
      { cause },
    );
  });
  const closeUnconnected = (one: QueueEvents) => library.QueueBase.prototype.close.call(one);
  if ("postgres" in connection) {
    const { postgres, schema = "bullmq" } = connection;
    const { Queue, QueueEvents, Worker } = library.withBackend(library.createPostgresBackend);
    const pool = typeof postgres === "string" ? { connectionString: postgres } : postgres;
    // BullMQ's types know Redis only: what its PostgreSQL backend takes, and the classes it gives, have the same shape and no types of their own
    const options = { connection: { ...pool, schema, migrate: true } as unknown as QueueOptions["connection"] };
    return { Queue, QueueEvents, Worker, closeUnconnected, giveUp: () => {}, options } as unknown as Bullmq;
  }
  const { redis = process.env.REDIS_URL ?? "redis://127.0.0.1:6379", prefix } = connection;
  let isGivenUp = false;
  const at = patient(typeof redis === "string" ? { url: redis, maxRetriesPerRequest: null } : redis, () => isGivenUp);
  const options = { connection: at as QueueOptions["connection"], ...(prefix === undefined ? {} : { prefix }) };
  const giveUp = () => {
    isGivenUp = true;
  };
  return { Queue: library.Queue, QueueEvents: library.QueueEvents, Worker: library.Worker, closeUnconnected, giveUp, options };
}

/** Tries to connect again (about 3 s in all) that are left to a connection that is closed, so that a restart of Redis loses no result. */
const LAST_TRIES = 4;

type RetryStrategy = (times: number) => number | null;

/** Connects again, at least every 2 s, until it is given up. A connection that the host has made itself is the host's to close. */
function patient(options: object, isGivenUp: () => boolean): object {
  if ("status" in options && "duplicate" in options) return options;
  const { retryStrategy = (times: number) => Math.min(100 * 2 ** times, 2_000) } = options as { retryStrategy?: RetryStrategy };
  return { ...options, retryStrategy: (times: number) => (isGivenUp() && times > LAST_TRIES ? null : retryStrategy(times)) };
}

/** Data of a job. */
export interface JobData {
  readonly runId: string;
  readonly pipelineId: string;
  readonly attempt: number;
  /** The trigger as JSON. */
  readonly trigger: unknown;
  readonly timeoutMs: number;
  /** Written by the worker when the run has failed. */
  readonly failure?: ErrorFacts & { readonly isRetryable: boolean };
}
