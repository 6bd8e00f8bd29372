import { publicHolidays } from "../../adapters/calendars/holidays.js";
import { type BusinessDayOptions, businessDays } from "../../schedule/business-days.js";
import type { Calendar } from "../../schedule/calendar.js";
import { except, union, within } from "../../schedule/combine.js";
import { cron } from "../../schedule/cron.js";
import type { Schedule } from "../../schedule/schedule.js";
import { at, every, manual } from "../../schedule/simple.js";
import { type TimeWindow, timeWindows } from "../../schedule/window.js";
import type { Path } from "../diagnostic.js";
import type { CalendarConfig } from "../schema/pipelines.js";
import type { BusinessDaysConfig, TimeWindowConfig } from "../schema/primitives.js";
import type { ScheduleConfig } from "../schema/schedules.js";
import { type BuildContext, camel } from "./context.js";

export function scheduleOf(context: BuildContext, path: Path, config: ScheduleConfig | "manual"): Schedule | undefined {
  if (config === "manual") return manual();
  const base = context.make(path, () => baseOf(context, path, config));
  if (base === undefined) return undefined;
  const inside = config.within === undefined ? undefined : calendarUse(context, [...path, "within"], config.within);
  const outside = config.except === undefined ? undefined : calendarUse(context, [...path, "except"], config.except);
  const kept = inside === undefined ? base : within(base, inside);
  return outside === undefined ? kept : except(kept, outside);
}

function baseOf(context: BuildContext, path: Path, config: ScheduleConfig): Schedule | undefined {
  if (config.cron !== undefined) return cron(config.cron, config.time_zone === undefined ? {} : { timeZone: config.time_zone });
  if (config.every !== undefined) return every(config.every, config.anchor === undefined ? {} : { anchor: config.anchor });
  if (config.at !== undefined) return at(...(typeof config.at === "string" ? [config.at] : config.at));
  const parts = (config.union ?? []).map((one, index) => scheduleOf(context, [...path, "union", index], one));
  return parts.includes(undefined) ? undefined : union(...(parts as Schedule[]));
}

function calendarUse(
  context: BuildContext,
  path: Path,
  use: string | TimeWindowConfig | readonly TimeWindowConfig[],
): Calendar | undefined {
  if (typeof use !== "string") return context.make(path, () => timeWindows(windowsOf("length" in use ? use : [use])));
  if (!context.checkName(path, "calendar", use, context.names("calendars"))) return undefined;
  const config = context.config.calendars?.[use];
  return config === undefined ? undefined : calendarOf(context, ["calendars", use], config);
}

function calendarOf(context: BuildContext, path: Path, { windows, business_days }: CalendarConfig): Calendar | undefined {
  return context.make(path, () =>
    windows === undefined ? businessDays(businessDaysOf(business_days ?? {})) : timeWindows(windowsOf(windows)),
  );
}

export function businessDaysOf({ holidays, ...rest }: BusinessDaysConfig): BusinessDayOptions {
  const rule = holidays === undefined || "length" in holidays ? holidays : publicHolidays(camel(holidays));
  return { ...camel(rest), ...(rule === undefined ? {} : { holidays: rule }) };
}

export function windowsOf(windows: readonly TimeWindowConfig[]): readonly TimeWindow[] {
  return windows.map((one) => camel(one) as TimeWindow);
}
