import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/index.js";
import {
  allOf,
  anyOf,
  businessDay,
  businessDays,
  condition,
  cron,
  every,
  except,
  maintenanceWindow,
  not,
  type Pipeline,
  pipeline,
  type Schedule,
  union,
  upcoming,
  within,
} from "../../src/index.js";
import { simulate } from "../../src/testing/index.js";
import { harness } from "../support/harness.js";

const run = () => {};
const next = ({ schedule }: Pipeline) => upcoming(schedule, { from: "2026-03-01T00:00:00Z", count: 1 })[0]?.toISOString();
const of = (schedule: Schedule, timeZone?: string) => pipeline({ id: "a", schedule, ...(timeZone === undefined ? {} : { timeZone }), run });

/** Sunday, 02:00 in Berlin: 01:00 UTC in winter. */
const WINDOW = { start: "02:00", end: "04:00", days: ["sunday"] as const };
const SUNDAY = { from: "2026-03-01T00:00:00Z", to: "2026-03-02T00:00:00Z" };

/** What came of each of a Sunday's hours, in UTC. */
async function blockedHours(one: Pipeline): Promise<number[]> {
  const { decisions } = await simulate({ pipelines: [one], ...SUNDAY });
  return decisions.filter(({ outcome }) => outcome !== "run").map(({ scheduledFor }) => scheduledFor?.getUTCHours() ?? -1);
}

