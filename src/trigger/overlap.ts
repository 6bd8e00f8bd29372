import type { TriggerRecord } from "./trigger.js";

/**
 * Policy for a scheduled trigger that is ready while its pipeline's run slots are all in use (`maxActiveRuns`):
 * it waits (`queue`), waits as the only scheduled one, the newest replacing the older (`queue_one`), is skipped (`skip`), or the
 * newest fire time cancels older runs (`cancel_running`). What somebody requested always queues.
 */
export type Overlap = (typeof OVERLAPS)[number];

export const OVERLAPS = ["queue", "queue_one", "skip", "cancel_running"] as const;

/** Reasons for which a newer fire time supersedes a trigger and cancels a run. */
export const REPLACED = "a newer fire time took its place";
export const CANCELLED = "a newer fire time cancels it (cancel_running)";

/** Returns true for a trigger that the overlap policy of its pipeline concerns. */
export function isOverlapping({ kind, isForced }: Pick<TriggerRecord, "kind" | "isForced">): boolean {
  return kind === "scheduled" && !isForced;
}

/** Returns true when a new fire time replaces every scheduled trigger of its pipeline that waits. */
export function replacesWaiting(overlap: Overlap): boolean {
  return overlap === "queue_one";
}

/** A scheduled trigger that waits. Instants are epoch ms. */
export interface WaitingFire {
  readonly id: string;
  readonly fireTime: number;
}

/** An active run: running, or between two attempts. */
export interface OverlappedRun {
  readonly id: string;
  readonly triggerId: string;
  /** The fire time it stands for; `null` when something else than the schedule requested it. */
  readonly fireTime: number | null;
  readonly startedAt: number;
  /** Its end was requested already. */
  readonly isCancelled: boolean;
}

/** A pipeline that is not paused, as the overlap rule sees it. */
export interface OverlapState {
  readonly overlap: Overlap;
  readonly maxActiveRuns: number;
  readonly runs: readonly OverlappedRun[];
  /** Scheduled triggers that are being decided on; each holds a slot. */
  readonly claimed: readonly WaitingFire[];
  /** Other triggers that are being decided on; each holds a slot. */
  readonly claimedOthers: number;
  /** Scheduled triggers that could start if there were a slot. */
  readonly ready: readonly WaitingFire[];
}

/** Actions of the overlap rule, by id. What is ready and not named waits for a slot, in its order. */
export interface OverlapPlan {
  /** Triggers to skip. */
  readonly skip: readonly string[];
  /** Triggers that the newest fire time replaces, with its trigger. */
  readonly supersede: readonly { readonly id: string; readonly by: string }[];
  /** Runs to cancel, oldest first. */
  readonly cancel: readonly string[];
}

const NOTHING: OverlapPlan = Object.freeze({ skip: [], supersede: [], cancel: [] });

/**
 * Plans what becomes of the scheduled triggers of a pipeline that are ready, and of its runs: pure, and the same for every store. It is applied at the beginning of a claim, and again after triggers were
 * claimed, so that a policy takes effect in the claim that fills the slots.
 *
 * - `skip`: while runs take every slot, what is ready is skipped.
 * - `cancel_running`: of all fire times that run, are being decided on or are ready, the newest `maxActiveRuns` win. Older ones that have not started are superseded. For each winner that finds no slot the
 *   oldest run that is older than it is cancelled: one of an earlier fire time, or one that was requested and started before the winner's fire time.
 * - `queue`, `queue_one`: nothing; see {@link replacesWaiting}.
 */
export function planOverlap(state: OverlapState): OverlapPlan {
  const { overlap, maxActiveRuns, runs, ready } = state;
  if (ready.length === 0 || overlap === "queue" || overlap === "queue_one") return NOTHING;
  if (overlap === "skip") return skipsReady(state, runs.length) ? { ...NOTHING, skip: ready.map(({ id }) => id) } : NOTHING;
  const supersede = superseded(state);
  const lost = new Set(supersede.map(({ id }) => id));
  const deciding = state.claimed.filter(({ id }) => !lost.has(id)).length + state.claimedOthers;
  const winners = ready.filter(({ id }) => !lost.has(id)).toSorted(byFireTime);
  const slots = maxActiveRuns - runs.length - deciding;
  const ending = runs.filter(({ isCancelled }) => isCancelled).length;
  const waiting = winners.slice(Math.max(0, slots)); // the line gives free slots to the oldest
  const withoutSlot = waiting.slice(0, Math.max(0, waiting.length - Math.max(0, ending + Math.min(0, slots))));
  const going = runs.filter(({ isCancelled }) => !isCancelled).toSorted((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1));
  const cancel: string[] = [];
  for (const { fireTime } of withoutSlot) {
    const oldest = going.findIndex((run) => (run.fireTime ?? run.startedAt) < fireTime);
    if (oldest >= 0) cancel.push(...going.splice(oldest, 1).map(({ id }) => id));
  }
  return { skip: [], supersede, cancel };
}

/** The rule `skip`: returns true when the scheduled triggers of a pipeline that are ready are skipped, since runs take every slot; what is being decided on may yet take none. */
export function skipsReady({ overlap, maxActiveRuns }: Pick<OverlapState, "overlap" | "maxActiveRuns">, activeRuns: number): boolean {
  return overlap === "skip" && activeRuns >= maxActiveRuns;
}

/** Fire times that have not started, and than which enough newer ones run or wait. */
function superseded({ maxActiveRuns, runs, claimed, ready }: OverlapState): OverlapPlan["supersede"] {
  const running = runs.flatMap(({ triggerId, fireTime, isCancelled }) =>
    fireTime === null || isCancelled ? [] : [{ id: triggerId, fireTime }],
  );
  const isRunning = new Set(running.map(({ id }) => id));
  const newestFirst = [...running, ...claimed, ...ready].toSorted(byFireTime).reverse();
  const by = newestFirst[0]?.id ?? "";
  return newestFirst
    .slice(maxActiveRuns)
    .flatMap(({ id }) => (isRunning.has(id) ? [] : [{ id, by }]))
    .reverse();
}

function byFireTime(a: WaitingFire, b: WaitingFire): number {
  return a.fireTime - b.fireTime || (a.id < b.id ? -1 : 1);
}
