import { z } from "zod";
import { durationMs } from "../../base/duration.js";
import { HeadgateError } from "../../base/errors.js";
import { epochMs } from "../../base/instant.js";
import { cron } from "../../schedule/cron.js";
import { zoneOf } from "../../schedule/zone.js";

/** Says what a check that throws says. */
function checkedBy<T>(check: (value: T) => unknown) {
  return (value: T, context: { issues: unknown[]; addIssue(issue: string): void }) => {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof HeadgateError)) throw error;
      context.addIssue(error.message);
    }
  };
}

export const duration = z
  .union([z.string(), z.number()])
  .superRefine(checkedBy((value: string | number) => durationMs(value, "duration")))
  .meta({ id: "Duration", description: 'A duration: `"15m"`, `"2h30m"`, ISO 8601 (`"PT15M"`), or ms as a number' });

export const cronText = z
  .string()
  .superRefine(checkedBy((value: string) => cron(value)))
  .meta({ description: "Five fields, or six with seconds: see docs/schedules.md" });

export const timeZone = z
  .string()
  .superRefine(checkedBy((value: string) => zoneOf(value)))
  .meta({ description: "An IANA zone, such as `Europe/Berlin`" });

export const instant = z
  .string()
  .superRefine(checkedBy((value: string) => epochMs(value, "instant")))
  .meta({ description: "ISO 8601, such as `2026-12-31T23:00:00Z`" });

export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit",
  );

export const names = z.union([name, z.array(name).min(1)]).transform((value) => (typeof value === "string" ? [value] : value));

/** A secret: itself, `${VARIABLE}`, or `file:` and the path of a file that holds it. */
export const secret = z.string().min(1).meta({ description: "A secret; best a variable, or `file:` and a path" });

export const text = z.string().min(1).max(1_000);
export const texts = z.record(z.string(), z.string());
export const whole = z.int().min(1);
export const share = z.number().min(0).max(1);
const weekday = z.enum(["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]);
export const onBlock = z.enum(["skip", "hold"]);
export const onError = z.enum(["pass", "block"]);
export const privateNetworks = z.union([z.boolean(), z.array(z.string()).min(1)]).meta({
  description: "Access to addresses of this machine and of private networks: all (`true`), some networks (`10.0.0.0/8`) or none (`false`)",
});

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as "02:00", in quotes');

/** A window that recurs, or comes once. */
export const timeWindow = z
  .strictObject({
    start: clockTime.optional().describe('Start, as a time of day: `"22:00"`'),
    end: clockTime.optional().describe("End, exclusive; an end before `start` is on the next day"),
    days: z.array(weekday).min(1).optional().describe("The days on which it starts. Default every day"),
    time_zone: timeZone.optional(),
    from: instant.optional().describe("For a single window: its start"),
    until: instant.optional().describe("For a single window: its end, exclusive"),
    description: text.optional(),
  })
  .superRefine(({ start, end, from, until, days, time_zone }, context) => {
    const [recurs, once] = [start !== undefined && end !== undefined, from !== undefined && until !== undefined];
    const isClean = recurs
      ? from === undefined && until === undefined
      : start === undefined && end === undefined && days === undefined && time_zone === undefined;
    if (recurs === once || !isClean) context.addIssue("set start and end (and days, time_zone), or from and until");
  })
  .meta({ id: "TimeWindow" });

const holidays = z
  .union([
    z.array(z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a date such as "2026-12-25"')),
    z.strictObject({
      country: z.string().describe("ISO 3166-1, such as `DE`; needs the package date-holidays"),
      state: z.string().optional(),
      region: z.string().optional(),
      types: z
        .array(z.enum(["public", "bank", "school", "optional", "observance"]))
        .min(1)
        .optional(),
    }),
  ])
  .describe("Dates without work, or the public holidays of a place");

export const businessDays = z
  .strictObject({
    time_zone: timeZone.optional(),
    weekend: z.array(weekday).optional().describe("Default saturday and sunday"),
    holidays: holidays.optional(),
  })
  .meta({ id: "BusinessDays" });

/** One of several forms, each a key of its own: so that an error can say exactly what is wrong with the one that was meant. */
export function oneOf(...allowed: readonly string[]) {
  return (value: object, context: { addIssue(issue: string): void }) => {
    const given = allowed.filter((key) => (value as Record<string, unknown>)[key] !== undefined);
    if (given.length !== 1)
      context.addIssue(`must have exactly one of ${allowed.join(", ")}${given.length === 0 ? "" : `, not ${given.join(" and ")}`}`);
  };
}

export type TimeWindowConfig = z.output<typeof timeWindow>;
export type BusinessDaysConfig = z.output<typeof businessDays>;
