/** What is checked; each is a sentence in {@link CHECKS}. */
export type CheckName = keyof typeof CHECKS;

export const CHECKS = {
  "fire-times": "Every fire time has exactly one outcome, at the right instant and by the right policy.",
  "drop-reasons": "A fire time that was dropped is attributed to the pause that covered it, else to its catchup.",
  decisions: "Every decision has the findings and the outcome that its conditions, the history and the probes call for.",
  combinators: "Each part of a combinator keeps its own timeout and onError.",
  holds: "A held trigger is checked again when it should be, and expires when holdFor has passed.",
  promptness: "What is ready starts at once when nothing holds it up.",
  "pause-ends": "When a pause has ended by itself, what was held is looked at at once.",
  order: "What is ready starts in order: priority, then age.",
  limits: "maxActiveRuns, pools and the scheduler's maxActiveRuns are never exceeded.",
  "max-per-period": "maxPerPeriod lets never more than count runs start in (t - period, t].",
  "overlap-skip": "Under overlap skip, a scheduled trigger that is ready while all runs are taken is skipped at once.",
  "overlap-queue-one": "Under overlap queue_one, at most one scheduled trigger waits, the newest, and both name each other.",
  "overlap-cancel-running":
    "Under overlap cancel_running the newest ready fire time takes a running run's place at once, and older ones are superseded.",
  pauses: "Nothing starts at or after a pause was accepted, but what is forced.",
  attempts: "Every attempt ends when and as its function, its timeout or what interrupted it says.",
  retries: "Every retry is due after the right delay, and there are as many as the policy allows.",
  cancels: "A cancel that was accepted ends the run or the trigger.",
  requests: "What was asked for is accepted once, refused while paused if immediate, and followed by what depends on it.",
  events: "Every transition has its event, once.",
  records: "Records agree with each other, and nothing is left open that should have ended.",
  calls: "A function is called once for each attempt.",
  errors: "The engine reports no error of its own.",
  "explain-past": "explain says what became of an instant, with its trigger, decisions and run.",
  "explain-future": "What explain says without reserve of an instant to come is so.",
  "explain-waiting": "explain knows what is due at an instant to come: looks at held triggers, retries, later starts.",
  upcoming: "upcoming lists the next fire times.",
  simulate: "A simulation of the world has the records of the engine.",
  backtest: "A backtest of the unchanged configuration comes to its history, record for record, or names what it cannot know.",
  stores: "All stores have the same records.",
} as const;

export interface Violation {
  readonly check: CheckName;
  readonly at: number;
  readonly pipelineId: string | null;
  readonly text: string;
}

/** Collects what is wrong, and counts what was looked at. */
export class Report {
  readonly violations: Violation[] = [];
  readonly counts = { fireTimes: 0, decisions: 0, runs: 0, answers: 0, backtests: 0 };

  fail(check: CheckName, at: number, pipelineId: string | null, text: string): void {
    this.violations.push({ check, at, pipelineId, text });
  }
}

export function iso(at: number | null): string {
  return at === null ? "never" : Number.isFinite(at) ? new Date(at).toISOString() : "for ever";
}
