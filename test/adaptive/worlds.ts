import { type AdaptivePolicy, adapt } from "../../src/adaptive/adaptive.js";
import type { Load, RunSample } from "../../src/adaptive/performance.js";
import { randomFrom } from "../../src/testing/random.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const DAYS = 30;
const WARM_UP_DAYS = 10;

/** A run that is about to start. */
interface Start {
  /** ms since the world began. */
  readonly at: number;
  /** Time since the start of the newest run that succeeded, ms. */
  readonly sinceSuccessMs: number;
  random(): number;
}

/** How a run goes. */
interface Outcome {
  readonly minutes: number;
  readonly isSuccess: boolean;
  readonly records?: number;
}

/** A world: how its runs go, from a seed. */
export type World = (seed: number) => (start: Start) => Outcome;

/** Length of a run by two uniform numbers, log-normal (Box and Muller). */
const logNormal = (median: number, sigma: number, random: () => number) =>
  median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));

/** Begins of spans of which one comes at a random instant of every so many days, ms. */
function onceEvery(days: number, seed: number): readonly number[] {
  const random = randomFrom(seed * 7_919 + 17);
  return Array.from({ length: Math.ceil(DAYS / days) }, (_, n) => (n + random()) * days * DAY);
}
const isWithin = (at: number, begins: readonly number[], lengthMs: number) => begins.some((begin) => at >= begin && at < begin + lengthMs);

const failing =
  (share: number): World =>
  () =>
  ({ random }) => ({ minutes: 12, isSuccess: random() >= share });

/** Eleven worlds in which data should be at most three hours old. */
export const WORLDS: Readonly<Record<string, World>> = {
  "steady, 12 min": () => () => ({ minutes: 12, isSuccess: true }),
  "log-normal, 3 % fail":
    () =>
    ({ random }) => ({ minutes: Math.min(90, logNormal(12, 0.5, random)), isSuccess: random() >= 0.03 }),
  "10 % fail": failing(0.1),
  "10 % fail, 2 retries":
    () =>
    ({ random }) => {
      let attempts = 1;
      while (attempts < 3 && random() < 0.1) attempts++;
      return { minutes: 12 * attempts + 5 * (attempts - 1), isSuccess: attempts < 3 || random() >= 0.1 };
    },
  "a third fails": failing(1 / 3),
  "drift from 5 to 90 min":
    () =>
    ({ at }) => ({ minutes: 5 + (85 * at) / (DAYS * DAY), isSuccess: true }),
  "10 min by day, 60 by night":
    () =>
    ({ at }) => ({ minutes: at % DAY < DAY / 2 ? 10 : 60, isSuccess: true }),
  bursts: (seed) => {
    const begins = onceEvery(2.5, seed);
    return ({ at, random }) => ({ minutes: 12, isSuccess: random() >= (isWithin(at, begins, 5 * HOUR) ? 0.5 : 0.01) });
  },
  "outages of 2 h": (seed) => {
    const begins = onceEvery(1.5, seed);
    return ({ at }) => ({ minutes: 12, isSuccess: !isWithin(at, begins, 2 * HOUR) });
  },
  "an outage of 24 h": (seed) => {
    const begin = (14 + 8 * randomFrom(seed)()) * DAY;
    return ({ at }) => ({ minutes: 12, isSuccess: at < begin || at >= begin + DAY });
  },
  "as long as the gap before it":
    () =>
    ({ sinceSuccessMs }) => ({ minutes: 2 + Math.min(60, (0.08 * sinceSuccessMs) / MINUTE), isSuccess: true }),
};

/** One run of {@link play}; ms since the world began. */
interface Played extends RunSample {
  readonly fireAt: number;
}

/** How intervals are chosen in {@link play}: a fixed one, or what a policy adapts to. */
export interface Driver {
  readonly intervalMs: number;
  readonly policy?: AdaptivePolicy;
  /** How loaded the machine is when a run ends. */
  readonly load?: (at: number) => Load;
}

