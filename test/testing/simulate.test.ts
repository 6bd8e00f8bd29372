import { describe, expect, it } from "vitest";
import { adaptive, condition, createScheduler, every, healthy, loadBased, memoryStore, pipeline } from "../../src/index.js";
import { fakeClock, type SimulateOptions, simulate } from "../../src/testing/index.js";
import { comparable, differences, RandomWorld, recordsOf } from "../support/random-world.js";

const SILENT = { log: () => {} };
const SPAN = { from: "2026-01-01T00:30:00Z", to: "2026-01-02T00:30:00Z" } as const;
const job = (id: string, rest: object = {}) => pipeline({ id, schedule: every("1h"), run: () => {}, ...rest });
const lucky: SimulateOptions["world"] = {
  run: ({ random }) => ({ duration: Math.floor(random() * 1_200_000) + 1, outcome: random() < 0.3 ? "fail" : "succeed" }),
};

describe("a simulation", () => {
  it("decides as the engine does under the fake clock, record by record, whatever the world", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new RandomWorld(seed, {
        pipelines: 3,
        hours: 14,
        overlaps: ["queue", "queue_one", "skip", "cancel_running"],
        canCancel: false,
        isSlow: false,
        hasJitter: false,
      });
      const clock = fakeClock(world.from - 1, { onUnsettled: "reject", patience: "20s" });
      const scheduler = createScheduler({
        pipelines: world.pipelines(clock),
        pools: world.pools,
        clock,
        store: memoryStore(),
        logger: SILENT,
      });
      await scheduler.start();
      await world.live(scheduler, clock);
      const real = comparable(await recordsOf(scheduler));
      await scheduler.stop({ drain: 0 });
      const played = await simulate({
        pipelines: world.pipelines(clock),
        pools: world.pools,
        from: world.from,
        to: world.to,
        world: world.scripted,
      });
      expect(differences(real, comparable(played)), `seed ${seed}`).toBe("");
    }
  }, 120_000);

  it("draws for each pipeline from a stream of its own: others, more or fewer, in any order, leave its luck as it was", async () => {
    const execution = { retries: 3, retryDelay: "2m", jitter: 0.5 };
    const all = ["a", "b", "c", "d"].map((id, index) => job(id, { execution, schedule: every(`${20 + 7 * index}m`) }));
    const runsOf = async (pipelines: readonly ReturnType<typeof job>[], id: string) =>
      (await simulate({ ...SPAN, pipelines, seed: 5, world: lucky })).runs
        .filter(({ pipelineId }) => pipelineId === id)
        .map(({ startedAt, endedAt, status, attempts }) => [startedAt, endedAt, status, attempts.map(({ startedAt: at }) => at)]);
    const alone = await runsOf([all[1] as ReturnType<typeof job>], "b");
    expect(alone.length).toBeGreaterThan(40);
    expect(await runsOf(all, "b")).toEqual(alone);
    expect(await runsOf(all.toReversed().slice(1), "b")).toEqual(alone);
    expect(await runsOf([all[0], all[1]] as ReturnType<typeof job>[], "a")).not.toEqual(alone);
  });

  it("is the same, byte for byte, in whatever order its pipelines are given", async () => {
    const all = ["c", "a", "d", "b"].map((id) => job(id, { execution: { retries: 1 } }));
    const text = async (pipelines: readonly ReturnType<typeof job>[]) =>
      JSON.stringify(await simulate({ ...SPAN, pipelines, world: lucky, maxActiveRuns: 2 }));
    expect(await text(all.toReversed())).toBe(await text(all));
  });

  it("goes on after what the scheduler refuses, and reports it", async () => {
    const played = await simulate({
      ...SPAN,
      pipelines: [job("a")],
      world: {
        pauses: [{ from: "2026-01-01T01:30:00Z", until: "2026-01-01T02:30:00Z", pipelineId: "a" }],
        triggers: [
          { at: "2026-01-01T02:10:00Z", pipelineId: "a", kind: "immediate", user: "ana" },
          { at: "2026-01-01T05:10:00Z", pipelineId: "a", kind: "immediate", user: "ana" },
        ],
      },
    });
    expect(played.refused).toEqual([
      {
        at: new Date("2026-01-01T02:10:00Z"),
        what: "trigger",
        pipelineId: "a",
        code: "PAUSED",
        message: expect.stringContaining("paused"),
      },
    ]);
    expect(played.triggers.filter(({ kind }) => kind === "immediate")).toHaveLength(1);
    expect(played.runs).toHaveLength(25);
    const mistaken = simulate({ ...SPAN, pipelines: [job("a")], world: { triggers: [{ at: SPAN.from, pipelineId: "other" }] } });
    await expect(mistaken).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
  });

  it("names probes that it has no value for, instead of blocking without a word", async () => {
    const warehouse = { name: "warehouse", measure: () => true };
    const own = condition("own", async ({ measure }) => measure<boolean>({ name: "own probe", measure: () => true }));
    const pipelines = [
      job("a", { conditions: [healthy({ probes: [warehouse] }), own] }),
      job("b", { conditions: [healthy({ probes: [warehouse] })] }),
    ];
    const played = await simulate({ ...SPAN, pipelines, world: { probes: { "own probe": true } } });
    expect(played.runs).toEqual([]);
    const at = new Date("2026-01-01T01:00:00Z");
    expect(played.unknown).toEqual([
      {
        kind: "probe",
        what: "what probes measure that have no value in world.probes",
        assumed: "they fail",
        count: 48,
        firstAt: at,
        examples: [
          { subject: 'probe "warehouse", used by pipeline a', at },
          { subject: 'probe "warehouse", used by pipeline b', at },
        ],
      },
    ]);
    expect((await simulate({ ...SPAN, pipelines, world: { probes: { "own probe": true, warehouse: true } } })).unknown).toEqual([]);
  });

  it("asks for the load of the machine by instant", async () => {
    const seen: string[] = [];
    const schedule = adaptive({
      base: "1h",
      min: "30m",
      max: "4h",
      minRuns: 1,
      cooldown: 0,
      tuner: ({ cpu }, ms) => ({ interval: (cpu ?? 0) > 0.8 ? ms * 2 : ms, reason: "load" }),
    });
    const { intervals } = await simulate({
      ...SPAN,
      pipelines: [job("a", { schedule })],
      load: (at) => {
        seen.push(at.toISOString());
        return { cpu: at.getUTCHours() >= 10 && at.getUTCHours() < 13 ? 0.9 : 0.2, memory: null };
      },
    });
    expect(seen[0]).toBe("2026-01-01T01:00:00.000Z");
    expect(intervals.map(({ at }) => at.getUTCHours())).toEqual([10, 12]);
  });

  it("names the load of the machine when a tuner asks for it and nobody gave it", async () => {
    const schedule = adaptive({ base: "1h", min: "30m", max: "4h", tuner: loadBased() });
    const played = await simulate({ ...SPAN, pipelines: [job("a", { schedule }), job("b")] });
    expect(played.unknown).toMatchObject([{ kind: "load", count: null, examples: [{ subject: "pipeline a" }] }]);
    const load = () => ({ cpu: 0.5, memory: 0.5 });
    expect((await simulate({ ...SPAN, pipelines: [job("a", { schedule })], load })).unknown).toEqual([]);
  });
});
