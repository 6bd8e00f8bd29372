import { type Duration, durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkOneOf, checkOptions, invalidArgument, type OptionNames, type RefuseOption } from "../base/options.js";
import { shown } from "../base/shown.js";
import type { TimeWindow } from "../schedule/window.js";
import type { TriggerKind } from "../trigger/trigger.js";
import type { Finding } from "./finding.js";
import type { MeasurableProbe, Measured } from "./probe.js";
import type { RecentStarts, StartLimit } from "./start-limit.js";

/** Policy of a gate for a block: skip the trigger, or hold it and check again. */
export type OnBlock = "skip" | "hold";

/** Resources that a condition needs: only the time and the trigger, headgate's own store, or an external system. */
export type ConditionNeeds = "time" | "history" | "outside";

/** Context of a condition's evaluation. */
export interface ConditionContext {
  /** The instant to judge, epoch ms; the only clock a condition reads. */
  readonly now: number;
  readonly pipelineId: string;
  readonly trigger: {
    readonly id: string;
    readonly kind: TriggerKind;
    readonly scheduledFor: number | null;
    readonly parameters: unknown;
  };
  readonly history: RunHistory;
  /** Aborts when the condition's timeout has passed or the scheduler stops. */
  readonly signal: AbortSignal;
  /** For a condition that waits: under a fake clock its sleep takes no time. */
  readonly clock: ConditionClock;
  /** Measures a probe; the value is shared for a short time between conditions and pipelines. */
  measure<T>(probe: MeasurableProbe<T>): Promise<T>;
  /**
   * The same, with when it was measured and how long that took.
   *
   * @param problemOf - what is wrong with a value; `null` when nothing is. A measurement with a problem counts for the alert rule `probeUnhealthy`, as one that throws does
   */
  observe<T>(probe: MeasurableProbe<T>, problemOf?: (value: T) => string | null): Promise<Measured<T>>;
  /** Time a held trigger waits for its next look when no condition knows better, ms. */
  readonly recheckIntervalMs: number;
  /** Evaluates another condition within its own timeout; one that throws or times out counts as its `onError` says. */
  evaluate(condition: Condition): PartFinding | Promise<PartFinding>;
}

/** A finding with what its condition answered beyond it. */
export type PartFinding = Finding & Pick<Verdict, "limits" | "onBlock">;

/** Time as a condition spends it. */
export interface ConditionClock {
  /** The time by now, epoch ms; what a condition judges is {@link ConditionContext.now}. */
  now(): number;
  /** Resolves after a time; rejects with the reason of the condition's signal (or of the one given) when its timeout has passed. */
  sleep(length: Duration, signal?: AbortSignal): Promise<void>;
}

/** headgate's own run history. Instants are epoch ms. */
export interface RunHistory {
  /** When a pipeline's last successful run ended; `null` if none did. */
  lastSuccessAt(pipelineId: string): Promise<number | null>;
  /** Runs of a pipeline that started in [from, until), active ones included. */
  countRuns(pipelineId: string, from: number, until: number): Promise<number>;
  /**
   * The newest starts of a pipeline's runs in [from, until), counted no further than `limit`, with the oldest of them. Reads `limit` entries of an index at most.
   */
  recentStarts(pipelineId: string, from: number, until: number, limit: number): Promise<RecentStarts>;
  /** Triggers that wait over all pipelines and nodes, counted no further than `limit`; the one that is decided on is among them. */
  countWaiting(limit: number): Promise<number>;
}

/** Result of a condition; its name and defaults are filled in. */
export interface Verdict {
  readonly result: "pass" | "block";
  readonly reason: string;
  readonly evidence?: Readonly<Record<string, unknown>>;
  /** When the answer can next be different, epoch ms: a held trigger is looked at then. */
  readonly recheckAt?: number;
  /**
   * Limits that a pass rests on: the run starts only if the store, with its lock held, still finds room in all of them; else the conditions are evaluated again. Default: none.
   */
  readonly limits?: readonly StartLimit[];
  /** The policy for this block, if it is not that of the condition. */
  readonly onBlock?: OnBlock;
}

