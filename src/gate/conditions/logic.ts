import { HeadgateError } from "../../base/errors.js";
import { invalidArgument } from "../../base/options.js";
import { inheritingZone, inheritsZone, inZone } from "../../schedule/inherited-zone.js";
import { type Condition, type ConditionNeeds, checkCondition, type OnBlock, type PartFinding, type Verdict } from "../condition.js";
import { recordable } from "../start-limit.js";

/**
 * Passes when every one of its conditions passes. Each keeps its own timeout and `onError`; a block is a skip if one of the conditions that block says so.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when none is given
 */
export function allOf(...conditions: readonly Condition[]): Condition {
  return combined(ALL, conditions);
}

/**
 * Passes when at least one of its conditions passes, whatever becomes of the others. Each keeps its own timeout and `onError`; a block is a hold if one of the conditions says so, since that one may still pass.
 * Of the limits of `maxPerPeriod`, a run keeps those of the first condition that passed.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` when none is given
 * @example
 * anyOf(stale({ olderThan: "6h" }), succeeded("extract", { within: "1h" }));
 */
export function anyOf(...conditions: readonly Condition[]): Condition {
  return combined(ANY, conditions);
}

/**
 * Passes when its condition blocks, and blocks when it passes. A condition that cannot be evaluated counts as its own `onError` says, and that is reversed too. Limits and maintenance windows of its condition
 * are none for the whole: `not(maxPerPeriod(…))` limits nothing, and outside of `not(maintenanceWindow(…))` there is no maintenance.
 */
export function not(condition: Condition): Condition {
  return combined(NOT, [condition]);
}

/** A part with what it answered. */
interface Part {
  readonly condition: Condition;
  readonly finding: PartFinding;
}

/** A way to combine conditions. */
interface Logic {
  readonly word: string;
  judge(parts: readonly Part[], times: RecheckTimes): Verdict;
  /** Absent: never maintenance. */
  isMaintenance?(isAt: readonly boolean[]): boolean;
}

const ALL: Logic = {
  word: "all of",
  judge: (parts, times) => {
    const blocking = parts.filter(isBlocking);
    if (blocking.length > 0) return { result: "block", reason: reasons(blocking), ...policy(blocking, "skip"), ...times.last(blocking) };
    return { result: "pass", reason: `all ${parts.length} pass`, ...limitsOf(parts), ...times.first(parts) };
  },
  isMaintenance: (isAt) => isAt.includes(true),
};

const ANY: Logic = {
  word: "any of",
  judge: (parts, times) => {
    const passing = parts.filter((part) => !isBlocking(part));
    if (passing.length === 0) return { result: "block", reason: reasons(parts), ...policy(parts, "hold"), ...times.first(parts) };
    const unlimited = passing.some(({ finding }) => (finding.limits ?? []).length === 0);
    return { result: "pass", reason: reasons(passing), ...(unlimited ? {} : limitsOf(passing.slice(0, 1))), ...times.last(passing) };
  },
  isMaintenance: (isAt) => !isAt.includes(false),
};

const NOT: Logic = {
  word: "not",
  judge: ([part], times) => {
    const { finding, condition } = part as Part;
    const again = times.first([part as Part]);
    if (finding.result === "block") return { result: "pass", reason: `not: ${finding.reason}`, ...again };
    const { onBlock } = condition;
    return { result: "block", reason: `not: ${finding.reason}`, ...(onBlock === undefined ? {} : { onBlock }), ...again };
  },
};

