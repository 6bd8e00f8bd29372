import { memoryStore } from "../adapters/stores/memory/memory-store.js";
import { isAdaptive } from "../adaptive/adaptive.js";
import { HeadgateError } from "../base/errors.js";
import { countingIds, type IdSource } from "../base/id.js";
import { toDate } from "../base/instant.js";
import { createScheduler, type SchedulerOptions } from "../entry/create-scheduler.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Clock } from "../ports/clock.js";
import type { RunRequest } from "../ports/executor.js";
import type { SchedulerEvents } from "../ports/scheduler-api/events.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";
import type { DecideRequest, Store } from "../ports/store.js";
import type { TriggerRecord } from "../trigger/trigger.js";
import { type FakeClock, fakeClock } from "./fake-clock.js";
import { randomStreams } from "./random.js";
import { type Script, scriptedExecutor } from "./scripted-executor.js";
import { SimulationHistory } from "./simulation-history.js";
import type { SimulatedAttempt } from "./world.js";

/** A simulation: pipelines in their world, and what happens to them. Instants are epoch ms. */
export interface Play extends Pick<SchedulerOptions, "pools" | "maxActiveRuns" | "misfireThreshold"> {
  readonly pipelines: readonly Pipeline[];
  readonly from: number;
  /** The end, exclusive. */
  readonly to: number;
  readonly seed: number;
  readonly load: (at: Date) => { readonly cpu: number | null; readonly memory: number | null };
  /** Script of the attempts. */
  readonly script: (attempt: SimulatedAttempt, request: RunRequest) => Script;
  /** Actions of people and systems; those of one instant in this order. */
  readonly steps: readonly Step[];
  /** A number in [0, 1) for the jitter of a run's retries, when it is known; `null`: drawn. */
  readonly jitterOf?: (runId: string) => number | null;
  /** When a trigger that was held at an instant is looked at again; `recheckAt` is when its gate wants to. Epoch ms. Default: then. */
  readonly nextLook?: (trigger: TriggerRecord, at: number, recheckAt: number) => number;
  readonly onProgress?: (at: Date) => void;
}

/** Something that is done at an instant. */
export interface Step {
  readonly at: number;
  act(stage: Stage): Promise<unknown>;
  /** Description with its pipeline, for the list of what was refused. */
  readonly what: Refusal["what"];
  readonly pipelineId: string | null;
}

/** Interface for steps. */
interface Stage {
  readonly scheduler: Scheduler;
  readonly store: Store;
  readonly newId: IdSource;
  now(): number;
  /** Makes the scheduler check what was put into the store beside it. */
  wake(): void;
}

/** Something of the world that the scheduler refused. */
export interface Refusal {
  readonly at: Date;
  readonly what: "trigger" | "pause" | "resume" | "cancel" | "recheck";
  readonly pipelineId: string | null;
  /** Of the error. */
  readonly code: string;
  readonly message: string;
}

/** Result of a play. */
export interface Played {
  readonly log: SimulationHistory;
  readonly refused: readonly Refusal[];
  readonly intervals: readonly {
    readonly pipelineId: string;
    readonly at: Date;
    readonly fromMs: number;
    readonly toMs: number;
    readonly reason: string;
  }[];
}

/** Ended triggers that stay in the store: enough for conditions that look back on history, few when none does. */
const REMEMBERED = { withHistory: 20_000, without: 1_000 };
const ALL = Number.MAX_SAFE_INTEGER;
/** Codes of errors that say that the world itself is wrong, and not that the scheduler refuses what somebody wants. */
const MISTAKES = new Set(["UNKNOWN_PIPELINE", "INVALID_ARGUMENT", "INVALID_INSTANT", "INVALID_DURATION"]);

