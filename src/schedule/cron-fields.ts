import { CronExpressionParser } from "cron-parser";
import { HeadgateError, quote } from "../base/errors.js";

/** The six fields of a cron expression, in their order. */
export type CronFieldName = "second" | "minute" | "hour" | "dayOfMonth" | "month" | "dayOfWeek";

/** One field, parsed: plain values as a bit set, the day rules that depend on the month beside it. */
export interface CronField {
  /** Bit n is set when value n matches; seconds and minutes use `high` for 32–59. */
  readonly low: number;
  readonly high: number;
  /** The field has a `*` or `?`: it does not restrict (Vixie cron's star flag). */
  readonly hasStar: boolean;
  /** The field has a step (`/n`). */
  readonly hasStep: boolean;
  /** Day-of-month and day-of-week rules that need the month: see {@link DayRule}. */
  readonly rules: readonly DayRule[];
}

/** `L`, `LW`, `15W`, `5L`, `1#2`. */
export type DayRule =
  | { readonly kind: "lastDay" }
  | { readonly kind: "lastWeekday" }
  | { readonly kind: "nearestWeekday"; readonly day: number }
  | { readonly kind: "lastOfWeekday"; readonly weekday: number }
  | { readonly kind: "nthOfWeekday"; readonly weekday: number; readonly nth: number };

interface FieldShape {
  readonly label: string;
  readonly index: number;
  readonly min: number;
  readonly max: number;
  readonly allowed: string;
}

export const FIELD_SHAPES: Readonly<Record<CronFieldName, FieldShape>> = {
  second: { label: "second", index: 0, min: 0, max: 59, allowed: "0–59" },
  minute: { label: "minute", index: 1, min: 0, max: 59, allowed: "0–59" },
  hour: { label: "hour", index: 2, min: 0, max: 23, allowed: "0–23" },
  dayOfMonth: { label: "day of month", index: 3, min: 1, max: 31, allowed: "1–31, L, LW, 1W–31W" },
  month: { label: "month", index: 4, min: 1, max: 12, allowed: "1–12 or jan–dec" },
  dayOfWeek: { label: "day of week", index: 5, min: 0, max: 7, allowed: "0–7 or sun–sat (0 and 7 are Sunday), 5L, 1#2" },
};

const SYNTAX = "with lists (1,2), ranges (1-5) and steps (*/5, 1-9/2)";
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const PLAIN = /^(\*|\?|[a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?(?:\/(\d{1,4}))?$/;
const MAX_FIELD_CHARS = 400;

const parsed = new Map<string, CronField>();
const MAX_PARSED = 5_000;

export function invalidCron(expression: string, problem: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
  return new HeadgateError("INVALID_CRON", `cron ${quote(expression)}: ${problem}`, {
    details: { expression: expression.slice(0, 200), ...details },
    cause,
  });
}

/** Parses one field's text; the same text is parsed once. */
export function parseField(expression: string, name: CronFieldName, text: string): CronField {
  const cacheKey = `${name} ${text}`;
  const seen = parsed.get(cacheKey);
  if (seen !== undefined) return seen;
  const shape = FIELD_SHAPES[name];
  if (text.length > MAX_FIELD_CHARS) throw badItem(expression, name, text, `is longer than ${MAX_FIELD_CHARS} characters`);
  let low = 0;
  let high = 0;
  let hasStar = false;
  let hasStep = false;
  const rules: DayRule[] = [];
  for (const item of text.toLowerCase().split(",")) {
    if (item === "") throw badItem(expression, name, text, "has an empty item in its list");
    const rule = dayRule(expression, name, item);
    if (rule !== null) {
      rules.push(rule);
      continue;
    }
    const match = PLAIN.exec(item);
    if (match === null) throw badItem(expression, name, item, "is not valid");
    const [, first, , step] = match;
    if ((first === "*" || first === "?") && (match[2] !== undefined || (first === "?" && !name.startsWith("day")))) {
      throw badItem(expression, name, item, "is not valid");
    }
    if (first === "*" || first === "?") hasStar = true;
    if (step !== undefined) {
      hasStep = true;
      const size = shape.max - shape.min + 1;
      if (Number(step) === 0) throw badItem(expression, name, item, "has a step of zero");
      if (Number(step) > size) throw badItem(expression, name, item, `has a step longer than the field (${size})`);
    }
    for (const value of valuesOf(expression, name, item.replace("?", "*"))) {
      const bit = name === "dayOfWeek" ? value % 7 : value;
      if (bit < 32) low |= 1 << bit;
      else high |= 1 << (bit - 32);
    }
  }
  const field: CronField = { low, high, hasStar, hasStep, rules };
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(cacheKey, field);
  return field;
}

/** The values of one plain item, by cron-parser, which knows the names and checks the ranges. */
function valuesOf(expression: string, name: CronFieldName, item: string): number[] {
  const fields = ["*", "*", "*", "*", "*", "*"];
  fields[FIELD_SHAPES[name].index] = item;
  try {
    const values: readonly (number | string)[] = CronExpressionParser.parse(fields.join(" "), { tz: "UTC" }).fields[name].values;
    return values.map(Number);
  } catch (cause) {
    throw badItem(expression, name, item, reasonOf(item, cause), cause);
  }
}

function reasonOf(item: string, cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/min\(.*max\(/.test(text)) return "is a range that runs backwards";
  if (/alias/.test(text)) return "has an unknown name";
  return /\d/.test(item) ? "is out of range" : "is not valid";
}

function dayRule(expression: string, name: CronFieldName, item: string): DayRule | null {
  if (name === "dayOfMonth") {
    if (item === "l") return { kind: "lastDay" };
    if (item === "lw" || item === "wl") return { kind: "lastWeekday" };
    const nearest = /^(\d{1,2})w$/.exec(item);
    if (nearest === null) return null;
    const day = Number(nearest[1]);
    if (day < 1 || day > 31) throw badItem(expression, name, item, "is out of range");
    return { kind: "nearestWeekday", day };
  }
  if (name !== "dayOfWeek") return null;
  const special = /^([a-z]{3}|\d)(l|#(\d+))$/.exec(item);
  if (special === null) return null;
  const [, dayText = "", suffix, nthText] = special;
  const named = WEEKDAYS.indexOf(dayText);
  const weekday = named === -1 ? Number(dayText) : named;
  if (Number.isNaN(weekday)) throw badItem(expression, name, item, "has an unknown name");
  if (weekday > 7) throw badItem(expression, name, item, "is out of range");
  if (suffix === "l") return { kind: "lastOfWeekday", weekday: weekday % 7 };
  const nth = Number(nthText);
  if (nth < 1 || nth > 5) throw badItem(expression, name, item, "has an occurrence other than the 1st to 5th");
  return { kind: "nthOfWeekday", weekday: weekday % 7, nth };
}

function badItem(expression: string, name: CronFieldName, text: string, problem: string, cause?: unknown): HeadgateError {
  const { label, allowed } = FIELD_SHAPES[name];
  return invalidCron(
    expression,
    `${label} ${quote(text)} ${problem}; allowed: ${allowed}, ${SYNTAX}`,
    { field: name, text: text.slice(0, 100), allowed },
    cause,
  );
}
