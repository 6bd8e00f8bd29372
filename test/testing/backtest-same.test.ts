import { describe, expect, it } from "vitest";
import {
  createScheduler,
  every,
  healthy,
  memoryStore,
  NonRetryableError,
  type Pipeline,
  type PipelineOptions,
  pipeline,
  type RunContext,
  type Scheduler,
} from "../../src/index.js";
import { backtest, type FakeClock, fakeClock } from "../../src/testing/index.js";
import { randomFrom } from "../../src/testing/random.js";
import { recordsOf } from "../support/random-world.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const T0 = Date.parse("2026-03-02T00:00:00Z");

/** A number in [0, 1) that depends on what it is for alone. */
function luck(...of: readonly (number | string)[]): number {
  let hash = 2_166_136_261;
  for (const letter of of.join(" ")) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619);
  return randomFrom(hash)();
}

type Work = (context: RunContext<unknown>) => Promise<unknown>;
type Options = Omit<PipelineOptions, "id" | "run">;

const job = (options: Options = {}, run: Work | (() => void) = () => {}): Pipeline =>
  pipeline({ id: "sync", schedule: every("1h"), ...options, run: run as Work });

/** Runs pipelines under a fake clock, as long as some days; returns what is recorded. */
async function lived(
  pipelines: (clock: FakeClock) => readonly Pipeline[],
  days: number,
  act: (scheduler: Scheduler, clock: FakeClock) => Promise<unknown> = async () => {},
) {
  const clock = fakeClock(T0 - 1, { onUnsettled: "reject", patience: "20s" });
  const all = pipelines(clock);
  const scheduler = createScheduler({ pipelines: all, clock, store: memoryStore(), logger: { log: () => {} } });
  await scheduler.start();
  await act(scheduler, clock);
  await clock.advanceTo(T0 + days * DAY);
  const records = await recordsOf(scheduler);
  await scheduler.stop({ drain: 0 });
  return records;
}

/** Sleeps for some minutes, then succeeds or fails by luck. */
const unlucky =
  (failures: number, minutes = 9, error: () => Error = () => new Error("the source is late")): Work =>
  async ({ clock }) => {
    const at = clock.now();
    await clock.sleep((1 + Math.floor(luck("long", at) * minutes)) * MINUTE);
    if (luck("fate", at) < failures) throw error();
    return { at };
  };

describe("a backtest of the same configuration", () => {
  it("keeps retries as they were: their waits are not spread over the attempts and added again", async () => {
    const options: Options = { execution: { retries: 3, retryDelay: "10m", backoff: "exponential" } };
    const { runs } = await lived(() => [job(options, unlucky(0.35))], 7);
    const { before, after } = await backtest({ history: runs, pipeline: job(options), maxAge: "3h" });
    expect(before.runs).toBeGreaterThan(150);
    expect(before.retries).toBeGreaterThan(50);
    expect(after).toEqual({ ...before, skipped: after.skipped });
  });

  it("keeps failures that were final: they are not tried again", async () => {
    const options: Options = { execution: { retries: 3, retryDelay: "10m" } };
    const final = unlucky(0.2, 4, () => new NonRetryableError("the file is empty"));
    const { runs } = await lived(() => [job(options, final)], 7);
    const { before, after } = await backtest({ history: runs, pipeline: job(options) });
    expect(before).toMatchObject({ retries: 0 });
    expect(before.failed).toBeGreaterThan(20);
    expect(after).toEqual({ ...before, skipped: after.skipped });
  });

  it("answers a probe from the history, and runs as often as it did", async () => {
    const options: Options = { conditions: [healthy({ probes: [{ name: "warehouse", measure: () => true }] })] };
    const { runs } = await lived(() => [job(options, unlucky(0, 4))], 5);
    const { before, after } = await backtest({ history: runs, pipeline: job(options) });
    expect(before.runs).toBe(120); // the last one has not ended
    expect(after.runs).toBe(120);
  });

  it("includes the last run", async () => {
    const { runs } = await lived(() => [job({}, unlucky(0, 4))], 1);
    const { before, after } = await backtest({ history: runs, pipeline: job() });
    expect(before.runs).toBe(24);
    expect(after.runs).toBe(before.runs);
  });
});