describe("a pipeline's time zone", () => {
  test("is inherited by its schedule, unless that names one", () => {
    expect(next(of(cron("0 2 * * *")))).toBe("2026-03-01T02:00:00.000Z");
    expect(next(of(cron("0 2 * * *"), "Europe/Berlin"))).toBe("2026-03-01T01:00:00.000Z");
    expect(next(of(cron("0 2 * * *", { timeZone: "UTC" }), "Europe/Berlin"))).toBe("2026-03-01T02:00:00.000Z");
    expect(next(of(cron("0 2 * * *", { timeZone: "America/New_York" }), "Europe/Berlin"))).toBe("2026-03-01T07:00:00.000Z");
  });

  test("changes a schedule's identity only when it changes what the schedule means", () => {
    const key = (schedule: Schedule, timeZone?: string) => of(schedule, timeZone).schedule.key;
    expect(key(cron("0 2 * * *"))).toBe(key(cron("0 2 * * *", { timeZone: "UTC" })));
    expect(key(cron("0 2 * * *"), "UTC")).toBe(key(cron("0 2 * * *")));
    expect(key(cron("0 2 * * *"), "Europe/Berlin")).toBe(key(cron("0 2 * * *", { timeZone: "Europe/Berlin" })));
    expect(key(cron("0 2 * * *", { timeZone: "Asia/Tokyo" }), "Europe/Berlin")).toBe(key(cron("0 2 * * *", { timeZone: "Asia/Tokyo" })));
    expect(key(every("1h"), "Europe/Berlin")).toBe(key(every("1h")));
  });

  test("reaches the parts of combined schedules", () => {
    const tokyo = cron("0 12 * * *", { timeZone: "Asia/Tokyo" });
    expect(next(of(union(cron("0 2 * * *"), tokyo), "Europe/Berlin"))).toBe("2026-03-01T01:00:00.000Z");
    expect(next(of(within(every("1h"), WINDOW), "Europe/Berlin"))).toBe("2026-03-01T01:00:00.000Z");
    expect(next(of(except(cron("0 2 * * *"), { start: "02:00", end: "03:00", days: ["sunday"] }), "Europe/Berlin"))).toBe(
      "2026-03-02T01:00:00.000Z",
    );
    const shared = businessDays();
    expect(next(of(within(every("1h"), shared), "Asia/Tokyo"))).toBe("2026-03-01T15:00:00.000Z");
    expect(next(of(within(every("1h"), shared)))).toBe("2026-03-02T00:00:00.000Z");
    expect(next(of(within(every("1h"), businessDays({ timeZone: "UTC" })), "Asia/Tokyo"))).toBe("2026-03-02T00:00:00.000Z");
  });

  test("is inherited by windows and business days of conditions, also within combinators", async () => {
    const hourly = (conditions: Parameters<typeof pipeline>[0]["conditions"], timeZone = "Europe/Berlin") =>
      pipeline({ id: "a", schedule: every("1h"), timeZone, conditions: conditions ?? [], run });
    const open = condition("open", () => false, { needs: "time" });
    expect(await blockedHours(hourly([maintenanceWindow(WINDOW)]))).toEqual([1, 2]);
    expect(await blockedHours(hourly([maintenanceWindow({ ...WINDOW, timeZone: "UTC" })]))).toEqual([2, 3]);
    expect(await blockedHours(hourly([allOf(maintenanceWindow(WINDOW), not(open))]))).toEqual([1, 2]);
    expect(await blockedHours(hourly([anyOf(maintenanceWindow(WINDOW), open)]))).toEqual([1, 2]);
    expect(
      await blockedHours(hourly([not(not(maintenanceWindow([WINDOW, { ...WINDOW, start: "22:00", end: "23:00", timeZone: "UTC" }])))])),
    ).toEqual([1, 2, 22]);
    expect((await blockedHours(hourly([businessDay()], "Asia/Tokyo"))).at(-1)).toBe(14);
    expect(await blockedHours(hourly([{ ...maintenanceWindow(WINDOW), name: "changed by hand" }]))).toEqual([2, 3]);
  });

  test("is inherited by a pattern that names none", () => {
    const make = (pattern: "production_daily" | "financial_end_of_day", timeZone: string) => pipeline({ id: "a", pattern, timeZone, run });
    expect(next(make("production_daily", "Europe/Berlin"))).toBe("2026-03-01T01:00:00.000Z");
    expect(next(make("financial_end_of_day", "Europe/Berlin"))).toBe("2026-03-02T23:00:00.000Z");
  });

  test("is inherited by maintenance windows set at run time, and explain goes by it", async () => {
    const hourly = (id: string, timeZone?: string) =>
      pipeline({
        id,
        schedule: every("1h"),
        execution: { timeout: "10m", retries: 0 },
        ...(timeZone === undefined ? {} : { timeZone }),
        run,
      });
    const { scheduler } = await harness([hourly("berlin", "Europe/Berlin"), hourly("utc")]);
    await scheduler.settings.addMaintenance({ start: "02:00", end: "03:00", days: ["monday"] });
    const outcome = async (id: string, at: string) => (await scheduler.explain(id, at)).answer;
    expect(await outcome("berlin", "2026-03-02T01:00:00Z")).toBe("will_skip");
    expect(await outcome("berlin", "2026-03-02T02:00:00Z")).toBe("will_run");
    expect(await outcome("utc", "2026-03-02T01:00:00Z")).toBe("will_run");
    expect(await outcome("utc", "2026-03-02T02:00:00Z")).toBe("will_skip");
    await scheduler.stop();
  });

  test("must be a zone", () => {
    expect(() => of(every("1h"), "Berlin")).toThrow(/pipeline a: timeZone: "Berlin" is not a known time zone/);
    expect(() => pipeline({ id: "a", timezone: "UTC", run } as never)).toThrow(/did you mean "timeZone"/);
  });

  test("is in the file a pipeline's own, or that of the file", () => {
    const text = `time_zone: Europe/Berlin
default_executor: { command: { command: "true" } }
pipelines:
  files: { schedule: { cron: "0 2 * * *" } }
  own: { schedule: { cron: "0 2 * * *" }, time_zone: Asia/Tokyo, conditions: [{ maintenance_window: { start: "00:00", end: "01:00" } }] }
  named: { schedule: { cron: "0 2 * * *", time_zone: UTC }, time_zone: Asia/Tokyo }
  daily: { pattern: production_daily }
`;
    const { pipelines } = loadConfig("schedule.yaml", { text, env: {} }).scheduler;
    expect(Object.fromEntries(pipelines.map((one) => [one.id, next(one)]))).toEqual({
      files: "2026-03-01T01:00:00.000Z",
      own: "2026-03-01T17:00:00.000Z",
      named: "2026-03-01T02:00:00.000Z",
      daily: "2026-03-01T01:00:00.000Z",
    });
  });
});