/** Plays pipelines on the engine that runs in production. The order in which they are given does not matter. */
export async function play(options: Play): Promise<Played> {
  const { from, to, load, jitterOf } = options;
  const streams = randomStreams(options.seed);
  const clock = fakeClock(from - 1);
  const log = new SimulationHistory();
  const newId = countingIds();
  const store = memoryStore({ retention: { count: rememberedFor(options.pipelines), maxAge: "36500d" }, onPrune: log.add });
  if (options.nextLook !== undefined) lookAgain(store, options.nextLook);
  let wake = () => {};
  store.subscribe = (onChange) => {
    wake = onChange;
    return () => {};
  };
  const scheduler = createScheduler({
    pipelines: options.pipelines.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    store,
    clock: withoutRuns(clock),
    random: (pipelineId = "", runId = "") => jitterOf?.(runId) ?? streams(`retries ${pipelineId}`)(),
    newId,
    executor: scriptedExecutor(options.script, (pipelineId) => streams(`runs ${pipelineId}`)),
    logger: { log: () => {} },
    node: "simulation",
    leaseDuration: "36500d", // nobody dies here
    maxTimerDelay: "36500d", // and no clock jumps
    measureLoad: () => load(toDate(clock.now())),
    ...(options.pools === undefined ? {} : { pools: options.pools }),
    ...(options.maxActiveRuns === undefined ? {} : { maxActiveRuns: options.maxActiveRuns }),
    ...(options.misfireThreshold === undefined ? {} : { misfireThreshold: options.misfireThreshold }),
  });
  const changes: (SchedulerEvents["interval.changed"] & { readonly at: Date })[] = [];
  scheduler.on("interval.changed", (event) => changes.push({ ...event, at: toDate(clock.now()) }));
  await scheduler.start();
  const { onProgress } = options;
  if (onProgress !== undefined) scheduler.on("decision", everyPart(from, to, clock, onProgress));
  const stage: Stage = { scheduler, store, newId, now: () => clock.now(), wake: () => wake() };
  const refused = await playSteps(options.steps, stage, clock, to - 1);
  await keepOpen(store, log);
  store.pruneFinished();
  await scheduler.stop({ drain: 0 });
  const intervals = changes.map(({ pipelineId, at, fromMs, toMs, reason }) => ({ pipelineId, at, fromMs, toMs, reason }));
  return { log, refused, intervals };
}

/** Rechecks held triggers when a play says so. */
function lookAgain(store: Store, nextLook: NonNullable<Play["nextLook"]>): void {
  const [decide, claim] = [store.decide.bind(store), store.claim.bind(store)];
  const changed = (request: DecideRequest): DecideRequest => {
    const { hold, trigger, decision } = request;
    if (hold === null || trigger === undefined) return request;
    return { ...request, hold: { ...hold, recheckAt: nextLook(trigger, decision.at, hold.recheckAt) } };
  };
  store.decide = (requests, now) => decide(requests.map(changed), now);
  store.claim = ({ judge, ...request }, now) => {
    if (judge === undefined) return claim(request, now);
    const judged: typeof judge = (trigger, isOverlapping, at) => {
      const decision = judge(trigger, isOverlapping, at);
      return decision === null ? null : changed(decision);
    };
    return claim({ ...request, judge: judged }, now);
  };
}

function rememberedFor(pipelines: readonly Pipeline[]): number {
  const looksBack = pipelines.some(({ gate, schedule }) => isAdaptive(schedule) || gate.conditions.some(({ needs }) => needs !== "time"));
  return looksBack ? REMEMBERED.withHistory : REMEMBERED.without;
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

/** Parts of a simulation after which its progress is reported. */
const PARTS = 200;

function everyPart(from: number, to: number, clock: FakeClock, onProgress: (at: Date) => void): () => void {
  let reported = 0;
  return () => {
    const now = clock.now();
    const part = Math.floor(((now - from) / (to - from)) * PARTS);
    if (part <= reported) return;
    reported = part;
    onProgress(toDate(now));
  };
}

async function playSteps(steps: readonly Step[], stage: Stage, clock: FakeClock, end: number): Promise<readonly Refusal[]> {
  const refused: Refusal[] = [];
  for (const { at, what, pipelineId, act } of steps.toSorted((a, b) => a.at - b.at)) {
    if (at > end) break;
    await clock.advanceTo(at);
    try {
      await act(stage);
    } catch (error) {
      if (!(error instanceof HeadgateError) || MISTAKES.has(error.code)) throw error;
      refused.push({ at: toDate(at), what, pipelineId, code: error.code, message: error.message });
    }
  }
  await clock.advanceTo(end);
  await clock.settle();
  return refused;
}

/** Adds what has not ended at the end to the result. */
async function keepOpen(store: Store, log: SimulationHistory): Promise<void> {
  for (const trigger of await store.listTriggers({ statuses: ["pending", "held", "running"], limit: ALL })) {
    const run = trigger.runId === null ? null : await store.run(trigger.runId);
    log.add({ trigger, run, decisions: await store.listDecisions({ triggerId: trigger.id, limit: ALL }) });
  }
}
