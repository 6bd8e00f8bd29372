import {
  type Condition,
  condition,
  cron,
  type Decision,
  every,
  healthy,
  maintenanceWindow,
  maxPerPeriod,
  NonRetryableError,
  type Overlap,
  type Pipeline,
  pipeline,
  type Run,
  type RunContext,
  type Scheduler,
  stale,
  type Trigger,
} from "../../src/index.js";
import type { FakeClock, Simulation, World } from "../../src/testing/index.js";
import { randomFrom } from "../../src/testing/random.js";
import { RECORD_EVENTS } from "./record-events.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** How an attempt of a random world goes. `stubborn` goes on for a while after its signal. */
interface Fate {
  readonly kind: "ok" | "fail" | "final" | "hang" | "stubborn";
  readonly ms: number;
}

export type Deed =
  | {
      readonly kind: "trigger";
      readonly at: number;
      readonly pipelineId: string;
      readonly as: "manual" | "immediate" | "forced";
      readonly notBefore?: number;
    }
  | {
      readonly kind: "pause";
      readonly at: number;
      readonly pipelineId?: string;
      readonly minutes: number;
      readonly ends: "resume" | "duration";
    }
  | { readonly kind: "cancel"; readonly at: number; readonly pipelineId: string };

export interface WorldOptions {
  readonly pipelines: number;
  readonly hours: number;
  readonly overlaps: readonly Overlap[];
  readonly canCancel: boolean;
  /** Conditions that take their time, and answer what nobody could know beforehand. */
  readonly isSlow: boolean;
  readonly hasJitter: boolean;
  /** Runs that end long before the next fire time, so that much of what comes is certain. Default false. */
  readonly isCalm?: boolean;
}

/** A small world made of a seed: pipelines, how their attempts go, what their probes say, and what people do. */
export class RandomWorld {
  readonly from: number;
  readonly to: number;
  readonly deeds: readonly Deed[];
  readonly pools = { shared: 2 };
  readonly #seed: number;
  readonly #make: readonly ((clock: FakeClock) => Pipeline)[];

