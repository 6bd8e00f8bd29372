import { HeadgateError, isError } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";
import type { UnrecordedEnds } from "../../ports/scheduler-api/status.js";
import type { FinishRequest, FinishResult, HeartbeatRequest } from "../../ports/store.js";
import { redactError } from "../../run/redact.js";
import type { RunRecord } from "../../run/run.js";
import { Batcher } from "../context/batcher.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import { withoutValues } from "./end-request.js";

/** Between two tries of an end that the store does not take for a reason nobody foresaw: from this to its double. */
const AGAIN_MS = 30_000;
/** The same while the scheduler stops. */
const AGAIN_SOON_MS = 1_000;
/** Ends that the status lists. */
const LISTED = 20;

interface OpenEnd {
  readonly run: RunRecord;
  readonly endedAt: number;
  request: FinishRequest;
  /** The store's last error; `null` while it has not failed. */
  error: unknown;
  isReduced: boolean;
  isReported: boolean;
}

type EndRecorderCore = Pick<Core, "clock" | "events" | "logger" | "random" | "redact" | "store">;

/**
 * Records the ends of this node's attempts and drops none:
 *
 * ```
 *  sent ──► recorded
 *   │ │ store away ──► waits in the batcher, for as long as it takes
 *   │ │ data refused ──► sent without its values; then as below
 *   │ └ unforeseen ──► sent for a minute, then reported and sent every 30 to 60 s
 *   └──► given up only by a stop, after a bound: written to the log
 * ```
 *
 * While an end is open the attempt's lease is extended as if it still ran, so that nobody repeats what is done. What is open is bounded by what runs: ends beyond the
 * executor's concurrency take its places.
 */
export class EndRecorder {
  readonly #core: EndRecorderCore;
  readonly #finishes: Batcher<FinishRequest, FinishResult>;
  readonly #open = new Map<FinishRequest, OpenEnd>();
  #wake = new AbortController();
  #isStopping = false;
  #hasGivenUp = false;

  constructor(core: EndRecorderCore) {
    this.#core = core;
    this.#finishes = new Batcher(core, (requests) => this.#send(requests));
  }

  /** Ends that are not recorded yet. */
  get size(): number {
    return this.#open.size;
  }

