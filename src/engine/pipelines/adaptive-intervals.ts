import { type AdaptivePolicy, adapt, adaptiveAt, isAdaptive } from "../../adaptive/adaptive.js";
import { type Load, type Performance, sampleOf } from "../../adaptive/performance.js";
import { HeadgateError } from "../../base/errors.js";
import { toDate } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { checkAct } from "../../pipeline/requests.js";
import type {
  AdaptiveSchedules,
  AdaptiveStatus,
  IntervalChange,
  PerformanceNumbers,
} from "../../ports/scheduler-api/adaptive-schedules.js";
import type { RunStatus } from "../../run/run.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { DocumentCollection } from "../context/document-collection.js";
import { unknownPipeline } from "../context/errors.js";
import { isUnavailable } from "../context/store-health.js";

const KIND = "interval";
const CHANGES_KEPT = 20;
const QUEUE_COUNTED = 10_000;
/** Interval at which tuners that follow the load are called, whether runs end or not, ms. */
const LOAD_LOOK_MS = 600_000;
/** A measured load is shared for so long, ms: that of the processors is the mean since it was measured last. */
const LOAD_SHARED_MS = 60_000;
const ENDED: readonly RunStatus[] = ["succeeded", "failed", "timed_out"];

interface Kept {
  readonly baseMs: number;
  readonly intervalMs: number;
  readonly anchorAt: number;
  readonly changedAt: number;
  readonly changes: readonly (Omit<IntervalChange, "at"> & { readonly at: number })[];
}
type AllKept = ReadonlyMap<string, Kept>;

/** The overrides that {@link AdaptiveIntervals} needs. */
interface Steered {
  isFrozen(pipelineId: string): boolean;
  base(pipelineId: string): Pipeline | undefined;
  /** Registers a pipeline again, as it is now. */
  reapply(pipelineIds: readonly string[]): Promise<void>;
}

type AdaptiveIntervalsCore = Pick<Core, "clock" | "events" | "fireQueue" | "measureLoad" | "signals" | "store">;

/** Keeps the intervals of adaptive schedules: one document per pipeline, in one collection, so that a change happens once on several nodes and survives restarts. */
export class AdaptiveIntervals implements AdaptiveSchedules {
  readonly #core: AdaptiveIntervalsCore;
  readonly #audit: AuditRecorder;
  readonly #steered: Steered;
  readonly #looks = new Map<string, { readonly at: number; readonly reason: string }>();
  readonly #documents: DocumentCollection;
  #kept: AllKept = new Map();
  #version: number | null = null;
  #load: { readonly at: number; readonly value: Pick<Load, "cpu" | "memory"> } | null = null;
  #stopTimer: (() => void) | null = null;
  #isStarted = false;

  constructor(core: AdaptiveIntervalsCore, audit: AuditRecorder, steered: Steered) {
    this.#core = core;
    this.#audit = audit;
    this.#steered = steered;
    this.#documents = new DocumentCollection(core, "intervals", [KIND]);
    core.signals.runEnded.on((id) => this.onRunEnd(id));
  }

  /** A pipeline at the interval that it has now. */
  adapted(pipeline: Pipeline): Pipeline {
    const { schedule, id } = pipeline;
    if (followsLoad(pipeline)) this.#lookLater();
    const kept = isAdaptive(schedule) ? this.#of(id, schedule.policy) : null;
    if (kept === null || !isAdaptive(schedule)) return pipeline;
    return { ...pipeline, schedule: adaptiveAt(schedule.policy, within(schedule.policy, kept.intervalMs), kept.anchorAt) };
  }

  async refresh(): Promise<void> {
    await this.#documents.refresh();
    await this.#takeOver();
  }

  /** Begins to look at the load between runs, while there are tuners that follow it. */
  start(): void {
    this.#isStarted = true;
    for (const { pipeline } of this.#core.fireQueue.all()) {
      if (!followsLoad(pipeline)) continue;
      this.#lookLater();
      break;
    }
  }

  stop(): void {
    this.#isStarted = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
  }

