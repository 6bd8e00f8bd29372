import { civilFromDays, daysFromCivil } from "./civil.js";
import type { MonthDays } from "./cron-days.js";
import type { CronField } from "./cron-fields.js";

/** The first matching local wall-clock second strictly after a local ms, on a clock that never changes; Infinity if none. */
export type NextLocal = (localMs: number) => number;

const DAY_SECONDS = 86_400;
const LAST_YEAR = 9999;
const NONE = 255;

/** Compiles the time-of-day fields into tables: entry n holds the first matching value at or after n. */
export function compileNextLocal(
  fields: { second: CronField; minute: CronField; hour: CronField; month: CronField },
  monthDays: MonthDays,
): NextLocal {
  const seconds = nextTable(fields.second, 60);
  const minutes = nextTable(fields.minute, 60);
  const hours = nextTable(fields.hour, 24);
  const firstSecond = seconds[0] as number;
  const firstMinute = minutes[0] as number;
  const first = (hours[0] as number) * 3_600 + firstMinute * 60 + firstSecond;
  const months = fields.month.low;

  /** First matching second of the day at or after `tod`; -1 when the day has no more. */
  function nextTimeOfDay(tod: number): number {
    const hour = (tod / 3_600) | 0;
    const inHour = tod - hour * 3_600;
    if (hours[hour] === hour) {
      const minute = (inHour / 60) | 0;
      if (minutes[minute] === minute) {
        const second = seconds[inHour - minute * 60] as number;
        if (second !== NONE) return hour * 3_600 + minute * 60 + second;
      }
      const nextMinute = minutes[minute + 1] as number;
      if (nextMinute !== NONE) return hour * 3_600 + nextMinute * 60 + firstSecond;
    }
    const nextHour = hours[hour + 1] as number;
    return nextHour === NONE ? -1 : nextHour * 3_600 + firstMinute * 60 + firstSecond;
  }

  return (localMs) => {
    const from = Math.floor(localMs / 1_000) + 1;
    const today = Math.floor(from / DAY_SECONDS);
    const civil = civilFromDays(today);
    let year = Math.floor(civil / 512);
    let month = (civil >> 5) & 15;
    const day = civil & 31;
    if ((months >> month) & 1) {
      const days = monthDays(year, month);
      if ((days >>> day) & 1) {
        const time = nextTimeOfDay(from - today * DAY_SECONDS);
        if (time >= 0) return (today * DAY_SECONDS + time) * 1_000;
      }
      const later = day === 31 ? 0 : days & (-2 << day);
      if (later !== 0) return ((today + lowestBit(later) - day) * DAY_SECONDS + first) * 1_000;
    }
    for (;;) {
      if (++month > 12) {
        month = 1;
        if (++year > LAST_YEAR) return Number.POSITIVE_INFINITY;
      }
      if (((months >> month) & 1) === 0) continue;
      const days = monthDays(year, month);
      if (days !== 0) return (daysFromCivil(year, month, lowestBit(days)) * DAY_SECONDS + first) * 1_000;
    }
  };
}

function nextTable(field: CronField, size: number): Uint8Array {
  const table = new Uint8Array(size + 1).fill(NONE);
  let next = NONE;
  for (let value = size - 1; value >= 0; value--) {
    if (((value < 32 ? field.low >>> value : field.high >>> (value - 32)) & 1) === 1) next = value;
    table[value] = next;
  }
  return table;
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
