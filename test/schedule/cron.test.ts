import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HeadgateError } from "../../src/base/errors.js";
import { cron } from "../../src/schedule/cron.js";
import { upcoming } from "../../src/schedule/schedule.js";
import { sampled } from "../support/sampled.js";
import { cronRule } from "./cron-arbitrary.js";
import { firesOf, type Walk, walk } from "./wall-clock-oracle.js";

/** Stretches with a change of clock in them, the strange ones first; plus two quiet ones. */
const stretches: readonly [string, string][] = [
  ["Australia/Lord_Howe", "2026-10-02"],
  ["Australia/Lord_Howe", "2026-04-03"],
  ["Pacific/Apia", "2011-12-28"],
  ["Europe/Berlin", "2026-03-27"],
  ["Europe/Berlin", "2026-10-23"],
  ["America/New_York", "2026-03-06"],
  ["America/New_York", "2026-10-30"],
  ["America/Sao_Paulo", "2018-11-02"],
  ["America/Sao_Paulo", "2018-02-15"],
  ["Asia/Beirut", "2026-03-27"],
  ["Asia/Kathmandu", "1985-12-30"],
  ["Africa/Casablanca", "2026-02-13"],
  ["Africa/Casablanca", "2026-03-20"],
  ["Antarctica/Troll", "2026-03-27"],
  ["Antarctica/Troll", "2026-10-23"],
  ["Asia/Pyongyang", "2018-05-03"],
  ["America/Caracas", "2016-04-29"],
  ["Asia/Kolkata", "2026-02-26"],
  ["UTC", "2028-02-26"],
];

const walks = new Map<string, Walk>();
function walkOf([zone, day]: readonly [string, string]): Walk {
  const key = `${zone} ${day}`;
  const seen = walks.get(key) ?? walk(zone, Date.parse(`${day}T00:00:00Z`), 6);
  walks.set(key, seen);
  return seen;
}

function firesBetween(text: string, timeZone: string, from: number, to: number): number[] {
  const schedule = cron(text, { timeZone });
  const fires: number[] = [];
  for (let at = schedule.nextAfter(from - 1); at !== null && at < to; at = schedule.nextAfter(at)) fires.push(at);
  return fires;
}

describe("cron against a minute-by-minute walk", () => {
  it("fires at the same instants in weeks where clocks change", () => {
    fc.assert(
      fc.property(cronRule, fc.constantFrom(...stretches), (rule, stretch) => {
        const walked = walkOf(stretch);
        const to = walked.from + walked.walls.length * 60_000;
        let actual: number[];
        try {
          actual = firesBetween(rule.text, walked.zone, walked.from, to);
        } catch (error) {
          expect((error as HeadgateError).message).toContain("never comes");
          actual = [];
        }
        expect(actual, rule.text).toEqual(firesOf(walked, rule));
      }),
      { numRuns: sampled(1_500) },
    );
  });

  it("answers from any instant what it answers by stepping", () => {
    fc.assert(
      fc.property(cronRule, fc.constantFrom(...stretches), fc.integer({ min: 0, max: 6 * 86_400_000 - 1 }), (rule, stretch, offset) => {
        const { zone, from } = walkOf(stretch);
        let schedule: ReturnType<typeof cron>;
        try {
          schedule = cron(rule.text, { timeZone: zone });
        } catch {
          return;
        }
        const at = from + offset;
        const next = schedule.nextAfter(at);
        if (next === null) return;
        expect(next).toBeGreaterThan(at);
        expect(schedule.nextAfter(next - 1)).toBe(next);
        expect(schedule.nextAfter(at + Math.floor((next - at) / 2))).toBe(next);
      }),
      { numRuns: sampled(2_000) },
    );
  });
});

const iso = (text: string, timeZone: string, from: string, count: number) =>
  upcoming(cron(text, { timeZone }), { from, count }).map((date) => date.toISOString().slice(0, 16));