  #lookLater(): void {
    if (!this.#isStarted || this.#stopTimer !== null) return;
    this.#stopTimer = this.#core.clock.setTimer(LOAD_LOOK_MS, () => {
      this.#stopTimer = null;
      for (const { pipeline } of this.#core.fireQueue.all()) {
        if (!followsLoad(pipeline)) continue;
        this.onRunEnd(pipeline.id);
        this.#lookLater();
      }
    });
  }

  /** Calls the tuner of a pipeline, if it has one: a run has ended, or it is time to look at the load. */
  onRunEnd(pipelineId: string): void {
    const schedule = this.#core.fireQueue.get(pipelineId)?.pipeline.schedule;
    if (schedule === undefined || !isAdaptive(schedule) || this.#steered.isFrozen(pipelineId)) return;
    const work = this.#look(pipelineId, schedule.policy).catch((error: unknown) => {
      if (!isUnavailable(error)) this.#core.events.report(error, `adapting the schedule of ${pipelineId}`);
    });
    this.#core.clock.track?.(work, "work");
  }

  get(pipelineId: string): AdaptiveStatus | null {
    const base = this.#steered.base(pipelineId);
    if (base === undefined) throw unknownPipeline(pipelineId);
    if (!isAdaptive(base.schedule)) return null;
    const { policy } = base.schedule;
    const kept = this.#of(pipelineId, policy);
    const look = this.#looks.get(pipelineId);
    const current = this.#core.fireQueue.get(pipelineId)?.pipeline.schedule ?? base.schedule;
    return {
      pipelineId,
      intervalMs: within(policy, kept?.intervalMs ?? policy.baseMs),
      baseMs: policy.baseMs,
      minMs: policy.minMs,
      maxMs: policy.maxMs,
      isFrozen: this.#steered.isFrozen(pipelineId),
      isOverridden: !isAdaptive(current),
      changes: (kept?.changes ?? []).map((one) => ({ ...one, at: toDate(one.at) })),
      lastLook: look === undefined ? null : { at: toDate(look.at), reason: look.reason },
    };
  }

  async reset(pipelineId: string, act: ActionContext = {}): Promise<void> {
    checkAct(act, "adaptive.reset");
    const base = this.#steered.base(pipelineId);
    if (base === undefined) throw unknownPipeline(pipelineId);
    if (!isAdaptive(base.schedule)) throw new HeadgateError("INVALID_ARGUMENT", `pipeline ${pipelineId} has no adaptive schedule`);
    const { policy } = base.schedule;
    const reason = act.reason ?? "reset";
    await this.#write(pipelineId, policy, act, (kept) => ({
      toMs: policy.baseMs,
      reason,
      performance: null,
      hasChanged: kept !== null,
    }));
  }

  async #look(pipelineId: string, policy: AdaptivePolicy): Promise<void> {
    const { store, clock } = this.#core;
    const runs = await store.listRuns({ pipelineId, statuses: ENDED, limit: policy.runs + 1 });
    const samples = runs.toReversed().flatMap((run) => sampleOf(run) ?? []);
    const load = { ...this.#measuredLoad(clock.now()), queueLength: await store.countWaiting(QUEUE_COUNTED) };
    const now = clock.now();
    const ask = (kept: Kept | null) =>
      adapt(policy, within(policy, kept?.intervalMs ?? policy.baseMs), kept?.changedAt ?? null, samples, load, now);
    const first = ask(this.#of(pipelineId, policy));
    this.#looks.set(pipelineId, { at: now, reason: first.reason });
    if (!first.isChange) return;
    await this.#write(pipelineId, policy, null, (kept) => {
      const { intervalMs, isChange, reason, performance } = ask(kept);
      return { toMs: intervalMs, reason, performance, hasChanged: isChange };
    });
  }

  #measuredLoad(now: number): Pick<Load, "cpu" | "memory"> {
    if (this.#load === null || now - this.#load.at >= LOAD_SHARED_MS) this.#load = { at: now, value: this.#core.measureLoad() };
    return this.#load.value;
  }

  /** Reads, decides and writes; when another node was quicker, again with what it wrote. */
  async #write(
    pipelineId: string,
    policy: AdaptivePolicy,
    act: ActionContext | null,
    decide: (kept: Kept | null) => { toMs: number; reason: string; performance: Performance | null; hasChanged: boolean },
  ): Promise<void> {
    const { fireQueue, events } = this.#core;
    const user = act?.user ?? null;
    const written = await this.#documents.change((now) => {
      const kept = keptOf(storedIn(this.#documents), pipelineId, policy);
      const { toMs, reason, performance, hasChanged } = decide(kept);
      if (!hasChanged) return null;
      const fromMs = kept?.intervalMs ?? policy.baseMs;
      const numbers = performance === null ? null : numbersOf(performance);
      const next: Kept = {
        baseMs: policy.baseMs,
        intervalMs: toMs,
        anchorAt: fireQueue.get(pipelineId)?.lastFireAt ?? now,
        changedAt: now,
        changes: [{ at: now, fromMs, toMs, reason, user }, ...(kept?.changes ?? [])].slice(0, CHANGES_KEPT),
      };
      const noted = this.#audit.noted(
        { action: "interval", pipelineId, before: { intervalMs: fromMs }, after: { intervalMs: toMs, performance: numbers } },
        { ...(act ?? { user: "tuner" }), reason },
      );
      return {
        writes: [{ kind: KIND, id: pipelineId, value: next }],
        user,
        noted,
        emitted: { fromMs, toMs, reason, performance: numbers },
      };
    });
    if (written === null) return;
    await this.#takeOver();
    events.emit("interval.changed", () => ({ pipelineId, ...written.emitted, user }));
  }

  async #takeOver(): Promise<void> {
    const { version } = this.#documents;
    if (version === this.#version) return;
    const next = storedIn(this.#documents);
    const changed = [...new Set([...this.#kept.keys(), ...next.keys()])].filter(
      (id) => this.#core.fireQueue.has(id) && JSON.stringify(this.#kept.get(id)) !== JSON.stringify(next.get(id)),
    );
    this.#kept = next;
    this.#version = version;
    if (changed.length > 0) await this.#steered.reapply(changed);
  }

  #of(pipelineId: string, policy: AdaptivePolicy): Kept | null {
    return keptOf(this.#kept, pipelineId, policy);
  }
}

function storedIn(documents: DocumentCollection): AllKept {
  return new Map([...documents.of(KIND)].map(([id, { value }]) => [id, value as Kept]));
}

/** Returns the stored interval; one for another base interval belongs to another schedule. */
function keptOf(all: AllKept, pipelineId: string, { baseMs }: AdaptivePolicy): Kept | null {
  const kept = all.get(pipelineId);
  return kept === undefined || kept.baseMs !== baseMs ? null : kept;
}

function followsLoad({ schedule }: Pipeline): boolean {
  return isAdaptive(schedule) && schedule.policy.tuner.followsLoad === true;
}

function within({ minMs, maxMs }: AdaptivePolicy, ms: number): number {
  return Math.min(maxMs, Math.max(minMs, ms));
}

function numbersOf({ samples, ...rest }: Performance): PerformanceNumbers {
  return { runs: samples.length, ...rest };
}
