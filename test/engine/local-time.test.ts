import { describe, expect, it } from "vitest";
import { clockChangeNear, withLocalTimes } from "../../src/engine/reading/local-time.js";

const BERLIN = "Europe/Berlin";

describe("the times of a text", () => {
  it("have the time of the pipeline's zone beside them, with the zone's name once", () => {
    const text = "from 2026-03-02T01:00:00Z to 2026-03-02T23:30:15Z";
    expect(withLocalTimes(text, "UTC")).toBe(text);
    expect(withLocalTimes(text, BERLIN)).toBe(
      "from 2026-03-02T01:00:00Z (02:00 Europe/Berlin) to 2026-03-02T23:30:15Z (2026-03-03 00:30:15)",
    );
    expect(withLocalTimes("at 2026-07-01T12:00:00.250Z (why)", "America/New_York")).toBe(
      "at 2026-07-01T12:00:00.250Z (08:00:00.250 America/New_York) (why)",
    );
    const twice = withLocalTimes(withLocalTimes(text, BERLIN), BERLIN);
    expect(twice).toBe(withLocalTimes(text, BERLIN));
  });

  it("near a change of the clocks say what the wall clock did", () => {
    expect(clockChangeNear(Date.parse("2026-03-29T00:30:00Z"), BERLIN)).toBe(
      "in Europe/Berlin the clocks were moved from 02:00 to 03:00 at 2026-03-29T01:00:00Z: the 60 minutes in between did not exist that day, and a daily fire time within them fires at 03:00",
    );
    expect(clockChangeNear(Date.parse("2026-10-25T01:30:00Z"), BERLIN)).toBe(
      "in Europe/Berlin the clocks were moved from 03:00 to 02:00 at 2026-10-25T01:00:00Z: the 60 minutes before 03:00 occurred twice that day, and a daily fire time within them fires on the first pass only",
    );
    expect(clockChangeNear(Date.parse("2026-04-04T15:10:00Z"), "Australia/Lord_Howe")).toContain("the 30 minutes before 02:00");
    for (const [time, isNear] of [
      ["2026-03-28T23:59:59Z", false],
      ["2026-03-29T00:00:00Z", true],
      ["2026-03-29T01:59:59Z", true],
      ["2026-03-29T02:00:00Z", false],
    ] as const)
      expect(clockChangeNear(Date.parse(time), BERLIN) !== null, time).toBe(isNear);
    expect(clockChangeNear(Date.parse("2026-03-29T01:30:00Z"), "UTC")).toBeNull();
    for (let day = 0; day < 800; day++) expect(clockChangeNear(day * 86_400_000, "Asia/Kolkata")).toBeNull();
  });
});
