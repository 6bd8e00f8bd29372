import type { Seen } from "../seen.js";
import type { World } from "../spec.js";
import { checkAnswers } from "./answers.js";
import { checkAttempts } from "./attempts.js";
import { checkDecisions } from "./decisions.js";
import { checkFireTimes } from "./fire-times.js";
import { History } from "./history.js";
import { checkLimits } from "./limits.js";
import { Load } from "./load.js";
import { checkOrder } from "./order.js";
import { checkOverlap } from "./overlap.js";
import { checkEvents, checkRecords } from "./records.js";
import { Report } from "./report.js";
import { checkRequests } from "./requests.js";
import { checkWaiting } from "./waiting.js";

/** Everything that one play of a world can be checked for. */
export function checked(world: World, seen: Seen): Report {
  const report = new Report();
  const history = new History(world, seen);
  const load = new Load(history);
  checkFireTimes(history, report);
  checkDecisions(history, report);
  checkLimits(history, load, report);
  const waits = checkWaiting(history, load, report);
  checkOverlap(history, load, waits, report);
  checkOrder(history, load, waits, report);
  checkAttempts(history, load, report);
  checkRequests(history, report);
  checkRecords(history, report);
  checkEvents(history, report);
  checkAnswers(history, load, report);
  return report;
}
