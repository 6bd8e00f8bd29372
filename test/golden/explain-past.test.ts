/**
 * Every answer that `explain` gives about the past and the present, with every cause, as text in `explain/past.txt`: read that file as prose. `npx vitest run test/golden -u` writes it again.
 */
import { describe, expect, it } from "vitest";
import {
  adaptive,
  condition,
  cron,
  type Duration,
  every,
  type Health,
  healthy,
  maintenanceWindow,
  memoryStore,
  type Pipeline,
  type PipelineOptions,
  type Probe,
  performanceBased,
  pipeline,
  type RunContext,
  type SchedulerOptions,
  sensor,
  stale,
} from "../../src/index.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { faultyStore, storeIsAway } from "../support/faulty-store.js";
import { type Harness, harness } from "../support/harness.js";

const COLUMNS = 120;
const hourly = cron("0 * * * *");
const sections: string[] = [];
const NAME = "explain/past.txt";

function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) as string;
    if (line.length + word.length >= COLUMNS) lines.push(`  ${word}`);
    else lines[lines.length - 1] = line === "" ? `  ${word}` : `${line} ${word}`;
  }
  return lines.join("\n");
}

/** Asks, and notes the answer under a title; `at` is a time of 2 March 2026 or an instant. */
async function note(title: string, { scheduler }: Pick<Harness, "scheduler">, id: string, at?: string): Promise<string> {
  const instant = at === undefined || at.includes("T") ? at : `2026-03-02T${at}:00Z`;
  const { answer, text } = await scheduler.explain(id, instant);
  const named = text.replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, "<id>");
  sections.push(`${title}\n  → ${answer}\n${wrapped(named)}\n`);
  return answer;
}

/** A pipeline that fires hourly and does nothing, unless it is said. */
function job(id: string, rest: Partial<PipelineOptions> = {}): Pipeline {
  return pipeline({ id, schedule: hourly, run: () => {}, ...rest });
}

const lasting = (length: Duration) => (context: RunContext<Record<string, unknown>>) => context.clock.sleep(length);
const failing = (): never => {
  throw new Error("ECONNREFUSED 10.0.0.7:5432");
};

async function playing(pipelines: readonly Pipeline[], options: SchedulerOptions = {}): Promise<Harness & { clock: FakeClock }> {
  return harness(pipelines, options);
}

/** Stops a scheduler, and starts another one with the same store after a while. */
async function restarted(one: Harness, pipelines: readonly Pipeline[], options: SchedulerOptions, after: Duration): Promise<Harness> {
  await one.scheduler.stop({ drain: 0 });
  await one.clock.advance(after);
  const next = await harness(pipelines, { ...options, clock: one.clock });
  await next.clock.advance("1m");
  return next;
}

