import type { Pipeline } from "../engine/pipeline.js";
import type { Condition, ConditionContext, Verdict } from "../gate/condition.js";
import type { Gate } from "../gate/decide.js";
import type { Finding } from "../gate/finding.js";
import type { PlayedTriggers } from "./played-triggers.js";
import type { RecordedDecision } from "./recorded.js";
import type { Unknowns } from "./unknowns.js";
import { conditionIn, type World } from "./world.js";

/** Older findings say little of an instant: the result names them. */
const OLD_MS = 3_600_000;
const DEFAULT_TIMEOUT_MS = 10_000;

/** How a backtest evaluates a condition: by calling it, by the findings of the history, or as its `world` says. */
export interface ConditionAnswer {
  readonly condition: string;
  readonly answeredBy: "evaluation" | "history" | "world";
}

/** What a gate is made from. */
export interface GateSource {
  readonly world: Pick<World, "probes" | "conditions">;
  readonly decisions: readonly RecordedDecision[];
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
  const evaluated = async () => condition.evaluate({ ...context, history });
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

/** Findings of decisions, by condition, and by condition and trigger. */
class RecordedFindings {
  readonly #all = new Map<string, Placed[]>();
  readonly #played: PlayedTriggers;
  readonly #unknown: Unknowns;

  constructor({ decisions, played, unknown }: GateSource) {
    this.#played = played;
    this.#unknown = unknown;
    for (const { at, key, findings } of decisions) {
      const seen = new Map<string, number>();
      for (const finding of findings) {
        const occurrence = (seen.get(finding.condition) ?? 0) + 1;
        seen.set(finding.condition, occurrence);
        if (finding.result === "not_evaluated") continue;
        const name = nameOf(finding.condition, occurrence);
        for (const place of key === null ? [name] : [name, `${name} of ${key}`]) {
          const list = this.#all.get(place);
          if (list === undefined) this.#all.set(place, [{ at, finding }]);
          else list.push({ at, finding });
        }
      }
    }
  }

  /** Returns what a condition found for a trigger then, after as long as it took; else what it had found last before, for whatever trigger. */
  async at({ now, trigger, clock, pipelineId }: ConditionContext, condition: Condition, occurrence: number): Promise<Verdict> {
    const name = nameOf(condition.name, occurrence);
    const own = this.#all.get(`${name} of ${this.#played.keyOf(trigger)}`) ?? [];
    const same = own[firstFrom(own, now)];
    if (same !== undefined && same.at - now <= (condition.timeoutMs ?? DEFAULT_TIMEOUT_MS)) {
      if (same.at > now) await clock.sleep(same.at - now);
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