  /** Returns true if the end of an attempt, or of the holder of a token, is open here. */
  has(runId: string, { attempt, token }: { attempt?: number; token?: number }): boolean {
    for (const { run } of this.#open.values())
      if (run.id === runId && (attempt === undefined || run.attempt === attempt) && (token === undefined || run.token === token))
        return true;
    return false;
  }

  /** Heartbeats that keep the leases of attempts whose end is open. */
  heartbeats(): HeartbeatRequest[] {
    return [...this.#open.keys()].map(({ runId, token }) => ({ runId, token }));
  }

  /** Resolves when the end is recorded or was refused as too late; with `null` when it was given up. */
  async record(run: RunRecord, request: FinishRequest): Promise<FinishResult | null> {
    const end: OpenEnd = { run, endedAt: this.#core.clock.now(), request, error: null, isReduced: false, isReported: false };
    this.#open.set(request, end);
    try {
      for (let isFirst = true; ; isFirst = false) {
        try {
          return await (isFirst ? this.#finishes.add(end.request) : this.#again(end));
        } catch (error) {
          end.error = error;
          if (isRejected(error) && !end.isReduced) this.#reduce(end, error);
          else if (this.#hasGivenUp) return this.#giveUpOn(end);
          else if (!isUnavailable(error)) this.#report(end);
        }
      }
    } finally {
      this.#open.delete(end.request);
    }
  }

  /** Ends that the store has failed to take at least once. */
  status(): UnrecordedEnds {
    const failed = [...this.#open.values()].filter(({ error }) => error !== null);
    const items = failed.slice(0, LISTED).map(({ run, request, endedAt, error }) => ({
      pipelineId: run.pipelineId,
      runId: run.id,
      attempt: run.attempt,
      outcome: request.end.outcome,
      endedAt: new Date(endedAt),
      error: this.#error(error).message,
    }));
    return { count: failed.length, items };
  }

  /** The scheduler stops: what waits is tried again now, and more often. */
  hurry(): void {
    this.#isStopping = true;
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Ends all tries: what is not recorded then is written to the log, and its lease runs out. */
  giveUp(): void {
    this.#hasGivenUp = true;
    this.#finishes.giveUp();
    this.#wake.abort();
  }

  /** Tries one end apart from the others, after a while; an end without the values that were refused at once. */
  async #again(end: OpenEnd): Promise<FinishResult> {
    if (isRejected(end.error) && end.isReduced && !end.isReported) return await this.#finishes.add(end.request);
    const { clock, random, logger } = this.#core;
    const waitMs = this.#isStopping ? AGAIN_SOON_MS : AGAIN_MS * (1 + random());
    await clock.sleep(waitMs, this.#wake.signal).catch(() => {}); // woken by a stop
    const [result] = await this.#send([end.request]);
    const { run, request } = end;
    logger.log("info", `the end of run ${run.id} has been recorded after all`, { ...idsOf(run), outcome: request.end.outcome });
    return result as FinishResult;
  }

  async #send(requests: readonly FinishRequest[]): Promise<readonly FinishResult[]> {
    const { store, clock } = this.#core;
    try {
      const sent = requests.map((request) =>
        (this.#open.get(request)?.error ?? null) === null ? request : { ...request, isRepeated: true },
      );
      return await store.finish(sent, () => clock.now());
    } catch (error) {
      for (const request of requests) {
        const end = this.#open.get(request);
        if (end !== undefined) end.error = error;
      }
      throw error;
    }
  }

  /** Goes on without the values that the store refuses. */
  #reduce(end: OpenEnd, error: unknown): void {
    this.#core.events.report(error, `recording the end of run ${end.run.id}; it will be recorded without its output and error`);
    const reduced = withoutValues(end.request, this.#core.redact(messageOf(error)));
    this.#open.delete(end.request);
    end.request = reduced;
    end.isReduced = true;
    this.#open.set(reduced, end);
  }

  /** Reports once that the store does not take an end. */
  #report(end: OpenEnd): void {
    if (end.isReported) return;
    end.isReported = true;
    const { outcome } = end.request.end;
    const { run } = end;
    const error = this.#error(end.error);
    const what = `run ${run.id} has ended (${outcome}), but the store rejects its result: ${error.message}`;
    const advice =
      "recording is retried every 30 to 60 s while this node is running, and the run is not repeated in the meantime; fix the error and it will be recorded";
    this.#core.logger.log("error", `${what}; ${advice}`, { ...idsOf(run), outcome, output: digestOf(end.request), error });
    this.#emit(end, error, false);
  }

  #giveUpOn(end: OpenEnd): null {
    const { run, request } = end;
    const error = this.#error(end.error);
    const what = `the end of run ${run.id} was not recorded, and this node is stopping: after its lease expires, the run is repeated if its retries allow`;
    this.#core.logger.log("error", what, {
      ...idsOf(run),
      outcome: request.end.outcome,
      endedAt: new Date(end.endedAt).toISOString(),
      output: digestOf(request),
      error,
    });
    this.#emit(end, error, true);
    return null;
  }

  #emit({ run, request }: OpenEnd, error: Error, isGivenUp: boolean): void {
    this.#core.events.emit("run.unrecorded", () => ({ ...idsOf(run), outcome: request.end.outcome, error, isGivenUp }));
  }

  #error(error: unknown): Error {
    return redactError(isError(error) ? error : new Error(String(error)), this.#core.redact);
  }
}

function idsOf({ pipelineId, id, attempt }: RunRecord): { readonly pipelineId: string; readonly runId: string; readonly attempt: number } {
  return { pipelineId, runId: id, attempt };
}

/** Shows which output it was without saying what is in it; `null` for none. */
function digestOf({ end: { output } }: FinishRequest): { readonly bytes: number; readonly sha256: string } | null {
  if (output === null || output === undefined) return null;
  const json = JSON.stringify(output);
  return { bytes: Buffer.byteLength(json), sha256: lazyModule("node:crypto").hash("sha256", json) };
}

function messageOf(error: unknown): string {
  return isError(error) ? error.message : String(error);
}

function isRejected(error: unknown): boolean {
  return error instanceof HeadgateError && error.code === "STORE_REJECTED";
}
