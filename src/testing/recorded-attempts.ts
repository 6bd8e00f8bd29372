import { isoUtc } from "../base/instant.js";
import type { RunRequest } from "../ports/executor.js";
import type { ExecutionPolicy } from "../run/policy.js";
import type { RunError } from "../run/run.js";
import type { PlayedTriggers } from "./played-triggers.js";
import { plainDelay, type RecordedAttempt, type RecordedRun } from "./recorded-run.js";
import type { Script } from "./scripted-executor.js";
import type { Unknowns } from "./unknowns.js";
import type { SimulatedAttempt } from "./world.js";

const NON_RETRYABLE = "NonRetryableError";

/** A run of the play, and the recorded one that it goes as. */
interface Playing {
  readonly model: RecordedRun;
  /** The model is the run of the same trigger, and not one that stands in for it. */
  readonly isSame: boolean;
  /** The attempt that runs, or ran last. */
  attempt: number;
}

interface Placed {
  readonly run: RecordedRun;
  readonly attempt: RecordedAttempt;
}

/**
 * Attempts of a play: as those of the recorded run of the same trigger, else as those of the recorded run that had started last before. An attempt that this run did not have, or
 * whose end is not known, goes as the attempt of another run that started nearest.
 */
export class RecordedAttempts {
  readonly #runs: readonly RecordedRun[];
  readonly #byKey: ReadonlyMap<string, RecordedRun>;
  readonly #playing = new Map<string, Playing>();
  readonly #played: PlayedTriggers;
  readonly #policy: ExecutionPolicy;
  readonly #unknown: Unknowns;
  /** Attempts whose end is known, by start. */
  readonly #ended: readonly Placed[];
  /** The most attempts that any run had: one that failed for good before had a failure that was final. */
  readonly #mostAttempts: number;

  /** @param runs - sorted by start */
  constructor(runs: readonly RecordedRun[], policy: ExecutionPolicy, played: PlayedTriggers, unknown: Unknowns) {
    this.#runs = runs;
    this.#policy = policy;
    this.#played = played;
    this.#unknown = unknown;
    this.#byKey = new Map(runs.map((run) => [run.key, run]));
    this.#ended = runs
      .flatMap((run) => run.attempts.map((attempt) => ({ run, attempt })))
      .filter(({ attempt: { outcome } }) => outcome === "succeeded" || outcome === "failed" || outcome === "timed_out")
      .sort((a, b) => a.attempt.startedAt - b.attempt.startedAt);
    this.#mostAttempts = runs.reduce((most, { attempt }) => Math.max(most, attempt), 1);
  }

  /** Returns how an attempt goes. */
  readonly script = ({ runId, attempt, startedAt }: SimulatedAttempt, { trigger }: RunRequest): Script => {
    const at = startedAt.getTime();
    const playing = this.#playing.get(runId) ?? this.#begin(runId, this.#played.keyOf(trigger), at);
    playing.attempt = attempt;
    const { model, isSame } = playing;
    const recorded = model.attempts.find((one) => one.attempt === attempt);
    const subject = `attempt ${attempt} of the run whose attempt started ${isoUtc(at)}`;
    if (recorded === undefined) {
      this.#unknown.add("further_attempt", subject, at);
      return this.#scriptOf(this.#nearest(at, model));
    }
    if (!this.#isEndKnown({ run: model, attempt: recorded }, isSame, at)) {
      this.#unknown.add("stopped_attempt", subject, at);
      if (recorded.outcome !== "timed_out" && !(isSame && recorded.endedAt === null)) return this.#scriptOf(this.#nearest(at, model));
    }
    return this.#scriptOf({ run: model, attempt: recorded });
  };