/** What {@link play} comes to. */
export interface Course {
  readonly runs: readonly Played[];
  readonly changes: readonly { readonly at: number; readonly fromMs: number; readonly toMs: number; readonly reason: string }[];
  /** The last interval, ms. */
  readonly intervalMs: number;
}

const NO_LOAD: Load = { cpu: null, memory: null, queueLength: null };

/**
 * A scheduler in twenty lines: fires every so often, one run at a time, at most one waiting; asks the policy after every run. Fast enough to find the best fixed interval by trying them all.
 */
export function play(world: World, seed: number, { intervalMs, policy, load }: Driver, days = DAYS): Course {
  const random = randomFrom(seed);
  const goes = world(seed);
  const runs: Played[] = [];
  const changes: Course["changes"][number][] = [];
  let [interval, anchor, lastSuccess] = [intervalMs, 0, 0];
  let changedAt: number | null = null;
  let freeAt = 0;
  for (let fireAt = 0; fireAt < days * DAY; ) {
    const startedAt = Math.max(fireAt, freeAt);
    const { minutes, isSuccess, records = null } = goes({ at: startedAt, sinceSuccessMs: startedAt - lastSuccess, random });
    const endedAt = startedAt + Math.round(minutes * MINUTE);
    runs.push({ fireAt, startedAt, endedAt, isSuccess, retries: 0, records });
    if (isSuccess) lastSuccess = startedAt;
    freeAt = endedAt;
    const fired = anchor + Math.floor((endedAt - anchor) / interval) * interval; // the newest fire time by now: it waits if it came while the run went on
    if (policy !== undefined) {
      const {
        isChange,
        intervalMs: toMs,
        reason,
      } = adapt(policy, interval, changedAt, runs.slice(-policy.runs - 1), load?.(endedAt) ?? NO_LOAD, endedAt);
      if (isChange) {
        changes.push({ at: endedAt, fromMs: interval, toMs, reason });
        [interval, anchor, changedAt] = [toMs, Math.max(fireAt, fired), endedAt];
      }
    }
    const next = fireAt + 1;
    fireAt = fired > fireAt ? fired : anchor + (Math.floor((Math.max(endedAt, next) - anchor) / interval) + 1) * interval;
  }
  return { runs, changes, intervalMs: interval };
}

/** Share of the time from one instant to another in which data was at most so old: as old as the start of the newest run that had succeeded. */
export function achieved(runs: readonly RunSample[], maxAgeMs: number, from = WARM_UP_DAYS * DAY, to = DAYS * DAY): number {
  const good = runs.filter(({ isSuccess }) => isSuccess);
  let fresh = 0;
  for (const [index, { startedAt, endedAt }] of good.entries()) {
    const begin = Math.max(from, endedAt);
    const end = Math.min(to, good[index + 1]?.endedAt ?? to);
    fresh += Math.max(0, Math.min(end, startedAt + maxAgeMs) - begin);
  }
  return fresh / (to - from);
}

/** Runs that start in the measured days. */
export const counted = (runs: readonly RunSample[], from = WARM_UP_DAYS * DAY) => runs.filter(({ startedAt }) => startedAt >= from).length;

/** The fixed interval with the fewest runs that keeps each promise, found by trying all of them; `null` when none does. */
export function bestFixed(world: World, seed: number, maxAgeMs: number, shares: readonly number[]) {
  const tried = FIXED_MINUTES.map((minutes) => {
    const { runs } = play(world, seed, { intervalMs: minutes * MINUTE });
    return { minutes, share: achieved(runs, maxAgeMs), runs: counted(runs) };
  });
  return shares.map((share) => tried.filter((one) => one.share >= share).sort((a, b) => a.runs - b.runs)[0] ?? null);
}
const FIXED_MINUTES = [
  ...Array.from({ length: 16 }, (_, n) => 240 - n * 5),
  ...Array.from({ length: 40 }, (_, n) => 160 - n * 2.5),
  ...Array.from({ length: 24 }, (_, n) => 60 - n * 2.5).filter((one) => one >= 10),
];
