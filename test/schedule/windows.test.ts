import fc from "fast-check";
import { DateTime } from "luxon";
import { describe, expect, it } from "vitest";
import { publicHolidays } from "../../src/adapters/calendars/holidays.js";
import {
  businessDays,
  cron,
  every,
  except,
  HeadgateError,
  maintenanceWindow,
  timeWindows,
  union,
  upcoming,
  type Weekday,
  within,
} from "../../src/index.js";
import { sampled } from "../support/sampled.js";

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "Pacific/Apia",
  "America/St_Johns",
  "Africa/Casablanca",
  "America/Santiago",
  "Asia/Tehran",
];
const DAYS: Weekday[] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** The rule in the words of the issue, by luxon's wall clock: independent of the code under test. */
function isInside(at: number, window: { start: string; end: string; days?: readonly Weekday[]; timeZone: string }): boolean {
  const local = DateTime.fromMillis(at, { zone: window.timeZone });
  const clock = local.toFormat("HH:mm:ss.SSS");
  const start = `${window.start}:00.000`;
  const end = `${window.end}:00.000`;
  const starts = (day: DateTime) => (window.days ?? DAYS).includes(DAYS[day.weekday % 7] as Weekday);
  const noonBefore = local.set({ hour: 12 }).minus({ days: 1 });
  if (start < end) return starts(local) && clock >= start && clock < end;
  return (starts(local) && clock >= start) || (starts(noonBefore) && clock < end);
}

const timeOfDay = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 15, 30, 59))
  .map(([hour, minute]) => `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`);
const windowArbitrary = fc.record({
  start: timeOfDay,
  end: timeOfDay,
  days: fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1, maxLength: 7 }),
  timeZone: fc.constantFrom(...ZONES),
});
/** Weeks in which clocks change somewhere, and others. */
const instant = fc.oneof(
  fc.integer({ min: Date.UTC(2026, 2, 25), max: Date.UTC(2026, 3, 8) }),
  fc.integer({ min: Date.UTC(2026, 9, 1), max: Date.UTC(2026, 10, 5) }),
  fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2028, 0, 1) }),
);

describe("time windows", () => {
  it("hold exactly the instants that the rule says", () => {
    fc.assert(
      fc.property(windowArbitrary, instant, (window, at) => {
        // Samoa skipped a day in 2011 only; in these years every local day has a yesterday
        expect(timeWindows([window]).contains(at)).toBe(isInside(at, window));
      }),
      { numRuns: sampled(3_000) },
    );
  });

  it("know when they change next: nothing changes before, and it does change then", () => {
    fc.assert(
      fc.property(fc.array(windowArbitrary, { minLength: 1, maxLength: 3 }), instant, (windows, at) => {
        const calendar = timeWindows(windows);
        const change = calendar.nextChangeAfter(at);
        const before = calendar.contains(at);
        const end = change ?? at + 14 * 86_400_000;
        for (let step = 1; step <= 50; step++)
          expect(calendar.contains(Math.min(end - 1, at + Math.floor(((end - at) * step) / 50)))).toBe(before);
        if (change !== null) expect(calendar.contains(change)).toBe(!before);
      }),
      { numRuns: sampled(500) },
    );
  });

  it("with equal start and end last 24 hours from the days they name", () => {
    const all = timeWindows([{ start: "06:00", end: "06:00", days: ["sunday"] }]);
    expect(all.contains(Date.parse("2026-03-01T05:59:59Z"))).toBe(false);
    expect(all.contains(Date.parse("2026-03-01T06:00:00Z"))).toBe(true);
    expect(all.contains(Date.parse("2026-03-02T05:59:59Z"))).toBe(true);
    expect(all.contains(Date.parse("2026-03-02T06:00:00Z"))).toBe(false);
    expect(timeWindows([{ start: "00:00", end: "00:00" }]).nextChangeAfter(Date.parse("2026-03-02T06:00:00Z"))).toBeNull();
  });

  it("may come once", () => {
    const once = timeWindows([{ from: "2026-03-01T00:00:00Z", until: "2026-03-02T00:00:00Z" }]);
    expect(once.nextChangeAfter(Date.parse("2026-01-01T00:00:00Z"))).toBe(Date.parse("2026-03-01T00:00:00Z"));
    expect(once.nextChangeAfter(Date.parse("2026-03-01T12:00:00Z"))).toBe(Date.parse("2026-03-02T00:00:00Z"));
    expect(once.nextChangeAfter(Date.parse("2026-03-03T00:00:00Z"))).toBeNull();
  });

  it.each([
    [{ start: "25:00", end: "01:00" }, "start"],
    [{ start: "1:00", end: "02:00" }, "start"],
    [{ start: "01:00", end: "2am" }, "end"],
    [{ start: "01:00", end: "02:00", days: ["funday" as Weekday] }, "funday"],
    [{ start: "01:00", end: "02:00", days: [] }, "days"],
    [{ start: "01:00", end: "02:00", timeZone: "Mars/Olympus" }, "Mars"],
    [{ from: "2026-03-02", until: "2026-03-01" }, "not after"],
  ])("refuse %j", (window, named) => {
    expect(() => maintenanceWindow(window)).toThrow(HeadgateError);
    expect(() => maintenanceWindow(window)).toThrow(named);
  });
});

