import type { Evidence, Violation } from "../evidence.js";
import { attempts, queued, records } from "./attempts.js";
import { fireTimes, fireTimesAhead } from "./fire-times.js";
import { lostInTime, resultsKept, takenOver } from "./leases.js";
import { limits, recordedLimits } from "./limits.js";
import { processes, progress } from "./progress.js";
import { followers, requests, sensed, settings } from "./requests.js";
import { tracesOf } from "./traces.js";

/** Checks every invariant against the log, and against the store when it has been read. */
export function check(evidence: Evidence): Violation[] {
  const traces = tracesOf(evidence);
  return [
    ...processes(evidence),
    ...fireTimesAhead(evidence),
    ...fireTimes(evidence),
    ...requests(evidence),
    ...followers(evidence),
    ...sensed(evidence),
    ...settings(evidence),
    ...attempts(evidence, traces),
    ...queued(evidence),
    ...records(evidence),
    ...limits(evidence, traces),
    ...recordedLimits(evidence),
    ...takenOver(evidence, traces),
    ...lostInTime(evidence, traces),
    ...resultsKept(evidence, traces),
    ...progress(evidence),
  ];
}
