import type { Condition, ConditionContext, Verdict } from "../gate/condition.js";
import type { Gate } from "../gate/decide.js";
import type { Finding } from "../gate/finding.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { PlayedTriggers } from "./played-triggers.js";
import type { RecordedDecision } from "./recorded.js";
import { DEFAULT_CONDITION_TIMEOUT_MS, type RepeatedLooks } from "./repeated-looks.js";
import type { Unknowns } from "./unknowns.js";
import { conditionIn, type World } from "./world.js";

/** Older findings say little of an instant: the result names them. */
const OLD_MS = 3_600_000;
/** Of a hold that stands for many looks, so far apart at most its finding counts as found again. */
const LOOK_MS = 15 * 60_000;

/** Way in which a backtest evaluates a condition: by calling it, by the findings of the history, or as its `world` says. */
export interface ConditionAnswer {
  readonly condition: string;
  readonly answeredBy: "evaluation" | "history" | "world";
}

/** Sources of a gate. */
export interface GateSource {
  readonly world: Pick<World, "probes" | "conditions">;
  readonly decisions: readonly RecordedDecision[];
  readonly looks: RepeatedLooks;
  readonly played: PlayedTriggers;
  readonly unknown: Unknowns;
}

/**
 * Returns a pipeline's gate for a backtest: conditions that need only the time and the pipeline's own history are evaluated, those that the world names or has all probes of too; all others are
 * not called and find what they found when the history was recorded.
 */
export function recordedGate(
  pipeline: Pipeline,
  source: GateSource,
): { readonly gate: Gate; readonly answers: readonly ConditionAnswer[] } {
  const findings = new RecordedFindings(source);
  const seen = new Map<string, number>();
  const answers: ConditionAnswer[] = [];
  const conditions = pipeline.gate.conditions.map((condition): Condition => {
    const occurrence = (seen.get(condition.name) ?? 0) + 1;
    seen.set(condition.name, occurrence);
    const answeredBy = answeredByOf(condition, source.world);
    answers.push({ condition: condition.name, answeredBy });
    const recorded = (context: ConditionContext) => findings.at(context, condition, occurrence);
    if (answeredBy === "history") return { ...condition, evaluate: recorded };
    const real = conditionIn(condition, source.world, source.unknown);
    return answeredBy === "world" ? real : { ...real, evaluate: (context) => ofOwnHistory(real, context, recorded) };
  });
  return { gate: { ...pipeline.gate, conditions }, answers };
}

function answeredByOf(
  { name, needs, watches }: Condition,
  { probes = {}, conditions = {} }: GateSource["world"],
): ConditionAnswer["answeredBy"] {
  if (Object.hasOwn(conditions, name)) return "world";
  if (needs !== "outside") return "evaluation";
  const watched = watches?.probes ?? [];
  return watched.length > 0 && watched.every((probe) => Object.hasOwn(probes, probe)) ? "world" : "history";
}

/** Evaluates a condition; one that looks at other pipelines, which do not play, finds what it found when the history was recorded. */
function ofOwnHistory(
  condition: Condition,
  context: ConditionContext,
  recorded: (context: ConditionContext) => Promise<Verdict>,
): Verdict | Promise<Verdict> {
  if (condition.needs === "time") return condition.evaluate(context);
  let looksAtOthers = false;
  const own = <T>(id: string, read: () => Promise<T>, none: T): Promise<T> => {
    if (id === context.pipelineId) return read();
    looksAtOthers = true;
    return Promise.resolve(none);
  };
  const history: ConditionContext["history"] = {
    lastSuccessAt: (id) => own(id, () => context.history.lastSuccessAt(id), null),
    countRuns: (id, from, until) => own(id, () => context.history.countRuns(id, from, until), 0),
    recentStarts: (id, from, until, limit) =>
      own(id, () => context.history.recentStarts(id, from, until, limit), { count: 0, oldestAt: null }),
    countWaiting: () => own("", () => Promise.resolve(0), 0),
  };
  const reading = (one: Condition): Condition => ({
    ...one,
    evaluate: (given) => one.evaluate({ ...given, history, evaluate: (part) => given.evaluate(reading(part)) }),
  });
  const evaluated = async () => reading(condition).evaluate(context);
  return evaluated().then(
    (verdict) => (looksAtOthers ? recorded(context) : verdict),
    (error: unknown) => {
      if (looksAtOthers) return recorded(context);
      throw error;
    },
  );
}