describe("cron by hand", () => {
  it("fires a fixed time in a spring gap once, at the first instant after it", () => {
    expect(iso("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2)).toEqual(["2026-03-29T01:00", "2026-03-30T00:30"]);
    expect(iso("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 1)).toEqual(["2026-10-03T15:30"]);
  });

  it("fires a fixed time in an autumn overlap once, at the first of the two", () => {
    expect(iso("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
  });

  it("follows elapsed time with a star or a step", () => {
    expect(iso("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 3)).toEqual([
      "2026-10-25T00:00",
      "2026-10-25T01:00",
      "2026-10-25T02:00",
    ]);
    expect(iso("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1)).toEqual(["2026-03-30T00:00"]);
  });

  it("survives the day that Apia skipped", () => {
    expect(iso("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 3)).toEqual([
      "2011-12-29T22:00",
      "2011-12-30T10:00",
      "2011-12-30T22:00",
    ]);
  });

  it("finds leap days, last days, nearest weekdays and numbered weekdays", () => {
    expect(iso("0 0 29 2 *", "UTC", "2026-01-01", 2)).toEqual(["2028-02-29T00:00", "2032-02-29T00:00"]);
    expect(iso("0 0 L 2 *", "UTC", "2026-01-01", 3)).toEqual(["2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00"]);
    expect(iso("0 0 1W * *", "UTC", "2026-08-02", 2)).toEqual(["2026-08-03T00:00", "2026-09-01T00:00"]);
    expect(iso("0 0 * * fri#5", "UTC", "2026-01-01", 2)).toEqual(["2026-01-30T00:00", "2026-05-29T00:00"]);
    expect(iso("0 0 * 2 1#5", "UTC", "2026-01-01", 1)).toEqual(["2044-02-29T00:00"]);
  });

  it("steps by seconds with six fields", () => {
    const dates = upcoming(cron("*/20 * * * * *"), { from: "2026-01-01T00:00:05Z", count: 3 });
    expect(dates.map((date) => date.getUTCSeconds())).toEqual([20, 40, 0]);
  });

  it("knows the @ names and both Sundays", () => {
    expect(iso("@weekly", "UTC", "2026-01-01", 1)).toEqual(iso("0 0 * * 7", "UTC", "2026-01-01", 1));
    expect(iso("@Yearly", "UTC", "2026-01-02", 1)).toEqual(["2027-01-01T00:00"]);
  });

  it("treats a starred day field as no restriction and two restricted ones as either", () => {
    expect(iso("0 0 13 * 5", "UTC", "2026-01-30", 3)).toEqual(["2026-02-06T00:00", "2026-02-13T00:00", "2026-02-20T00:00"]);
    expect(iso("0 0 */2 * mon", "UTC", "2026-01-01", 2)).toEqual(["2026-01-05T00:00", "2026-01-19T00:00"]);
  });

  it("answers null past the last year and works before 1970", () => {
    expect(cron("0 0 1 1 *").nextAfter(Date.parse("9999-06-01T00:00:00Z"))).toBeNull();
    expect(iso("0 0 1 1 *", "UTC", "1901-05-01", 1)).toEqual(["1902-01-01T00:00"]);
  });
});

describe("cron refuses", () => {
  const wrong: readonly [string, string | null, string][] = [
    ["", null, "0 fields"],
    ["* * *", null, "3 fields"],
    ["* * * *", null, "4 fields"],
    ["* * * * * * *", null, "7 fields"],
    ["60 * * * *", "minute", "out of range"],
    ["* 24 * * *", "hour", "out of range"],
    ["0 0 0 * *", "dayOfMonth", "out of range"],
    ["0 0 32W * *", "dayOfMonth", "out of range"],
    ["0 0 * 13 *", "month", "out of range"],
    ["0 0 * * 8", "dayOfWeek", "out of range"],
    ["0 0 * * 8L", "dayOfWeek", "out of range"],
    ["0 0 * * 1#6", "dayOfWeek", "1st to 5th"],
    ["1,,2 * * * *", "minute", "empty item"],
    [", * * * *", "minute", "empty item"],
    ["*/0 * * * *", "minute", "step of zero"],
    ["*/61 * * * *", "minute", "longer than the field"],
    ["5-1 * * * *", "minute", "backwards"],
    ["0 0 * * fri-mon", "dayOfWeek", "backwards"],
    ["0 0 * foo *", "month", "unknown name"],
    ["0 0 * * xyzL", "dayOfWeek", "unknown name"],
    ["? * * * *", "minute", "not valid"],
    ["H * * * *", "minute", "not valid"],
    ["*-5 * * * *", "minute", "not valid"],
    ["1.5 * * * *", "minute", "not valid"],
    ["-1 * * * *", "minute", "not valid"],
    ["０ * * * *", "minute", "not valid"],
    ["0 0 30 2 *", "dayOfMonth", "never comes"],
    ["0 0 31 4,6,9,11 *", "dayOfMonth", "never comes"],
    ["@reboot", null, "not a known name"],
    ["@minutely", null, "not a known name"],
  ];
  it.each(wrong)("%j", (text, field, problem) => {
    let thrown: unknown;
    try {
      cron(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(HeadgateError);
    expect(thrown).toMatchObject({ code: "INVALID_CRON" });
    expect((thrown as HeadgateError).message).toContain(problem);
    if (field !== null) expect((thrown as HeadgateError).details.field).toBe(field);
  });

  it("junk of 100 kB and of every kind, with the same typed error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.stringMatching(/^[-*/,0-9LW#a-z ]{0,40}$/)), (junk) => {
        try {
          cron(junk);
        } catch (error) {
          expect(error).toBeInstanceOf(HeadgateError);
          expect(error).toMatchObject({ code: "INVALID_CRON" });
          expect((error as Error).message.length).toBeLessThan(600);
        }
      }),
      { numRuns: sampled(2_000) },
    );
    for (const unit of ["*", "1,", "* ", "1-", "*/", "L"]) expect(() => cron(unit.repeat(100_000 / unit.length))).toThrow(/INVALID|cron/);
    expect(() => cron(undefined as unknown as string)).toThrow(HeadgateError);
    expect(() => cron("* * * * *", { timeZone: "Mars/Olympus" })).toThrow(expect.objectContaining({ code: "INVALID_TIME_ZONE" }));
  });
});