describe("business days", () => {
  const days = businessDays({ timeZone: "America/New_York", holidays: ["2026-12-25"] });

  it("are neither weekends nor holidays, by the local date", () => {
    expect(days.contains(Date.parse("2026-12-24T23:00:00Z"))).toBe(true);
    expect(days.contains(Date.parse("2026-12-25T04:59:59Z"))).toBe(true);
    expect(days.contains(Date.parse("2026-12-25T05:00:00Z"))).toBe(false);
    expect(days.contains(Date.parse("2026-12-26T12:00:00Z"))).toBe(false);
    expect(days.nextChangeAfter(Date.parse("2026-12-25T12:00:00Z"))).toBe(Date.parse("2026-12-28T05:00:00Z"));
  });

  it("agree with a walk day by day", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        instant,
        fc.uniqueArray(fc.integer({ min: 0, max: 20 }), { maxLength: 5 }),
        (timeZone, at, offsets) => {
          const first = DateTime.fromMillis(at, { zone: timeZone });
          const holidays = offsets.map((days) => first.plus({ days }).toISODate() as string);
          const calendar = businessDays({ timeZone, holidays });
          const isWorked = (day: DateTime) => day.weekday <= 5 && !holidays.includes(day.toISODate() as string);
          expect(calendar.contains(at)).toBe(isWorked(first));
          let day = first.startOf("day");
          while (isWorked(day) === isWorked(first)) day = day.plus({ days: 1 }).startOf("day");
          expect(calendar.nextChangeAfter(at)).toBe(day.toMillis());
        },
      ),
      { numRuns: sampled(500) },
    );
  });

  it("take public holidays by country from date-holidays", () => {
    const germany = businessDays({ timeZone: "Europe/Berlin", holidays: publicHolidays({ country: "DE", state: "BY" }) });
    const noon = (date: string) => germany.contains(Date.parse(`${date}T12:00:00Z`));
    expect([noon("2026-01-06"), noon("2026-10-02"), noon("2026-12-25"), noon("2026-12-23")]).toEqual([false, true, false, true]);
    expect(() => publicHolidays({ country: "XX" })).toThrow(/ISO 3166/);
  });

  it("refuse dates that are none", () => {
    expect(() => businessDays({ holidays: ["25.12.2026"] })).toThrow(/YYYY-MM-DD/);
    expect(() => businessDays({ weekend: ["friyay" as Weekday] })).toThrow(HeadgateError);
  });
});

describe("combinators", () => {
  const hourly = cron("0 * * * *");
  const night = timeWindows([{ start: "22:00", end: "06:00", timeZone: "Europe/Berlin" }]);

  it("are what filtering and merging the fire times gives", () => {
    const from = "2026-03-27T00:00:00Z";
    const until = "2026-03-31T00:00:00Z";
    const all = upcoming(hourly, { from, until });
    expect(upcoming(except(hourly, night), { from, until })).toEqual(all.filter((fire) => !night.contains(fire.getTime())));
    expect(upcoming(within(hourly, night), { from, until })).toEqual(all.filter((fire) => night.contains(fire.getTime())));
    const quarter = every("15m", { anchor: "2026-01-01T00:05:00Z" });
    const merged = [...new Set([...all, ...upcoming(quarter, { from, until })].map((fire) => fire.getTime()))].toSorted((a, b) => a - b);
    expect(upcoming(union(hourly, quarter), { from, until }).map((fire) => fire.getTime())).toEqual(merged);
  });

  it("that leave nothing say so in finite time", () => {
    const never = within(cron("0 12 * * *"), { start: "13:00", end: "14:00" });
    expect(never.nextAfter(Date.parse("2026-01-01T00:00:00Z"))).toBeNull();
    expect(except(hourly, { start: "00:00", end: "00:00" }).nextAfter(0)).toBeNull();
  });

  it("describe themselves in words", () => {
    expect(within(except(hourly, { start: "01:00", end: "02:00", days: ["sunday"] }), businessDays()).describe()).toBe(
      `${hourly.describe()}, except 01:00–02:00 sunday (UTC), within business days (UTC)`,
    );
  });
});