/** A named check. */
export interface Condition {
  readonly name: string;
  readonly needs: ConditionNeeds;
  /** Overrides the gate's policy when this condition blocks. */
  readonly onBlock?: OnBlock;
  /** Result of a throw or a timeout. Default `"block"`. */
  readonly onError?: "pass" | "block";
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Pipelines and probes that it reads: when one of the pipelines succeeds, or one of the probes recovers, triggers that it holds are checked again at once. */
  readonly watches?: { readonly pipelines?: readonly string[]; readonly probes?: readonly string[] };
  /** Source of the data's age, if it checks that and not the last success. */
  readonly source?: MeasurableProbe<unknown>;
  /**
   * True for a condition of `needs: "history"` that reads nothing but its own pipeline's runs, and that a further run can only make block: while it blocks, it goes on to block whatever runs come. Lets
   * `explain` answer for instants to come. Default false.
   */
  readonly readsOwnRuns?: boolean;
  /** Its parameters, shown among the effective settings: the windows that it blocks in, or the maximum age of data, ms. */
  readonly declares?: { readonly windows?: readonly TimeWindow[]; readonly olderThanMs?: number };
  /** Returns true if somebody has planned maintenance at an instant, epoch ms: alerts are silent meanwhile. */
  isMaintenanceAt?(now: number): boolean;
  /** The first instant after `now` at which its answer is another, epoch ms; `null` when there is none. Only of conditions that depend on nothing but the time. */
  nextChangeAfter?(now: number): number | null;
  /** The conditions that it combines: each is evaluated within its own timeout, and the whole has none. `timeoutMs` is then the longest of theirs. */
  readonly parts?: readonly Condition[];
  evaluate(context: ConditionContext): Verdict | Promise<Verdict>;
}

/** Options every condition takes. */
export interface ConditionOptions {
  /** Policy of the pipeline's gate when this condition blocks. Default: the pipeline's `onBlock`. */
  onBlock?: OnBlock;
}

export const CONDITION_OPTIONS: OptionNames<ConditionOptions> = { onBlock: true };
const ON_BLOCK: readonly OnBlock[] = ["skip", "hold"];
const ON_ERROR = ["pass", "block"] as const;
const NEEDS: readonly ConditionNeeds[] = ["time", "history", "outside"];

/** Options of a custom condition. */
export interface CustomConditionOptions extends ConditionOptions {
  /** Default `"outside"`: it is asked last, and only if nothing else blocks. */
  needs?: ConditionNeeds;
  /** Result of a throw or a timeout. Default `"block"`. */
  onError?: "pass" | "block";
  /** Default `"10s"`. */
  timeout?: Duration;
}

/**
 * Creates a custom condition: `true` passes, `false` blocks, a verdict says more.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for an empty name, `INVALID_DURATION`
 * @example
 * condition("warehouse open", async ({ signal }) => (await fetch("https://warehouse.example/open", { signal })).ok);
 */
export function condition(
  name: string,
  check: (context: ConditionContext) => boolean | Verdict | Promise<boolean | Verdict>,
  options: CustomConditionOptions = {},
): Condition {
  if (typeof name !== "string" || name.length === 0 || name.length > 100) {
    throw new HeadgateError("INVALID_ARGUMENT", "condition: name must have 1 to 100 characters; it identifies the condition in findings");
  }
  const where = `condition ${name}`;
  const refuse = invalidArgument(where);
  if (typeof check !== "function") throw refuse("check", `must be a function (got ${shown(check)})`);
  checkOptions(options, { ...CONDITION_OPTIONS, needs: true, onError: true, timeout: true }, where);
  if (options.needs !== undefined) checkOneOf(options.needs, NEEDS, "needs", refuse);
  const verdictOf = (answer: boolean | Verdict): Verdict =>
    typeof answer === "boolean"
      ? { result: answer ? "pass" : "block", reason: answer ? `${name} holds` : `${name} does not hold` }
      : answer;
  return {
    name,
    needs: options.needs ?? "outside",
    onError: checkedOnError(options.onError, where) ?? "block",
    timeoutMs: durationMs(options.timeout ?? 10_000, `${where}: timeout`),
    ...onBlockOf(options, where),
    evaluate: (context) => {
      const answer = check(context);
      return answer instanceof Promise ? answer.then(verdictOf) : verdictOf(answer);
    },
  };
}

/** @throws HeadgateError `INVALID_ARGUMENT` */
export function onBlockOf({ onBlock }: ConditionOptions, where: string): Pick<Condition, "onBlock"> {
  if (onBlock === undefined) return {};
  checkOneOf(onBlock, ON_BLOCK, "onBlock", invalidArgument(where));
  return { onBlock };
}

/** @throws HeadgateError `INVALID_ARGUMENT` */
export function checkedOnError(onError: "pass" | "block" | undefined, where: string): "pass" | "block" | undefined {
  if (onError !== undefined) checkOneOf(onError, ON_ERROR, "onError", invalidArgument(where));
  return onError;
}

/**
 * Refuses what is no condition.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 */
export function checkCondition(condition: Condition, name: string | null, refuse: RefuseOption): void {
  if (typeof condition?.evaluate === "function" && typeof condition.name === "string" && NEEDS.includes(condition.needs)) return;
  throw refuse(name, `must be a condition such as stale(…) or condition(name, fn) (got ${shown(condition)})`);
}

export function findingOf(condition: Condition, verdict: Verdict): PartFinding {
  return { condition: condition.name, ...verdict };
}
