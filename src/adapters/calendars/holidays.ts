import { HeadgateError, quote } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { HolidayRule } from "../../schedule/business-days.js";
import { loadPeer } from "../shared/load-peer.js";

/** Holidays that count as such; see the package `date-holidays` for the codes. */
export interface PublicHolidayOptions {
  /** ISO 3166-1 country code, such as `"DE"`. */
  country: string;
  /** State or province, such as `"BY"`. Default: holidays of the whole country. */
  state?: string;
  /** Part of the state, as `date-holidays` names it. Default: holidays of the whole state. */
  region?: string;
  /** Kinds of holidays without work. Default `["public"]`. */
  types?: readonly ("public" | "bank" | "school" | "optional" | "observance")[];
}

/** The part of `date-holidays` that is used. */
interface HolidayLibrary {
  getHolidays(year: number): readonly { date: string; start: Date; end: Date; type: string }[] | null;
}

/**
 * Public holidays by country, for `businessDays` and `businessDay`. Needs the optional peer `date-holidays`.
 *
 * @throws HeadgateError `MISSING_PEER` without the package, `INVALID_ARGUMENT` for an unknown country, state or region
 * @example
 * businessDays({ timeZone: "Europe/Berlin", holidays: publicHolidays({ country: "DE", state: "BY" }) });
 */
export function publicHolidays(options: PublicHolidayOptions): HolidayRule {
  checkOptions(options, { country: true, state: true, region: true, types: true }, "publicHolidays");
  const place = [options.country, options.state, options.region].filter((part) => part !== undefined);
  const library = open(place);
  const types: readonly string[] = options.types ?? ["public"];
  const years = new Map<number, ReadonlySet<string>>();
  const datesOf = (year: number) => {
    let dates = years.get(year);
    if (dates === undefined) {
      dates = new Set((library.getHolidays(year) ?? []).filter(({ type }) => types.includes(type)).flatMap(daysOf));
      years.set(year, dates);
    }
    return dates;
  };
  return { key: `holidays(${place.join("-")},${types.join("+")})`, isHoliday: (date) => datesOf(Number(date.slice(0, 4))).has(date) };
}

/** A holiday's local dates; `date` is its first, in the country's own time, and it may last several days. */
function daysOf({ date, start, end }: { date: string; start: Date; end: Date }): string[] {
  const first = Date.parse(`${date.slice(0, 10)}T00:00:00Z`);
  const days = Math.max(1, Math.round((end.getTime() - start.getTime()) / 86_400_000));
  return Array.from({ length: days }, (_, index) => new Date(first + index * 86_400_000).toISOString().slice(0, 10));
}

function open(place: readonly string[]): HolidayLibrary {
  type Constructor = { new (...place: string[]): HolidayLibrary; new (): { getCountries(): Record<string, string> } };
  const loaded = loadPeer<Constructor | { default: Constructor }>("date-holidays", "publicHolidays needs");
  const Holidays = "default" in loaded ? loaded.default : loaded;
  const library = new Holidays(...place);
  if (library.getHolidays(2024)?.length) return library;
  throw new HeadgateError(
    "INVALID_ARGUMENT",
    `publicHolidays: ${quote(place.join("-"))} is not a place that date-holidays knows; use an ISO 3166 code such as "DE" or "US" and "CA"`,
  );
}
