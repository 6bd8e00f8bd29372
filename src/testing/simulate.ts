import { memoryStore } from "../adapters/stores/memory/memory-store.js";
import { isAdaptive } from "../adaptive/adaptive.js";
import { durationMs } from "../base/duration.js";
import { HeadgateError, NonRetryableError } from "../base/errors.js";
import { countingIds } from "../base/id.js";
import { epochMs, type Instant, toDate } from "../base/instant.js";
import { createScheduler, type SchedulerOptions } from "../create-scheduler.js";
import type { SchedulerEvents } from "../engine/events.js";
import type { Pipeline } from "../engine/pipeline.js";
import type { Scheduler } from "../engine/scheduler.js";
import { type Decision, decisionView, type Run, runView, type Trigger, triggerView } from "../engine/views.js";
import type { Clock } from "../ports/clock.js";
import type { LocalExecutor, RunControl, RunRequest } from "../ports/executor.js";
import type { Store } from "../ports/store.js";
import { type FakeClock, fakeClock } from "./fake-clock.js";
import { randomFrom } from "./random.js";
import { inOrderMade, RecordLog } from "./record-log.js";
import { inWorld, type World } from "./world.js";

/** What {@link simulate} plays. */
export interface SimulateOptions extends Pick<SchedulerOptions, "pools" | "maxActiveRuns" | "misfireThreshold" | "load"> {
  pipelines: readonly Pipeline[];
  from: Instant;
  /** The end, exclusive for fire times. */
  to: Instant;
  world?: World;
  /** Of every random number. Default 1. */
  seed?: number;
  /** Told now and then how far it is. */
  onProgress?: (at: Date) => void;
}

/** What a simulation comes to. The lists are made when they are first looked at, oldest first. */
export interface Simulation {
  readonly from: Date;
  readonly to: Date;
  readonly counts: { readonly triggers: number; readonly decisions: number; readonly runs: number };
  /** How the intervals of adaptive schedules changed; ms. */
  readonly intervals: readonly {
    readonly pipelineId: string;
    readonly at: Date;
    readonly fromMs: number;
    readonly toMs: number;
    readonly reason: string;
  }[];
  readonly triggers: readonly Trigger[];
  readonly decisions: readonly Decision[];
  readonly runs: readonly Run[];
}

/** Ended triggers that stay in the store: enough for conditions that look back on history, few when none does. */
const REMEMBERED = { withHistory: 20_000, without: 1_000 };
const ALL = Number.MAX_SAFE_INTEGER;

/**
 * Plays what a scheduler would do from one instant to another, with scripted outcomes, durations and probe values, on the same engine that
 * runs in production. The same input gives the same result, byte for byte.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` unless `to` is after `from`, and whatever `createScheduler` and its methods throw
 * @example
 * const played = await simulate({ pipelines: [daily], from: "2026-01-01", to: "2026-04-01", world: { run: () => ({ duration: "20m" }) } });
 * console.log(played.runs.length, played.decisions.filter(({ outcome }) => outcome === "skip"));
 */
export async function simulate(options: SimulateOptions): Promise<Simulation> {
  const from = epochMs(options.from, "from");
  const to = epochMs(options.to, "to");
  if (to <= from) throw new HeadgateError("INVALID_ARGUMENT", "simulate: to must be after from");
  const world = options.world ?? {};
  const random = randomFrom(options.seed ?? 1);
  const clock = fakeClock(from - 1);
  const log = new RecordLog();
  const looksBack = options.pipelines.some(
    ({ gate, schedule }) => isAdaptive(schedule) || gate.conditions.some(({ needs }) => needs !== "time"),
  );
  const count = looksBack ? REMEMBERED.withHistory : REMEMBERED.without;
  const store = memoryStore({ retention: { count, maxAge: "36500d" }, onForget: log.add });
  const scheduler = createScheduler({
    pipelines: inWorld(options.pipelines, world),
    store,
    clock: withoutRuns(clock),
    random,
    newId: countingIds(),
    executor: scriptedExecutor(world, random),
    logger: { log: () => {} },
    node: "simulation",
    lease: "36500d", // nobody dies here
    timerTrust: "36500d", // and no clock jumps
    load: options.load ?? (() => ({ cpu: null, memory: null })),
    ...(options.pools === undefined ? {} : { pools: options.pools }),
    ...(options.maxActiveRuns === undefined ? {} : { maxActiveRuns: options.maxActiveRuns }),
    ...(options.misfireThreshold === undefined ? {} : { misfireThreshold: options.misfireThreshold }),
  });
  const intervals: SchedulerEvents["interval.changed"][] = [];
  const changedAt: Date[] = [];
  scheduler.on("interval.changed", (event) => {
    intervals.push(event);
    changedAt.push(toDate(clock.now()));
  });
  await scheduler.start();
  const { onProgress } = options;
  if (onProgress !== undefined) scheduler.on("decision", everyPart(from, to, clock, onProgress));
  await play(scheduler, clock, world, to - 1);
  await keepOpen(store, log);
  store.forgetEnded();
  await scheduler.stop({ drain: 0 });
  return resultOf(
    log,
    from,
    to,
    intervals.map(({ pipelineId, fromMs, toMs, reason }, index) => ({ pipelineId, at: changedAt[index] as Date, fromMs, toMs, reason })),
  );
}

