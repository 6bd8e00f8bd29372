import {
  allOf,
  anyOf,
  at,
  businessDay,
  businessDays,
  type Calendar,
  type Condition,
  condition,
  cron,
  every,
  except,
  healthy,
  maintenanceWindow,
  manual,
  maxPerPeriod,
  NonRetryableError,
  not,
  type Pipeline,
  pipeline,
  type RunContext,
  type Schedule,
  stale,
  succeeded,
  type TimeWindow,
  timeWindows,
  union,
  within,
} from "../../../src/index.js";
import { fateOf, signalAt } from "../random.js";
import type { CalendarSpec, ConditionSpec, ExecutionSpec, OnBlock, PipelineSpec, ScheduleSpec } from "../spec.js";

const DAYS_3000 = 3_000 * 86_400_000;

/** Makes the pipeline that a specification describes; `onCall` hears of each call of its function. */
export function built(spec: PipelineSpec, seed: number, onCall: (context: RunContext<unknown>) => void): Pipeline {
  return pipeline({
    id: spec.id,
    schedule: scheduleFrom(spec.schedule),
    after: spec.after,
    conditions: spec.conditions.map((one) => conditionFrom(one, seed)),
    onBlock: spec.onBlock,
    holdFor: spec.holdFor,
    recheckInterval: spec.recheckInterval,
    execution: executionFrom(spec.execution),
    run: async (context) => {
      onCall(context);
      const { kind, ms, code } = fateOf(seed, spec.id, spec.fate, context.clock.now(), context.attempt);
      await context.clock.sleep(kind === "hang" ? DAYS_3000 : ms);
      if (kind === "ok") return { ms };
      throw kind === "final" ? new NonRetryableError(`final after ${ms}`) : Object.assign(new Error(`fails after ${ms}`), { code });
    },
  });
}

function executionFrom({ backoff, pool, totalTimeout, retryOn, retryDelay, ...rest }: ExecutionSpec) {
  return {
    ...rest,
    retryDelay,
    backoff: backoff === "linear" ? (attempt: number) => attempt * retryDelay : backoff,
    ...(retryOn === null ? {} : { retryOn }),
    ...(totalTimeout === null ? {} : { totalTimeout }),
    ...(pool === null ? {} : { pool }),
  };
}

function scheduleFrom(spec: ScheduleSpec): Schedule {
  switch (spec.type) {
    case "cron":
      return cron(spec.expression, { timeZone: spec.zone });
    case "every":
      return every(spec.ms, { anchor: spec.anchor });
    case "at":
      return at(...spec.instants);
    case "union":
      return union(...spec.parts.map(scheduleFrom));
    case "except":
      return except(scheduleFrom(spec.of), calendarFrom(spec.calendar));
    case "within":
      return within(scheduleFrom(spec.of), calendarFrom(spec.calendar));
    case "manual":
      return manual();
  }
}

function calendarFrom(spec: CalendarSpec): Calendar {
  return spec.type === "business" ? businessDays({ timeZone: spec.zone, holidays: spec.holidays }) : timeWindows([windowFrom(spec)]);
}

function windowFrom(spec: Exclude<CalendarSpec, { type: "business" }>): TimeWindow {
  if (spec.type === "span") return { from: spec.from, until: spec.until };
  return { start: spec.start, end: spec.end, timeZone: spec.zone, ...(spec.days === null ? {} : { days: spec.days }) };
}

function conditionFrom(spec: ConditionSpec, seed: number): Condition {
  switch (spec.type) {
    case "window":
      if (spec.calendar.type === "business") throw new Error("a window condition has windows");
      return maintenanceWindow(windowFrom(spec.calendar), blocking(spec.onBlock));
    case "business":
      if (spec.calendar.type !== "business") throw new Error("a business day condition has business days");
      return businessDay({ timeZone: spec.calendar.zone, holidays: spec.calendar.holidays, ...blocking(spec.onBlock) });
    case "stale":
      return stale({ olderThan: spec.olderThan, ...blocking(spec.onBlock) });
    case "succeeded":
      return succeeded(spec.pipelineId, { ...(spec.within === null ? {} : { within: spec.within }), ...blocking(spec.onBlock) });
    case "max":
      return maxPerPeriod({ count: spec.count, period: spec.period, ...blocking(spec.onBlock) });
    case "custom":
      return condition(spec.name, ({ now }) => answerOf(spec, seed, now), { onError: spec.onError, ...blocking(spec.onBlock) });
    case "probe": {
      const probe = { name: spec.name, breaker: null, measure: ({ now }: { now: number }) => answerOf(spec, seed, now) };
      return healthy({ probes: [probe], onError: spec.onError, ...blocking(spec.onBlock) });
    }
    case "hang":
      return condition(spec.name, ({ clock }) => clock.sleep(DAYS_3000).then(() => true), {
        timeout: spec.timeout,
        onError: spec.onError,
        ...blocking(spec.onBlock),
      });
    case "all":
      return allOf(...spec.parts.map((part) => conditionFrom(part, seed)));
    case "any":
      return anyOf(...spec.parts.map((part) => conditionFrom(part, seed)));
    case "not":
      return not(conditionFrom(spec.part, seed));
  }
}

function blocking(onBlock: OnBlock | null): { onBlock?: OnBlock } {
  return onBlock === null ? {} : { onBlock };
}

export function answerOf(
  { name, period, share, fails }: Extract<ConditionSpec, { type: "custom" | "probe" }>,
  seed: number,
  now: number,
): boolean {
  const isGood = signalAt(seed, name, period, share, now);
  if (!isGood && fails) throw new Error("no answer");
  return isGood;
}
