import { z } from "zod";
import { cronText, duration, instant, name, oneOf, timeWindow, timeZone } from "./primitives.js";

/** A calendar by its name, or windows. */
const calendarUse = z.union([name, timeWindow, z.array(timeWindow).min(1)]);

const forms = {
  cron: cronText.optional(),
  every: duration.optional().describe("An interval, counted in elapsed time from `anchor`"),
  at: z
    .union([instant, z.array(instant).min(1)])
    .optional()
    .describe("Once at each of these instants"),
  time_zone: timeZone.optional().describe("Time zone of `cron`. Default: the pipeline's `time_zone`, else the file's, else UTC"),
  anchor: instant.optional().describe("Start of the series of `every`. Default: 1970-01-01T00:00:00Z"),
  within: calendarUse.optional().describe("Keep only fire times within this calendar (a name) or these windows"),
  except: calendarUse.optional().describe("Drop fire times within this calendar (a name) or these windows"),
};

export interface ScheduleConfig extends z.output<z.ZodObject<typeof forms>> {
  union?: ScheduleConfig[] | undefined;
}

/** When a pipeline runs. */
export const schedule: z.ZodType<ScheduleConfig, ScheduleConfig> = z
  .strictObject({
    ...forms,
    union: z
      .lazy(() => z.array(schedule).min(1))
      .optional()
      .describe("Union of these schedules"),
  })
  .superRefine(oneOf("cron", "every", "at", "union"))
  .superRefine(({ cron, every, time_zone, anchor }, context) => {
    if (time_zone !== undefined && cron === undefined) context.addIssue("time_zone requires cron");
    if (anchor !== undefined && every === undefined) context.addIssue("anchor requires every");
  })
  .meta({ id: "Schedule" });