  constructor(seed: number, options: WorldOptions) {
    this.#seed = seed;
    const random = randomFrom(seed * 7_919 + 13);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
    const chance = (share: number) => random() < share;
    // around the clock changes of Berlin and New York, and in between
    this.from = Date.parse(pick(["2026-03-28T20:30:00Z", "2026-10-24T21:30:00Z", "2026-03-07T23:30:00Z", "2026-06-01T05:17:00Z"]));
    this.to = this.from + options.hours * HOUR;
    const zone = pick(["Europe/Berlin", "America/New_York", "UTC"]);
    this.#make = Array.from({ length: options.pipelines }, (_, index) => {
      const id = `p${index}`;
      const schedule = pick([
        () => every(pick(options.isCalm === true ? ["1h", "95m", "3h"] : ["7m", "15m", "1h"])),
        () =>
          cron(pick([...(options.isCalm === true ? [] : ["*/10 * * * *"]), "30 1,2,3 * * *", "0 * * * *", "15 */2 * * *"]), {
            timeZone: zone,
          }),
      ])();
      const parts: Condition[] = [];
      if (chance(0.3)) {
        const window = { start: "01:30", end: pick(["03:10", "02:05"]), timeZone: zone };
        const onBlock = pick(["hold", "skip"] as const);
        parts.push(maintenanceWindow(window, { onBlock }));
      }
      if (chance(0.2)) parts.push(stale({ olderThan: pick(["20m", "50m"]) }));
      if (chance(0.2)) parts.push(maxPerPeriod({ count: 3, period: "1h" }));
      if (chance(0.4)) parts.push(healthy({ probes: [{ name: `probe ${id}`, measure: ({ now }) => this.isUp(`probe ${id}`, now) }] }));
      if (chance(0.3)) parts.push(this.#flapping(`flap ${id}`, options.isSlow));
      const onBlock = pick(["hold", "skip"] as const);
      const recheckInterval = pick(["5m", "15m"]);
      const holdFor = pick(["40m", "3h"]);
      const overlap = pick(options.overlaps);
      const retries = pick([0, 1, 3]);
      const backoff = pick(["fixed", "exponential"] as const);
      const jitter = options.hasJitter ? pick([0, 0, 0.3]) : 0;
      const timeout = pick(options.isCalm === true ? ["4m", "9m"] : ["4m", "30m", "2h"]);
      const catchup = pick(["latest", "none", "all"] as const);
      const maxActiveRuns = pick([1, 1, 2]);
      const isPooled = options.pipelines > 1 && chance(0.4);
      return (clock: FakeClock) =>
        pipeline({
          id,
          schedule,
          conditions: parts,
          onBlock,
          recheckInterval,
          holdFor,
          execution: {
            retries,
            retryDelay: "3m",
            backoff,
            jitter,
            timeout,
            overlap,
            catchup,
            maxActiveRuns,
            ...(isPooled ? { pool: "shared" } : {}),
          },
          run: (context) => this.#live(context, clock),
        });
    });
    const deeds: Deed[] = [];
    for (let n = Math.floor(random() * 8); n > 0; n--) {
      const at = this.from + Math.floor((random() * (this.to - this.from)) / 1_000) * 1_000 + 137;
      const pipelineId = `p${Math.floor(random() * options.pipelines)}`;
      const kind = random();
      if (kind < 0.5) {
        const as = pick(["manual", "immediate", "forced"] as const);
        deeds.push({ kind: "trigger", at, pipelineId, as, ...(as === "manual" && chance(0.3) ? { notBefore: at + 17 * MINUTE } : {}) });
      } else if (kind < 0.75 || !options.canCancel) {
        const ends = pick(["resume", "duration"] as const);
        deeds.push({ kind: "pause", at, minutes: Math.ceil(random() * 150), ends, ...(chance(0.6) ? { pipelineId } : {}) });
      } else deeds.push({ kind: "cancel", at, pipelineId });
    }
    this.deeds = deeds.sort((a, b) => a.at - b.at);
  }

  /** Pipelines whose functions live through their fates on a clock. */
  pipelines(clock: FakeClock): Pipeline[] {
    return this.#make.map((make) => make(clock));
  }

  isUp(name: string, at: number): boolean {
    return this.#chance(`${name} ${Math.floor((at + 33_000) / (20 * MINUTE))}`) < 0.65;
  }

  /** The same as a world for a simulation. */
  get scripted(): World {
    const names = this.#make.map((_, index) => `p${index}`);
    return {
      run: ({ pipelineId, startedAt, attempt }) => {
        const { kind, ms } = this.#fate(pipelineId, startedAt.getTime(), attempt);
        if (kind === "hang") return { outcome: "hang" };
        if (kind === "ok") return { duration: ms, output: { ms } };
        return { duration: ms, outcome: "fail", error: `${kind} after ${ms}`, isRetryable: kind !== "final" };
      },
      probes: Object.fromEntries(names.map((id) => [`probe ${id}`, (at: Date) => this.isUp(`probe ${id}`, at.getTime())])),
      conditions: Object.fromEntries(names.map((id) => [`flap ${id}`, (at: Date) => this.isUp(`flap ${id}`, at.getTime())])),
      triggers: this.deeds.flatMap((deed) =>
        deed.kind === "trigger" ? [{ at: deed.at, pipelineId: deed.pipelineId, ...triggerOf(deed) }] : [],
      ),
      pauses: this.deeds.flatMap((deed) => (deed.kind === "pause" ? [pauseOf(deed)] : [])),
    };
  }

  /**
   * Does what people do, on a real scheduler.
   *
   * @param until - what would be done from this instant on (epoch ms), or has an end by hand from then on, is left out; default: the end
   */
  async live(scheduler: Scheduler, clock: FakeClock, until = this.to): Promise<void> {
    const acts: { at: number; act: () => Promise<unknown> }[] = [];
    for (const deed of this.deeds) {
      if (deed.kind === "trigger") acts.push({ at: deed.at, act: () => scheduler.trigger(deed.pipelineId, triggerOf(deed)) });
      else if (deed.kind === "cancel") acts.push({ at: deed.at, act: () => cancelNewest(scheduler, deed.pipelineId) });
      else {
        const { from: _, until: resumedAt, ...rest } = pauseOf(deed);
        if (until < this.to && resumedAt !== undefined && resumedAt >= until) continue;
        acts.push({ at: deed.at, act: () => scheduler.pause(rest) });
        const whom = rest.pipelineId === undefined ? {} : { pipelineId: rest.pipelineId };
        if (resumedAt !== undefined) acts.push({ at: resumedAt, act: () => scheduler.resume(whom) });
      }
    }
    for (const { at, act } of acts.sort((a, b) => a.at - b.at)) {
      if (at >= until) break;
      await clock.advanceTo(at);
      await act().catch((error: unknown) => {
        if ((error as { code?: string }).code !== "PAUSED") throw error;
      });
    }
    await clock.advanceTo(until - 1);
  }

  #chance(name: string): number {
    let hash = 2_166_136_261 ^ this.#seed;
    for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619);
    return randomFrom(hash)();
  }

  #fate(pipelineId: string, startedAt: number, attempt: number): Fate {
    const name = `${pipelineId} ${startedAt} ${attempt}`;
    const luck = this.#chance(name);
    const ms = 1_000 + Math.floor(this.#chance(`${name} ms`) * 9 * MINUTE);
    if (luck < 0.65) return { kind: "ok", ms };
    if (luck < 0.86) return { kind: "fail", ms };
    return { kind: luck < 0.92 ? "final" : "hang", ms };
  }

  async #live({ clock, pipelineId, attempt }: RunContext<unknown>, base: FakeClock): Promise<unknown> {
    const { kind, ms } = this.#fate(pipelineId, clock.now(), attempt);
    if (kind === "stubborn") await base.sleep(ms);
    else await clock.sleep(kind === "hang" ? "3000d" : ms);
    if (kind === "ok") return { ms };
    const error = kind === "final" ? new NonRetryableError(`${kind} after ${ms}`) : new Error(`${kind} after ${ms}`);
    error.stack = String(error); // a scripted failure has none
    throw error;
  }

  #flapping(name: string, isSlow: boolean): Condition {
    return condition(name, async ({ clock, now }) => {
      if (isSlow) await clock.sleep(Math.floor(this.#chance(`${name} ${now}`) * 4_000));
      const isUp = this.isUp(name, now);
      return isSlow ? isUp : { result: isUp ? "pass" : "block", reason: `${name} ${isUp ? "holds" : "does not hold"} in this world` };
    });
  }
}

