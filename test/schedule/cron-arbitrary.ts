import fc from "fast-check";
import type { CronRule } from "./wall-clock-oracle.js";

interface FieldSample {
  readonly text: string;
  readonly values: ReadonlySet<number>;
  readonly star: boolean;
  readonly step: boolean;
}

const range = (from: number, to: number, step = 1) => {
  const values: number[] = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
};

function field(min: number, max: number, star: number): fc.Arbitrary<FieldSample> {
  const value = fc.integer({ min, max });
  const sample = (text: string, values: number[], isStar: boolean, step: boolean): FieldSample => ({
    text,
    values: new Set(values),
    star: isStar,
    step,
  });
  const span = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  return fc.oneof(
    { weight: star, arbitrary: fc.constant(sample("*", range(min, max), true, false)) },
    { weight: 4, arbitrary: value.map((v) => sample(`${v}`, [v], false, false)) },
    { weight: 2, arbitrary: fc.uniqueArray(value, { minLength: 2, maxLength: 4 }).map((vs) => sample(vs.join(","), vs, false, false)) },
    { weight: 2, arbitrary: span.map(([a, b]) => sample(`${a}-${b}`, range(a, b), false, false)) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 2, max: Math.min(20, max) }).map((n) => sample(`*/${n}`, range(min, max, n), true, true)),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(span, fc.integer({ min: 1, max: 7 })).map(([[a, b], n]) => sample(`${a}-${b}/${n}`, range(a, b, n), false, true)),
    },
  );
}

const DAY = 86_400_000;
const dayOf = (wall: number) => new Date(wall).getUTCDate();
const lengthOf = (wall: number) => new Date(Date.UTC(new Date(wall).getUTCFullYear(), new Date(wall).getUTCMonth() + 1, 0)).getUTCDate();

/** Day rules by their definition in words, asked of a wall-clock instant. */
const dayRules: readonly { text: string; dow: boolean; test: (wall: number) => boolean }[] = [
  { text: "L", dow: false, test: (w) => dayOf(w) === lengthOf(w) },
  {
    text: "LW",
    dow: false,
    test: (w) => {
      let last = w + (lengthOf(w) - dayOf(w)) * DAY;
      while ([0, 6].includes(new Date(last).getUTCDay())) last -= DAY;
      return dayOf(last) === dayOf(w);
    },
  },
  ...[1, 15, 30].map((day) => ({
    text: `${day}W`,
    dow: false,
    test: (w: number) => {
      if (day > lengthOf(w)) return false;
      const target = w + (day - dayOf(w)) * DAY;
      for (const shift of [0, -1, 1, -2, 2]) {
        const candidate = target + shift * DAY;
        const sameMonth = new Date(candidate).getUTCMonth() === new Date(w).getUTCMonth();
        if (sameMonth && ![0, 6].includes(new Date(candidate).getUTCDay())) return dayOf(candidate) === dayOf(w);
      }
      return false;
    },
  })),
  ...[0, 5].map((d) => ({ text: `${d}L`, dow: true, test: (w: number) => new Date(w).getUTCDay() === d && dayOf(w) + 7 > lengthOf(w) })),
  ...[1, 2, 5].map((n) => ({
    text: `3#${n}`,
    dow: true,
    test: (w: number) => new Date(w).getUTCDay() === 3 && Math.ceil(dayOf(w) / 7) === n,
  })),
];

/** Random expressions with a predicate that was built beside the text, not parsed from it. */
export const cronRule: fc.Arbitrary<CronRule> = fc
  .record({
    minute: field(0, 59, 2),
    hour: field(0, 23, 4),
    dom: field(1, 31, 12),
    month: field(1, 12, 16),
    dow: field(0, 6, 12),
    rule: fc.option(fc.constantFrom(...dayRules), { freq: 4 }),
  })
  .map(({ minute, hour, dom, month, dow, rule }) => {
    const onRule = (asDow: boolean) => rule !== null && rule.dow === asDow;
    const domText = onRule(false) ? (rule?.text as string) : dom.text;
    const dowText = onRule(true) ? (rule?.text as string) : dow.text;
    const domStar = !onRule(false) && dom.star;
    const dowStar = !onRule(true) && dow.star;
    return {
      text: `${minute.text} ${hour.text} ${domText} ${month.text} ${dowText}`,
      isElapsed: minute.star || minute.step || hour.star || hour.step,
      matches: (wall: number) => {
        const date = new Date(wall);
        if (!minute.values.has(date.getUTCMinutes()) || !hour.values.has(date.getUTCHours())) return false;
        if (!month.values.has(date.getUTCMonth() + 1)) return false;
        const byDom = onRule(false) ? (rule?.test(wall) as boolean) : dom.values.has(date.getUTCDate());
        const byDow = onRule(true) ? (rule?.test(wall) as boolean) : dow.values.has(date.getUTCDay());
        return domStar || dowStar ? byDom && byDow : byDom || byDow;
      },
    };
  });