/** Scripted runs end by timers of the clock alone: there is nothing to wait for. */
function withoutRuns(clock: FakeClock): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer: (ms, fn) => clock.setTimer(ms, fn),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    track: (promise, kind, name) => {
      if (kind !== "run") clock.track?.(promise, kind, name);
    },
  };
}

/** Parts of a simulation after which its progress is told. */
const PARTS = 200;

function everyPart(from: number, to: number, clock: FakeClock, onProgress: (at: Date) => void): () => void {
  let told = 0;
  return () => {
    const now = clock.now();
    const part = Math.floor(((now - from) / (to - from)) * PARTS);
    if (part <= told) return;
    told = part;
    onProgress(toDate(now));
  };
}

async function play(scheduler: Scheduler, clock: FakeClock, world: World, end: number): Promise<void> {
  type Step = { readonly at: number; readonly act: () => Promise<unknown> };
  const steps: Step[] = [];
  for (const { at, pipelineId, ...rest } of world.triggers ?? []) {
    steps.push({ at: epochMs(at, "world.triggers.at"), act: () => scheduler.trigger(pipelineId, rest) });
  }
  for (const { from, until, ...rest } of world.pauses ?? []) {
    steps.push({ at: epochMs(from, "world.pauses.from"), act: () => scheduler.pause(rest) });
    const whom = rest.pipelineId === undefined ? {} : { pipelineId: rest.pipelineId };
    if (until !== undefined) steps.push({ at: epochMs(until, "world.pauses.until"), act: () => scheduler.resume(whom) });
  }
  steps.sort((a, b) => a.at - b.at);
  for (const { at, act } of steps) {
    if (at > end) break;
    await clock.advanceTo(at);
    await act();
  }
  await clock.advanceTo(end);
  await clock.settle();
}

/** Does what the world says instead of calling the pipelines' functions. */
function scriptedExecutor(world: World, random: () => number): LocalExecutor {
  return {
    kind: "local",
    concurrency: 1_000_000,
    execute: async ({ pipelineId, runId, attempt, trigger }: RunRequest, control) => {
      const { clock } = control;
      const { scheduledFor, parameters } = trigger;
      const script =
        world.run?.({
          pipelineId,
          runId,
          attempt,
          scheduledFor: toDate(scheduledFor),
          startedAt: toDate(clock.now()),
          parameters,
          random,
        }) ?? {};
      const outcome = script.outcome ?? "succeed";
      const ms = outcome === "hang" ? durationMs("36500d") : durationMs(script.duration ?? 0, "world.run duration");
      if (ms > 0) await lasting(ms, control);
      if (outcome === "succeed") return script.output;
      const message = script.error ?? "scripted failure";
      throw script.isRetryable === false ? new NonRetryableError(message) : new Error(message);
    },
  };
}

/** Resolves after a time, rejects when the run is aborted before. */
function lasting(ms: number, control: RunControl): Promise<void> {
  return new Promise((resolve, reject) => {
    const stopTimer = control.clock.setTimer(ms, resolve);
    control.onAbort(() => {
      stopTimer();
      reject(control.signal.reason);
    });
  });
}

/** What is still under way at the end belongs to the result too. */
async function keepOpen(store: Store, log: RecordLog): Promise<void> {
  for (const trigger of await store.listTriggers({ statuses: ["pending", "held", "running"], limit: ALL })) {
    const run = trigger.runId === null ? null : await store.run(trigger.runId);
    log.add({ trigger, run, decisions: await store.listDecisions({ triggerId: trigger.id, limit: ALL }) });
  }
}

function resultOf(log: RecordLog, from: number, to: number, intervals: Simulation["intervals"]): Simulation {
  const counts = { triggers: log.triggers.size, decisions: log.decisions.size, runs: log.runs.size };
  const triggers = once(() => inOrderMade(log.triggers, triggerView));
  const decisions = once(() => inOrderMade(log.decisions, decisionView));
  const runs = once(() => inOrderMade(log.runs, runView));
  return {
    from: toDate(from),
    to: toDate(to),
    counts,
    intervals,
    get triggers() {
      return triggers();
    },
    get decisions() {
      return decisions();
    },
    get runs() {
      return runs();
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