function triggerOf({ as, at, notBefore }: Extract<Deed, { kind: "trigger" }>) {
  const which = as === "forced" ? ({ kind: "immediate", force: true } as const) : ({ kind: as } as const);
  return { ...which, user: "ana", reason: `${as} at ${at}`, ...(notBefore === undefined ? {} : { notBefore }) };
}

function pauseOf({
  at,
  pipelineId,
  minutes,
  ends,
}: Extract<Deed, { kind: "pause" }>): NonNullable<World["pauses"]>[number] & { until?: number } {
  return {
    from: at,
    reason: "moving",
    user: "ben",
    ...(pipelineId === undefined ? {} : { pipelineId }),
    ...(ends === "resume" ? { until: at + minutes * MINUTE } : { duration: minutes * MINUTE }),
  };
}

async function cancelNewest(scheduler: Scheduler, pipelineId: string): Promise<void> {
  const open = (await scheduler.triggers({ pipelineId, limit: 50 })).items.find(({ endedAt }) => endedAt === null);
  if (open !== undefined) await scheduler.cancel(open.id, { user: "cleo", reason: "no longer needed" });
}

/** All records of a scheduler, oldest first. */
export async function recordsOf(scheduler: Scheduler): Promise<Pick<Simulation, "triggers" | "decisions" | "runs">> {
  const all = async <T>(
    list: (options: { limit: number; cursor?: string }) => Promise<{ items: readonly T[]; nextCursor: string | null }>,
  ) => {
    const found: T[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await list({ limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    return found.reverse();
  };
  return {
    triggers: await all((options) => scheduler.triggers(options)),
    decisions: await all((options) => scheduler.decisions(options)),
    runs: await all((options) => scheduler.runs(options)),
  };
}

/** Records without what cannot be the same: ids, nodes, order within one instant, stacks. A record's trigger stands in it in its place. */
export function comparable({ triggers, decisions, runs }: Pick<Simulation, "triggers" | "decisions" | "runs">): readonly string[] {
  const names = triggerNames(triggers);
  const nameOf = (id: string | null) => (id === null ? null : (names.get(id) ?? "?"));
  const lines = [
    ...triggers.map(({ id: _, runId, supersedes, supersededBy, availableAt: _at, endReason, ...rest }) =>
      JSON.stringify({
        trigger: { ...rest, hasRun: runId !== null, supersedes: nameOf(supersedes), supersededBy: nameOf(supersededBy), endReason },
      }),
    ),
    ...decisions.map(({ id: _, triggerId, ...rest }) => JSON.stringify({ decision: { ...rest, of: nameOf(triggerId) } })),
    ...runs.map((run) => JSON.stringify({ run: runOf(run, nameOf) })),
  ];
  return lines.map((line) => line.replaceAll(/"latency_ms":\d+/g, '"latency_ms":0')).sort();
}

/** Writes down what a scheduler emits about triggers and runs. Call it before the start. */
export function eventsOf(scheduler: Scheduler): readonly Emitted[] {
  const emitted: Emitted[] = [];
  for (const name of RECORD_EVENTS)
    scheduler.on(name, (event) => {
      const { trigger, run, decision } = event as Partial<{ trigger: Trigger; run: Run; decision: Decision }>;
      const triggerId = trigger?.id ?? run?.triggerId ?? decision?.triggerId;
      const status = name.startsWith("run.") ? run?.status : name === "decision" ? decision?.outcome : trigger?.status;
      if (typeof triggerId === "string") emitted.push({ triggerId, what: `${name} ${status}` });
    });
  return emitted;
}

interface Emitted {
  readonly triggerId: string;
  readonly what: string;
}

/** The events of each trigger in their order, without ids. */
export function comparableEvents(emitted: readonly Emitted[], { triggers }: Pick<Simulation, "triggers">): readonly string[] {
  const names = triggerNames(triggers);
  const lines = new Map<string, string[]>();
  for (const { triggerId, what } of emitted) lines.set(triggerId, [...(lines.get(triggerId) ?? []), what]);
  return [...lines].map(([id, all]) => JSON.stringify({ events: all, of: names.get(id) ?? "?" })).sort();
}

/** What a trigger's records say it has gone through: the events of its end and of its run's. */
export function endEvents({ triggers, runs }: Pick<Simulation, "triggers" | "runs">): readonly string[] {
  return [
    ...triggers.flatMap(({ id, status, endedAt }) => (endedAt === null ? [] : [`${id} trigger.${status}`])),
    ...runs.flatMap(({ triggerId, status, endedAt }) => (endedAt === null ? [] : [`${triggerId} run.${status}`])),
  ].sort();
}

/** The same of what was emitted. */
export function emittedEnds(emitted: readonly Emitted[]): readonly string[] {
  const isEnd = /^(?:trigger\.(?:skipped|expired|cancelled|superseded|succeeded|failed)|run\.(?:succeeded|failed|timed_out|cancelled)) /;
  return emitted.flatMap(({ triggerId, what }) => (isEnd.test(what) ? [`${triggerId} ${what.split(" ")[0]}`] : [])).sort();
}

function triggerNames(triggers: Simulation["triggers"]): ReadonlyMap<string, string> {
  return new Map(
    triggers.map((one) => [one.id, `${one.pipelineId} ${one.kind} ${iso(one.scheduledFor)} ${iso(one.createdAt)} ${one.reason}`]),
  );
}

function runOf({ id: _, node: _node, triggerId, attempts, error, ...rest }: Run, nameOf: (id: string) => string | null) {
  const closed = attempts.map(({ node: _own, error: why, ...one }) => ({ ...one, error: withoutPlace(why) }));
  return { ...rest, error: withoutPlace(error), of: nameOf(triggerId), attempts: closed };
}

/** A scripted failure is thrown elsewhere. */
function withoutPlace(error: Run["error"]): Omit<NonNullable<Run["error"]>, "stack"> | null {
  if (error === null) return null;
  const { stack: _, ...rest } = error;
  return rest;
}

function iso(date: Date | null): string {
  return date?.toISOString() ?? "-";
}

/** The first records in which two sides differ, by when they were made; `""` when they are the same. */
export function differences(expected: readonly string[], found: readonly string[]): string {
  const [one, other] = [new Set(expected), new Set(found)];
  const whenOf = (line: string) => /"(?:at|createdAt|startedAt)":"([^"]+)"/.exec(line)?.[1] ?? "";
  const lines = [
    ...expected.filter((line) => !other.has(line)).map((line) => `- ${whenOf(line)} ${line}`),
    ...found.filter((line) => !one.has(line)).map((line) => `+ ${whenOf(line)} ${line}`),
  ];
  return lines
    .sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1))
    .slice(0, 6)
    .join("\n");
}