describe("the texts of explain about the past", () => {
  it("what ran, and why late", async () => {
    const world = await playing([job("plain", { run: lasting("20m"), execution: { timeout: "3h" } })]);
    await world.clock.advance("2h30m");
    await world.scheduler.trigger("plain", { user: "ana", reason: "prices corrected" });
    await world.scheduler.trigger("plain", { kind: "immediate", user: "ana", reason: "prices corrected" });
    await world.clock.advance("50m");
    expect(await note("It ran on time", world, "plain", "01:00")).toBe("ran");
    await note("Somebody requested it", world, "plain", "02:30");
    await world.scheduler.trigger("plain", { notBefore: "2026-03-02T03:50:00Z" });
    await world.clock.advance("31m");
    await note("It was not to start before a time", world, "plain", "03:20");
    await world.scheduler.stop({ drain: 0 });
  });

  it("why late: held", async () => {
    let status = 503;
    const warehouse: Probe<Health> = {
      name: "warehouse",
      measure: async () => ({ isHealthy: status === 200, detail: `HTTP ${status}` }) as never,
    };
    const world = await playing([job("load", { conditions: [healthy({ probes: [warehouse] })], onBlock: "hold" })]);
    await world.clock.advance("1h40m");
    status = 200;
    await world.clock.advance("19m");
    await note("It was held", world, "load", "01:00");
    await world.scheduler.stop();
  });

  it("why late: limits", async () => {
    const pools = { warehouse: 1 };
    const slow = { run: lasting("150m"), schedule: cron("0 1 * * *"), execution: { timeout: "5h", pool: "warehouse" } } as const;
    const world = await playing(
      [
        job("slow", { run: lasting("150m"), execution: { timeout: "5h", overlap: "queue" } }),
        job("exporter", slow),
        job("importer", { schedule: cron("30 1 * * *"), execution: { pool: "warehouse" } }),
      ],
      { pools },
    );
    await world.clock.advance("4h");
    await note("It was queued behind a run of its own pipeline", world, "slow", "02:00");
    await note("A run of another pipeline had the slot of its pool", world, "importer", "01:30");
    await world.scheduler.stop({ drain: 0 });
    const limited = await playing([job("slow", slow), job("quick", { schedule: cron("30 1 * * *") })], { maxActiveRuns: 1, pools });
    await limited.clock.advance("4h");
    await note("The scheduler's limit was used up", limited, "quick", "01:30");
    await limited.scheduler.stop();
  });

  it("why late: paused, down, without a store, with a clock that was moved", async () => {
    const world = await playing([job("load", { execution: { catchup: "all" } })]);
    await world.clock.advance("30m");
    await world.scheduler.trigger("load", { notBefore: "2026-03-02T00:40:00Z", user: "ben" });
    await world.scheduler.pause("load", { user: "ana", reason: "warehouse is moving" });
    await world.clock.advance("1h");
    await world.scheduler.resume("load");
    await world.clock.advance("1m");
    await note("Catchup made it after a pause", world, "load", "01:00");
    await note("It waited through a pause", world, "load", "00:30");
    await world.clock.advance("30m");
    await world.scheduler.stop();

    const store = memoryStore();
    const down = await playing([job("load", { execution: { catchup: "all" } })], { store });
    await down.clock.advance("2h10m");
    const again = await restarted(down, [job("load", { execution: { catchup: "all" } })], { store }, "5h");
    await note("Catchup made it after a downtime", again, "load", "05:00");
    await again.scheduler.stop();

    let isAway = false;
    const away = await playing([job("load", { execution: { catchup: "all" } })], {
      store: faultyStore(memoryStore(), { before: () => (isAway ? storeIsAway() : null) }),
    });
    await away.clock.advance("1h30m");
    isAway = true;
    await away.clock.advance("2h");
    isAway = false;
    await away.clock.advance("1m");
    await note("Catchup made it when the store was back", away, "load", "02:00");
    await away.scheduler.stop();

    const moved = await playing([job("load", { execution: { catchup: "all" } })]);
    await moved.clock.advance("30m");
    moved.clock.jump(2 * 3_600_000);
    await moved.clock.advance("1m");
    await note("Catchup made it after the clock was moved forward", moved, "load", "02:00");
    await moved.scheduler.stop();
  });

  it("runs that did not succeed, and runs that have not ended", async () => {
    const world = await playing([
      job("failing", { run: failing, execution: { retries: 2, retryDelay: "5m" } }),
      job("hanging", { run: lasting("3h"), execution: { timeout: "20m", retries: 0 } }),
      job("long", { run: lasting("3h"), execution: { timeout: "5h" } }),
    ]);
    await world.clock.advance("1h2m");
    expect(await note("An attempt failed and is tried again", world, "failing", "01:00")).toBe("retrying");
    await note("The run that waits for its next attempt, asked for now", world, "failing");
    await world.clock.advance("30m");
    expect(await note("The run failed", world, "failing", "01:00")).toBe("failed");
    expect(await note("The run took too long", world, "hanging", "01:00")).toBe("timed_out");
    expect(await note("It is running", world, "long")).toBe("running");
    const { items } = await world.scheduler.runs({ pipelineId: "long" });
    await world.scheduler.cancel(items[0]?.id ?? "", { user: "ana", reason: "wrong month" });
    await note("Its cancellation was requested a moment ago", world, "long", "01:00");
    await world.clock.advance("1m");
    expect(await note("The run was cancelled", world, "long", "01:00")).toBe("cancelled");
    await world.scheduler.stop({ drain: 0 });
  });

  it("what is waiting", async () => {
    const pools = { warehouse: 1 };
    const world = await playing(
      [
        job("held", { conditions: [condition("partner", () => false, { onBlock: "hold" })], holdFor: "2h" }),
        job("given-up-soon", { conditions: [condition("partner", () => false, { onBlock: "hold" })], holdFor: "20m" }),
        job("long", { run: lasting("10h"), execution: { timeout: "20h", overlap: "queue" } }),
        job("exporter", { schedule: cron("0 1 * * *"), run: lasting("10h"), execution: { timeout: "20h", pool: "warehouse" } }),
        job("importer", { execution: { pool: "warehouse" } }),
        job("retrying", { run: failing, execution: { retries: 3, retryDelay: "90m" } }),
        job("paused"),
        job("later", { schedule: cron("0 0 1 1 *") }),
      ],
      { pools },
    );
    await world.clock.advance("30m");
    await world.scheduler.pause("paused", { user: "ana", reason: "warehouse is moving", duration: "8h" });
    await world.scheduler.trigger("later", { notBefore: "2026-03-02T09:00:00Z", user: "ben" });
    await world.scheduler.trigger("paused", { user: "ben" });
    await world.clock.advance("45m");
    await note("It is held, and will expire before the next check", world, "given-up-soon");
    await world.clock.advance("1h");
    await note("It is held", world, "held");
    await note("A run of its own pipeline is in its way", world, "long", "02:00");
    await world.clock.advance("1h");
    await note("So is another trigger before it", world, "long", "03:00");
    await note("A run of another pipeline has the slot of its pool", world, "importer");
    await note("A run that waits for its next attempt is in its way", world, "retrying");
    await note("The pipeline is paused, and something was requested", world, "paused", "00:30");
    await note("The pipeline is paused, and a fire time has come", world, "paused", "02:00");
    await note("It may not start yet", world, "later");
    await world.scheduler.pause({ user: "ops" });
    await world.clock.advance("1h");
    await note("The scheduler is paused since later than the pipeline", world, "paused", "02:00");
    await note("The scheduler is paused", world, "later", "2026-03-02T00:30:00Z");
    await world.scheduler.stop({ drain: 0 });
    const limited = await playing([job("slow", { schedule: cron("0 1 * * *"), run: lasting("3h") }), job("quick")], { maxActiveRuns: 1 });
    await limited.clock.advance("2h30m");
    await note("The scheduler's limit is used up", limited, "quick");
    await limited.scheduler.stop({ drain: 0 });
  });

  it("what did not run", async () => {
    const world = await playing([
      job("windowed", { conditions: [maintenanceWindow({ start: "01:30", end: "03:30" })] }),
      job("fresh", { conditions: [stale({ olderThan: "90m" })] }),
      job("busy", { run: lasting("90m"), execution: { overlap: "skip", timeout: "3h" } }),
      job("held", { conditions: [condition("partner", () => false, { onBlock: "hold" })], holdFor: "40m" }),
      job("replaced", { conditions: [condition("partner", () => false, { onBlock: "hold" })] }),
      job("slow", { run: lasting("170m"), execution: { timeout: "5h" } }),
      job("retired", { conditions: [condition("partner", () => false, { onBlock: "hold" })] }),
    ]);
    await world.clock.advance("3h50m");
    await note("A condition skipped it", world, "windowed", "02:00");
    await note("Its data was fresh", world, "fresh", "02:00");
    await note("Its overlap policy skipped it", world, "busy", "02:00");
    await note("It was held for too long", world, "held", "02:00");
    await note("It was replaced while it was held", world, "replaced", "01:00");
    await world.clock.advance("20m");
    await note("It was replaced while it was queued", world, "slow", "02:00");
    const { items } = await world.scheduler.triggers({ pipelineId: "replaced", status: ["held"] });
    await world.scheduler.cancel(items[0]?.id ?? "", { user: "ana", reason: "not needed" });
    expect(await note("It was cancelled before it ran", world, "replaced", "04:00")).toBe("cancelled");
    await world.scheduler.retire("retired", { user: "ops" });
    await world.scheduler.stop({ drain: 0 });
  });

  it("fire times that were dropped", async () => {
    const store = memoryStore();
    const [latest, minutely] = [job("latest"), job("minutely", { schedule: every("1m"), execution: { catchup: "none" } })];
    const world = await playing([latest, minutely], { store });
    await world.clock.advance("2h10m");
    const again = await restarted(world, [latest, minutely], { store }, "40h");
    await note("It was dropped after a downtime", again, "latest", "05:00");
    await note("So were many in a row", again, "minutely", "12:34");
    await again.scheduler.backfill("latest", { from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:30:00Z", user: "ana", reason: "audit" });
    await again.clock.advance("1m");
    await note("It was dropped and backfilled", again, "latest", "06:00");
    await again.scheduler.backfill("latest", { from: "2026-03-02T02:00:00Z", to: "2026-03-02T02:30:00Z", user: "ana" });
    await again.clock.advance("1m");
    await note("It ran and was backfilled", again, "latest", "02:00");
    await again.scheduler.pause("latest", { user: "ana", reason: "warehouse is moving" });
    await again.clock.advance("150m");
    await again.scheduler.resume("latest");
    await again.clock.settle();
    expect(await note("It was dropped after a pause", again, "latest", "2026-03-03T19:00:00Z")).toBe("missed");
    await again.scheduler.stop();
  });

  it("instants at which nothing was due", async () => {
    const store = memoryStore();
    const pipelines = [
      job("plain"),
      job("skipped", { conditions: [condition("partner", () => ({ result: "block", reason: "the partner is closed" }) as never)] }),
      job("orders", { run: failing, execution: { retries: 0 } }),
      job("report", { schedule: undefined as never, after: ["orders"] }),
      job("incoming", {
        schedule: undefined as never,
        sensors: [
          sensor("new files", () => {
            throw new Error("ENOENT: /incoming");
          }),
        ],
      }),
      job("changed"),
      job("adapting", { schedule: adaptive({ base: "1h", min: "30m", max: "4h", tuner: performanceBased() }) }),
    ];
    const world = await playing(pipelines, { store });
    await world.clock.advance("2h30m");
    await note("Between two fire times", world, "plain", "01:30");
    await note("The last one was skipped", world, "skipped");
    await note("What it follows has failed", world, "report");
    await note("Its sensor fails", world, "incoming");
    await note("Its schedule adapts", world, "adapting", "01:30");
    await world.scheduler.replace(job("changed", { schedule: cron("*/15 * * * *") }));
    await note("Its schedule was another one", world, "changed", "01:15");
    await world.scheduler.pause("plain", { user: "ana" });
    await world.clock.advance("10m");
    await world.scheduler.resume("plain");
    await world.clock.advance("5m");
    await note("It was paused then", world, "plain", "02:35");
    const again = await restarted(world, pipelines, { store }, "5h");
    await note("No scheduler was running then", again, "plain", "04:30");
    await again.scheduler.stop();
  });

  it("what is not known", async () => {
    const world = await playing([job("plain")], { store: memoryStore({ retention: { count: 2 } }) });
    await world.clock.advance("6h");
    expect(await note("Nothing is kept of it", world, "plain", "01:00")).toBe("unknown");
    await world.scheduler.stop();
  });

  it("local times, and changes of the clocks", async () => {
    const clock = fakeClock("2026-03-28T20:00:00Z");
    const berlin = { timeZone: "Europe/Berlin", schedule: cron("30 2 * * *") };
    const world = await playing([job("nightly", berlin), job("late", { ...berlin, schedule: cron("30 0 * * *") })], { clock });
    await clock.advance("40h");
    await note("In a pipeline's zone", world, "late", "2026-03-28T23:30:00Z");
    await note("The hour that did not exist", world, "nightly", "2026-03-29T00:30:00Z");
    await note("The fire time in the hour that did not exist", world, "nightly", "2026-03-29T01:00:00Z");
    await world.scheduler.stop();
    const autumn = fakeClock("2026-10-24T20:00:00Z");
    const back = await playing([job("nightly", berlin)], { clock: autumn });
    await autumn.advance("12h");
    await note("The hour that came twice", back, "nightly", "2026-10-25T01:30:00Z");
    await back.scheduler.stop();
  });
});

it("the file has them", async () => {
  const head = "What explain says of the past and the present: written by test/golden/explain-past.test.ts, to be read as prose.\n";
  await expect(`${head}\n${sections.join("\n")}`).toMatchFileSnapshot(NAME);
});