interface Placed {
  readonly at: number;
  readonly finding: Finding;
}

/** A finding of one trigger: what it found at the last look, and in words but for durations and instants at those before. */
interface Decided {
  readonly decision: RecordedDecision;
  readonly finding: Finding;
}

/** Findings of decisions, by condition, and by condition and trigger. */
class RecordedFindings {
  readonly #all = new Map<string, Placed[]>();
  readonly #ofTriggers = new Map<string, Decided[]>();
  readonly #looks: RepeatedLooks;
  readonly #played: PlayedTriggers;
  readonly #unknown: Unknowns;

  constructor({ decisions, looks, played, unknown }: GateSource) {
    this.#looks = looks;
    this.#played = played;
    this.#unknown = unknown;
    for (const decision of decisions) {
      const { key, findings } = decision;
      const seen = new Map<string, number>();
      for (const finding of findings) {
        const occurrence = (seen.get(finding.condition) ?? 0) + 1;
        seen.set(finding.condition, occurrence);
        if (finding.result === "not_evaluated") continue;
        const name = nameOf(finding.condition, occurrence);
        for (const at of lookTimes(decision)) pushTo(this.#all, name, { at, finding });
        if (key !== null) pushTo(this.#ofTriggers, `${name} of ${key}`, { decision, finding });
      }
    }
    for (const list of this.#all.values()) list.sort((a, b) => a.at - b.at);
  }

  /** Returns what a condition found for a trigger then, after as long as it took; else what it had found last before, for whatever trigger. */
  async at({ now, trigger, clock, pipelineId }: ConditionContext, condition: Condition, occurrence: number): Promise<Verdict> {
    const name = nameOf(condition.name, occurrence);
    const same = this.#ofTriggers.get(`${name} of ${this.#played.keyOf(trigger)}`)?.find(({ decision }) => decision.lastLookAt >= now);
    const timeoutMs = condition.timeoutMs ?? DEFAULT_CONDITION_TIMEOUT_MS;
    if (same !== undefined && same.decision.at - now <= timeoutMs) {
      const { at, lastLookAt } = same.decision;
      const isLast = at <= now && this.#looks.isNextLast(same.decision) && lastLookAt - now <= timeoutMs;
      const endsAt = isLast ? lastLookAt : at;
      if (endsAt > now) await clock.sleep(endsAt - now);
      return verdictOf(same.finding);
    }
    const all = this.#all.get(name) ?? [];
    const last = all[firstFrom(all, now + 1) - 1];
    const subject = `condition ${JSON.stringify(condition.name)} of pipeline ${pipelineId}`;
    if (last === undefined) {
      this.#unknown.add("finding_missing", subject, now);
      const [first] = all;
      return first === undefined ? { result: "pass", reason: "the history has no finding of it" } : verdictOf(first.finding);
    }
    if (now - last.at > OLD_MS) this.#unknown.add("finding_old", subject, now);
    return verdictOf(last.finding);
  }
}

/** When a decision's findings were found: at its looks, of which the first and the last are known, and those between no farther apart than matters. */
function lookTimes({ at, looks, lastLookAt }: RecordedDecision): readonly number[] {
  const count = Math.min(looks, Math.ceil((lastLookAt - at) / LOOK_MS) + 1);
  if (count < 2) return [lastLookAt];
  return Array.from({ length: count }, (_, index) => Math.round(at + (index * (lastLookAt - at)) / (count - 1)));
}

function pushTo<T>(lists: Map<string, T[]>, name: string, one: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [one]);
  else list.push(one);
}

function nameOf(condition: string, occurrence: number): string {
  return `${occurrence} ${condition}`;
}

function verdictOf({ condition: _, ...verdict }: Finding): Verdict {
  return verdict as Verdict;
}

/** The index of the first that is not before an instant; the length if there is none. */
function firstFrom(list: readonly Placed[], at: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as Placed).at >= at) high = middle;
    else low = middle + 1;
  }
  return low;
}
