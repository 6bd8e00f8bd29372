/** The next fire time beside croner's and cron-parser's, walking forward through years. */
import { CronExpressionParser } from "cron-parser";
import { Cron } from "croner";
import { cron } from "headgate";
import type { MakeCase, Participant } from "../model.js";

const FROM = Date.parse("2026-01-01T00:00:00Z");
const YEARS_MS = 1e12;
/** Fire times are years apart: the others look for them day by day. */
const RARE = "0 0 29 2 *";
const EXPRESSIONS: readonly (readonly [expression: string, timeZone: string])[] = [
  ["* * * * *", "UTC"],
  ["*/5 * * * *", "Europe/Berlin"],
  ["0 2 * * *", "UTC"],
  ["30 2 * * *", "America/New_York"],
  ["0 9-17 * * 1-5", "Europe/Berlin"],
  ["0 0 1 * *", "America/New_York"],
  ["0 12 L * *", "Europe/Berlin"],
  ["0 8 * * 1#2", "Australia/Lord_Howe"],
  ["*/10 * * * * *", "Asia/Kolkata"],
  [RARE, "America/New_York"],
];

/** Begins a walk; each call is one step of it. */
type Walk = () => () => number;

function walkHeadgate(expression: string, timeZone: string): Walk {
  const schedule = cron(expression, { timeZone });
  return () => {
    let at = FROM;
    return () => {
      at = (at > FROM + YEARS_MS ? null : schedule.nextAfter(at)) ?? FROM;
      return at;
    };
  };
}

function walkCroner(expression: string, timezone: string): Walk {
  const job = new Cron(expression, { timezone, paused: true });
  return () => {
    let at = FROM;
    return () => {
      at = job.nextRun(new Date(at))?.getTime() ?? FROM;
      return at;
    };
  };
}

function walkCronParser(expression: string, tz: string): Walk {
  return () => {
    const iterator = CronExpressionParser.parse(expression, { tz, currentDate: new Date(FROM) });
    return () => iterator.next().getTime();
  };
}

function microsecondsPerStep(walk: Walk, steps: number): number {
  const step = walk();
  const begin = performance.now();
  for (let n = 0; n < steps; n++) if (step() < FROM) throw new Error("it went backwards");
  return ((performance.now() - begin) * 1_000) / steps;
}

/** "loop limit exceeded": cron-parser gives no answer for some expressions and zones. */
function isAble(walk: Walk): boolean {
  try {
    walk()();
    return true;
  } catch {
    return false;
  }
}

const makeCase: MakeCase = ({ isShort }) => ({
  title: "The next fire time",
  measures: [{ name: "a step", unit: "µs", better: "lower" }],
  participants: EXPRESSIONS.flatMap(([expression, timeZone]): Participant[] => {
    const group = `${expression} ${timeZone}`;
    const part = (expression === RARE ? 50 : 1) * (isShort ? 10 : 1);
    const participant = (name: string, walk: Walk, steps: number): Participant => ({
      name,
      group,
      isReference: name !== "headgate",
      turn: async () => ({ "a step": microsecondsPerStep(walk, Math.ceil(steps / part)) }),
    });
    const parser = walkCronParser(expression, timeZone);
    return [
      participant("headgate", walkHeadgate(expression, timeZone), 20_000 * part),
      participant("croner", walkCroner(expression, timeZone), 200),
      ...(isAble(parser) ? [participant("cron-parser", parser, 150)] : []),
    ];
  }),
  rounds: isShort ? 1 : 7,
  warmUps: 1,
});
export default makeCase;
