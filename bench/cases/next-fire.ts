/** The next fire time: ours beside croner's and cron-parser's, walking forward through years. */
import { CronExpressionParser } from "cron-parser";
import { Cron } from "croner";
import { cron } from "headgate";
import { perCallUs, row } from "../support.js";

const FROM = Date.parse("2026-01-01T00:00:00Z");
const EXPRESSIONS: readonly [string, string][] = [
  ["* * * * *", "UTC"],
  ["*/5 * * * *", "Europe/Berlin"],
  ["0 2 * * *", "UTC"],
  ["30 2 * * *", "America/New_York"],
  ["0 9-17 * * 1-5", "Europe/Berlin"],
  ["0 0 1 * *", "America/New_York"],
  ["0 12 L * *", "Europe/Berlin"],
  ["0 8 * * 1#2", "Australia/Lord_Howe"],
  ["*/10 * * * * *", "Asia/Kolkata"],
  ["0 0 29 2 *", "America/New_York"],
];

console.log("next fire, µs a step (median of 7 rounds)");
for (const [expression, timeZone] of EXPRESSIONS) {
  const ours = cron(expression, { timeZone });
  const isRare = expression === "0 0 29 2 *";
  const walk = (next: (at: number) => number | null) => (calls: number) => {
    let at = FROM;
    for (let n = 0; n < calls; n++) at = next(at) ?? FROM;
    if (at < FROM) throw new Error("went backwards");
  };
  const headgate = perCallUs(
    20_000,
    7,
    walk((at) => (at > FROM + 1e12 ? FROM : ours.nextAfter(at))),
  );
  const peer = new Cron(expression, { timezone: timeZone, paused: true });
  const croner = perCallUs(
    isRare ? 5 : 200,
    7,
    walk((at) => peer.nextRun(new Date(at))?.getTime() ?? null),
  );
  const parse = (at: number) => CronExpressionParser.parse(expression, { tz: timeZone, currentDate: new Date(at) });
  let parserUs: number | null = null;
  try {
    const calls = isRare ? 3 : 100;
    parserUs = perCallUs(calls, 7, (count) => {
      const iterator = parse(FROM);
      for (let n = 0; n < count; n++) iterator.next();
    });
  } catch {
    parserUs = null; // "loop limit exceeded": it gives no answer for this expression and zone
  }
  const ratios = `croner ${croner.toFixed(1)} (${Math.round(croner / headgate)} ×), cron-parser ${parserUs === null ? "fails" : `${parserUs.toFixed(1)} (${Math.round(parserUs / headgate)} ×)`}`;
  row(`${expression} ${timeZone}`, `${headgate.toFixed(2)} µs`, ratios);
}
