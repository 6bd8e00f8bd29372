import type { CheckName } from "./check/report.js";

/** Checks that are known to fail, each with the reason. They are counted and shown, and fail nothing. Empty is the aim. */
export const NOT_YET: Readonly<Partial<Record<CheckName, string>>> = {
  "max-per-period": "triggers that are decided on together are not counted, and the window is closed at its beginning",
  combinators: "a combinator takes one timeout for all of its parts, and none of their onError",
  "overlap-skip": "it is applied when a node happens to wake up",
  "overlap-cancel-running":
    "the oldest of a backlog is started and cancelled at once, and a run between attempts keeps its slot on SQLite and PostgreSQL",
  "pause-ends": "only a resume has what is held looked at, not the end of a pause by its duration",
  pauses: "a trigger whose conditions were being asked when the pause came starts in it",
  "drop-reasons": "one last pause of a pipeline and one of everything are remembered",
  cancels: "a cancel is forgotten when the attempt fails before its node hears of it",
  events: "runs and triggers that cancel_running ends between attempts have no events in memory",
  "explain-past": "a dropped fire time that was backfilled is told as the backfill alone, and one in overlapping pauses as unknown",
  "explain-future": "it looks at the schedule alone: not at limits, at what waits, nor at what conditions may say",
  "explain-waiting": "it looks at the schedule alone",
  simulate: "overlap skip and cancel_running are applied when a node happens to wake up",
  backtest: "waits between attempts count as time of the run, and the last run is lost",
  stores: "a run between attempts is cancelled at once in memory, and only marked on SQLite and PostgreSQL",
};
