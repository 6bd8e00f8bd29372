import type { Clock } from "../../src/index.js";
import type { FakeClock } from "../../src/testing/index.js";

/** The clock of one machine: its time passes with a fake clock, and its wall clock may be wrong. */
export interface WallClock extends Clock {
  /** How far its wall clock is ahead of the fake one, ms. */
  aheadMs: number;
}

export function wallClock(truth: FakeClock): WallClock {
  const clock: WallClock = {
    aheadMs: 0,
    now: () => truth.now() + clock.aheadMs,
    monotonic: () => truth.monotonic(),
    setTimer: (ms, fn) => truth.setTimer(ms, fn),
    sleep: (ms, signal) => truth.sleep(ms, signal),
    track: (promise, kind, name) => truth.track?.(promise, kind, name),
  };
  return clock;
}
