import { describe, expect, it } from "vitest";
import { countingIds } from "../../src/base/id.js";
import {
  adaptive,
  cron,
  every,
  functionExecutor,
  healthy,
  maintenanceWindow,
  manual,
  memoryStore,
  NonRetryableError,
  type Pipeline,
  pipeline,
  type Scheduler,
  type SchedulerOptions,
  stale,
} from "../../src/index.js";
import type { FakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

const ok = () => {};
const on = (time: string) => `2026-03-02T${time}:00Z`;
const daily = cron("0 2 * * *");
const hourly = cron("0 * * * *");
const short = { timeout: "10m", retries: 0 } as const;
const window = (onBlock: "hold" | "skip") => maintenanceWindow({ start: "01:00", end: "04:00", description: "backup" }, { onBlock });
const warehouse = healthy({
  probes: [{ name: "warehouse", measure: () => ({ isHealthy: false, reason: "answered 503" }), ttlMs: 0 }],
  onBlock: "hold",
});

const lines: string[] = [];

/** Asks for instants on a scheduler of its own, and writes the answers down under a heading. */
async function told(
  heading: string,
  pipelines: readonly Pipeline[],
  asked: readonly (readonly [string, string])[],
  before: (scheduler: Scheduler, clock: FakeClock) => Promise<unknown> = async () => {},
  options: SchedulerOptions = {},
): Promise<readonly string[]> {
  const { scheduler, clock } = await harness(pipelines, { newId: countingIds(), ...options });
  await before(scheduler, clock);
  const answers: string[] = [];
  lines.push(`# ${heading} (asked ${new Date(clock.now()).toISOString().slice(11, 16)})`, "");
  for (const [id, time] of asked) {
    const { answer, text, dependsOn } = await scheduler.explain(id, time.length > 5 ? time : on(time));
    answers.push(answer);
    lines.push(`${answer}${dependsOn.length === 0 ? "" : ` [${dependsOn.map(({ kind }) => kind).join(", ")}]`}`, `  ${text}`);
  }
  lines.push("");
  await scheduler.stop({ drain: 0 });
  return answers;
}

describe("texts of explain for instants to come", () => {
  it("read well, every answer and every cause", async () => {
    const answers = [
      await told(
        "fire times",
        [
          pipeline({ id: "sales", schedule: cron("0 2 * * *", { timeZone: "Europe/Berlin" }), execution: short, run: ok }),
          pipeline({
            id: "windowed",
            schedule: hourly,
            conditions: [window("skip"), stale({ olderThan: "20m" })],
            execution: short,
            run: ok,
          }),
          pipeline({ id: "long", schedule: hourly, conditions: [window("skip")], run: ok }),
          pipeline({ id: "may-wait", schedule: hourly, conditions: [maintenanceWindow({ start: "03:00", end: "04:00" })], run: ok }),
          pipeline({ id: "manual", schedule: manual(), after: "sales", run: ok }),
        ],
        [
          ["sales", "01:00"],
          ["sales", "02:30"],
          ["windowed", "02:00"],
          ["windowed", "04:00"],
          ["long", "02:00"],
          ["long", "05:00"],
          ["may-wait", "03:00"],
          ["manual", "02:00"],
        ],
      ),
      await told(
        "held until a window ends, or given up before",
        [
          pipeline({ id: "held", schedule: daily, conditions: [window("hold")], execution: short, run: ok }),
          pipeline({ id: "given-up", schedule: daily, conditions: [window("hold")], holdFor: "1h", execution: short, run: ok }),
          pipeline({ id: "replaced", schedule: hourly, conditions: [window("hold")], execution: short, run: ok }),
        ],
        [
          ["held", "03:00"],
          ["held", "04:00"],
          ["given-up", "03:00"],
          ["replaced", "03:00"],
          ["replaced", "04:00"],
          ["given-up", "2026-03-03T02:00:00Z"],
        ],
        (_, clock) => clock.advance("2h30m"),
      ),
      await told(
        "held by a probe that fails",
        [pipeline({ id: "a", schedule: daily, conditions: [warehouse], holdFor: "2h", execution: short, run: ok })],
        [
          ["a", "02:40"],
          ["a", "02:45"],
          ["a", "04:00"],
          ["a", "2026-03-03T02:00:00Z"],
        ],
        (_, clock) => clock.advance("2h31m"),
      ),
      await told(
        "retries, runs and triggers that wait",
        [
          pipeline({
            id: "fails",
            schedule: hourly,
            execution: { retries: 1, retryDelay: "90m", timeout: "5m" },
            run: () => {
              throw new Error("ECONNREFUSED 10.0.0.7:5432");
            },
          }),
          pipeline({
            id: "skips",
            schedule: hourly,
            execution: { retries: 1, retryDelay: "90m", timeout: "5m", overlap: "skip" },
            run: () => {
              throw new Error("ECONNREFUSED 10.0.0.7:5432");
            },
          }),
          pipeline({
            id: "over",
            schedule: cron("0 1 * * *"),
            run: () => {
              throw new NonRetryableError("no such table");
            },
          }),
          pipeline({ id: "later", schedule: manual(), execution: short, run: ok }),
          pipeline({ id: "busy", schedule: hourly, execution: { timeout: "5h" }, run: ({ clock: time }) => time.sleep("4h") }),
          pipeline({
            id: "busy-skip",
            schedule: hourly,
            execution: { timeout: "5h", overlap: "skip" },
            run: ({ clock: time }) => time.sleep("4h"),
          }),
        ],
        [
          ["fails", "02:00"],
          ["fails", "02:10"],
          ["fails", "02:30"],
          ["skips", "02:00"],
          ["over", "02:00"],
          ["later", "02:00"],
          ["later", "03:00"],
          ["busy", "01:30"],
          ["busy", "02:00"],
          ["busy-skip", "02:00"],
        ],
        async (scheduler, clock) => {
          await scheduler.trigger("later", { notBefore: on("03:00"), user: "ana", reason: "prices corrected" });
          await clock.advance("1h10m");
        },
      ),
      await told(
        "slots shared with others",
        [
          pipeline({
            id: "first",
            schedule: cron("0 1 * * *"),
            execution: { timeout: "5h", retries: 0, pool: "wh" },
            run: ({ clock: time }) => time.sleep("3h"),
          }),
          pipeline({ id: "second", schedule: daily, execution: { ...short, pool: "wh" }, run: ok }),
          pipeline({ id: "third", schedule: cron("0 3 * * *"), execution: short, run: ok }),
        ],
        [
          ["second", "02:00"],
          ["third", "03:00"],
        ],
        (_, clock) => clock.advance("1h10m"),
        { pools: { wh: 1 }, maxActiveRuns: 2 },
      ),
      await told(
        "pauses",
        [
          pipeline({ id: "for-a-while", schedule: hourly, execution: short, run: ok }),
          pipeline({ id: "for-ever", schedule: hourly, execution: short, run: ok }),
        ],
        [
          ["for-a-while", "02:00"],
          ["for-a-while", "03:00"],
          ["for-a-while", "03:30"],
          ["for-a-while", "04:00"],
          ["for-ever", "02:00"],
          ["for-ever", "02:30"],
        ],
        async (scheduler) => {
          await scheduler.pause("for-a-while", { duration: "3h30m", user: "ana", reason: "warehouse move" });
          await scheduler.pause("for-ever", { user: "ana", reason: "warehouse move" });
        },
      ),
      await told(
        "an adaptive interval",
        [
          pipeline({
            id: "adapting",
            schedule: adaptive({ base: "1h", min: "30m", max: "4h", tuner: (_, ms) => ({ interval: ms, reason: "same" }) }),
            execution: short,
            run: ok,
          }),
        ],
        [
          ["adapting", "01:00"],
          ["adapting", "02:00"],
          ["adapting", "02:30"],
        ],
      ),
      await told(
        "an executor without room",
        [
          pipeline({ id: "early", schedule: cron("0 1 * * *"), execution: short, run: ok }),
          pipeline({ id: "late", schedule: daily, execution: short, run: ok }),
        ],
        [["late", "02:00"]],
        async () => {},
        { executor: functionExecutor({ concurrency: 1 }) },
      ),
      await passed(),
      await foreign(),
    ];
    lines.unshift(
      "Answers of explain for instants of Monday, 2 March 2026, that are still to come. Written by test/engine/explain-future-texts.test.ts.",
      "",
    );
    await expect(lines.join("\n")).toMatchFileSnapshot("../golden/explain/future.txt");
    const expected = ["will_run", "may_run", "will_retry", "will_wait", "will_skip", "may_skip", "will_miss", "will_expire", "may_expire"];
    expect(new Set(answers.flat())).toEqual(new Set([...expected, "not_scheduled", "unknown"]));
  });
});

/** A schedule that the store has planned beyond what the rule says. */
async function passed(): Promise<readonly string[]> {
  const store = memoryStore();
  return told(
    "a schedule that a clock ahead of time has advanced",
    [pipeline({ id: "advanced", schedule: every("1h"), execution: short, run: ok })],
    [
      ["advanced", "02:00"],
      ["advanced", "05:00"],
    ],
    async () => {
      const [state] = await store.states(["advanced"]);
      const request = { pipelineId: "advanced", scheduleKey: every("1h").key, expectedFireAt: state?.nextFireAt ?? null, lastFireAt: null };
      await store.fire([{ ...request, nextFireAt: Date.parse(on("05:00")), triggers: [], dropped: [] }], Date.parse(START));
    },
    { store },
  );
}

/** A pipeline that another node has with another schedule. */
async function foreign(): Promise<readonly string[]> {
  const store = memoryStore();
  const other = {
    id: "foreign",
    scheduleKey: hourly.key,
    nextFireAt: Date.parse(on("01:00")),
    maxActiveRuns: 1,
    overlap: "queue",
    pool: null,
  } as const;
  return told(
    "a schedule of another node",
    [pipeline({ id: "foreign", schedule: daily, execution: short, run: ok })],
    [["foreign", "02:00"]],
    () => store.register([other], Date.parse(START)),
    { store },
  );
}