function combined(logic: Logic, conditions: readonly Condition[]): Condition {
  const { word, isMaintenance } = logic;
  if (conditions.length === 0) throw new HeadgateError("INVALID_ARGUMENT", `${word}: must have at least one condition`);
  for (const one of conditions) checkCondition(one, null, invalidArgument(word));
  const made: Condition = {
    name: `${word} (${conditions.map(({ name }) => name).join(", ")})`,
    needs: strongest(conditions),
    parts: conditions,
    watches: {
      pipelines: conditions.flatMap(({ watches }) => watches?.pipelines ?? []),
      probes: conditions.flatMap(({ watches }) => watches?.probes ?? []),
    },
    timeoutMs: Math.max(...conditions.map(({ timeoutMs }) => timeoutMs ?? 10_000)),
    ...(isMaintenance === undefined || !conditions.some((one) => one.isMaintenanceAt !== undefined)
      ? {}
      : { isMaintenanceAt: (now) => isMaintenance(conditions.map((one) => one.isMaintenanceAt?.(now) === true)) }),
    ...(conditions.every((one) => one.nextChangeAfter !== undefined) ? { nextChangeAfter: (now) => firstChangeOf(conditions, now) } : {}),
    evaluate: ({ now, recheckIntervalMs, evaluate }) => {
      const verdict = (findings: readonly PartFinding[]): Verdict => {
        const parts = findings.map((finding, index): Part => ({ finding, condition: conditions[index] as Condition }));
        return { ...logic.judge(parts, new RecheckTimes(now, recheckIntervalMs)), evidence: { findings: recordable(findings) } };
      };
      const found = conditions.map((one) => evaluate(one));
      return found.some((one) => one instanceof Promise) ? Promise.all(found).then(verdict) : verdict(found as PartFinding[]);
    },
  };
  if (!conditions.some(inheritsZone)) return made;
  return inheritingZone(made, (timeZone) =>
    combined(
      logic,
      conditions.map((one) => inZone(one, timeZone)),
    ),
  );
}

/** When the answer of a whole can change, by when those of its parts can. */
class RecheckTimes {
  readonly #now: number;
  readonly #recheckIntervalMs: number;

  constructor(now: number, recheckIntervalMs: number) {
    this.#now = now;
    this.#recheckIntervalMs = recheckIntervalMs;
  }

  /** It can change as soon as one of them does; one that does not know is looked at after the usual interval. */
  first(parts: readonly Part[]): Pick<Verdict, "recheckAt"> {
    const known = this.#known(parts);
    if (known.length === 0) return {};
    const unknown = known.length < parts.length ? this.#now + this.#recheckIntervalMs : Number.POSITIVE_INFINITY;
    return at(Math.min(...known, unknown));
  }

  /** It cannot change before all of them do: those that know say when that is at the earliest, and one that does not is looked at no sooner than after the usual interval. */
  last(parts: readonly Part[]): Pick<Verdict, "recheckAt"> {
    const known = this.#known(parts);
    if (known.length === 0) return {};
    return at(Math.max(...known, known.length < parts.length ? this.#now + this.#recheckIntervalMs : this.#now));
  }

  #known(parts: readonly Part[]): number[] {
    return parts.flatMap(({ finding, condition }) => {
      if (finding.recheckAt !== undefined) return finding.recheckAt > this.#now ? [finding.recheckAt] : [];
      if (condition.nextChangeAfter === undefined) return [];
      return [condition.nextChangeAfter(this.#now) ?? Number.POSITIVE_INFINITY];
    });
  }
}

function at(recheckAt: number): Pick<Verdict, "recheckAt"> {
  return recheckAt === Number.POSITIVE_INFINITY ? {} : { recheckAt };
}

function firstChangeOf(conditions: readonly Condition[], now: number): number | null {
  const first = Math.min(...conditions.map((one) => one.nextChangeAfter?.(now) ?? Number.POSITIVE_INFINITY));
  return first === Number.POSITIVE_INFINITY ? null : first;
}

/** The policy for a block: `strong` if one of the parts says so, the other one if all say that, else that of the whole's gate. */
function policy(parts: readonly Part[], strong: OnBlock): Pick<Verdict, "onBlock"> {
  const said = parts.map(({ finding, condition }) => finding.onBlock ?? condition.onBlock);
  if (said.includes(strong)) return { onBlock: strong };
  const [first] = said;
  return first !== undefined && said.every((one) => one === first) ? { onBlock: first } : {};
}

function limitsOf(parts: readonly Part[]): Pick<Verdict, "limits"> {
  const limits = parts.flatMap(({ finding }) => finding.limits ?? []);
  return limits.length === 0 ? {} : { limits };
}

function isBlocking({ finding }: Part): boolean {
  return finding.result === "block";
}

function strongest(conditions: readonly Condition[]): ConditionNeeds {
  if (conditions.some(({ needs }) => needs === "outside")) return "outside";
  return conditions.some(({ needs }) => needs === "history") ? "history" : "time";
}

function reasons(parts: readonly Part[]): string {
  return parts.map(({ finding: { condition, reason } }) => `${condition}: ${reason}`).join("; ");
}