  /** Returns the random number with which the wait after a run's attempt is the recorded one; `null` when nobody recorded it. */
  readonly jitterOf = (runId: string): number | null => {
    const { jitter } = this.#policy;
    const playing = this.#playing.get(runId);
    if (jitter === 0 || playing === undefined) return null;
    const { attempts, retryAt, status } = playing.model;
    const [ended, next] = [0, 1].map((more) => attempts.find(({ attempt }) => attempt === playing.attempt + more));
    if (ended === undefined || ended.endedAt === null) return null;
    const nextAt = next?.startedAt ?? retryAt;
    if (nextAt === null) return status === "cancelled" ? 1 : null; // it was cancelled before its next attempt, whenever that was due
    const share = (nextAt - ended.endedAt) / plainDelay(this.#policy, playing.attempt);
    const drawn = ((share - 1) / jitter + 1) / 2;
    return Number.isFinite(drawn) ? Math.min(1, Math.max(0, drawn)) : null; // one that waited for more than its time still had the longest wait at most
  };

  #begin(runId: string, key: string, at: number): Playing {
    const same = this.#byKey.get(key);
    const playing = { model: same ?? lastBefore(this.#runs, at), isSame: same !== undefined, attempt: 1 };
    this.#playing.set(runId, playing);
    return playing;
  }

  /** Returns true if an attempt can go as a recorded one did to its end. */
  #isEndKnown({ run, attempt: { outcome, startedAt, endedAt } }: Placed, isSame: boolean, at: number): boolean {
    if (outcome === null || endedAt === null) return false;
    if (outcome === "timed_out") return endedAt - startedAt >= this.#policy.timeoutMs || this.#policy.totalTimeoutMs !== null;
    if (outcome !== "cancelled") return true;
    const cancelledAt = run.cancel?.at ?? endedAt;
    return isSame && cancelledAt >= at && (!isOfOverlap(run) || this.#policy.overlap === "cancel_running");
  }

  #scriptOf({ run, attempt: { attempt, startedAt, endedAt, outcome, error } }: Placed): Script {
    const duration = Math.max(0, (endedAt ?? startedAt) - startedAt);
    if (outcome === "succeeded") return { duration, output: run.output, onAbort: this.#noteAbort };
    if (outcome === null) return { outcome: "hang" };
    if (outcome === "timed_out" || outcome === "cancelled") return { outcome: "hang", endsAfterMs: duration };
    const failure = { duration, error: error?.message ?? "failed as it was recorded", onAbort: this.#noteAbort };
    if (outcome === "lost") return { ...failure, outcome: "lost" };
    const code = error === null ? {} : { code: error.code };
    return { ...failure, outcome: "fail", ...code, isRetryable: !this.#isFinal(run, attempt, error) };
  }

  /** Returns true if a failure was final: it says so, or other runs had further attempts and this one had none, although its code is worth one. */
  #isFinal({ attempt: last, status }: RecordedRun, attempt: number, error: RunError | null): boolean {
    if (error === null) return false;
    if (error.code === NON_RETRYABLE) return true;
    const { retryOn } = this.#policy;
    const isWorthOne = retryOn === null || retryOn.includes(error.code ?? "");
    return isWorthOne && status === "failed" && attempt === last && attempt < this.#mostAttempts;
  }

  readonly #noteAbort = (at: number): void => this.#unknown.add("abort_delay", `the attempt stopped ${isoUtc(at)}`, at);

  /** The attempt of another run that started nearest; of the run itself when there is no other. */
  #nearest(at: number, model: RecordedRun): Placed {
    const placed = this.#ended;
    let after = placed.length;
    for (let low = 0; low < after; ) {
      const middle = (low + after) >> 1;
      if ((placed[middle] as Placed).attempt.startedAt >= at) after = middle;
      else low = middle + 1;
    }
    let before = after - 1;
    while (before >= 0 && placed[before]?.run === model) before--;
    while (after < placed.length && placed[after]?.run === model) after++;
    const [earlier, later] = [placed[before], placed[after]];
    if (earlier === undefined && later === undefined) return { run: model, attempt: model.attempts.at(-1) as RecordedAttempt };
    if (earlier === undefined) return later as Placed;
    if (later === undefined) return earlier;
    return at - earlier.attempt.startedAt < later.attempt.startedAt - at ? earlier : later;
  }
}

/** Returns true if a newer fire time cancelled a run, and not a person. */
export function isOfOverlap({ cancel }: Pick<RecordedRun, "cancel">): boolean {
  return cancel !== null && cancel.user === null && (cancel.reason?.includes("cancel_running") ?? false);
}

/** The run that had started last at an instant; the first one when none had. */
function lastBefore(runs: readonly RecordedRun[], at: number): RecordedRun {
  let [low, high] = [0, runs.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((runs[middle] as RecordedRun).startedAt <= at) low = middle;
    else high = middle - 1;
  }
  return runs[low] as RecordedRun;
}
