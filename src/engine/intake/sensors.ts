import { HeadgateError } from "../../base/errors.js";
import { Heap } from "../../base/heap.js";
import { toDate } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { SensorStatus } from "../../ports/scheduler-api/status.js";
import type { AnySensor } from "../../ports/sensor.js";
import type { Core } from "../context/core.js";
import { isUnavailable } from "../context/store-health.js";
import { SensorPoller } from "./sensor-poller.js";

type SensorRunnerCore = Pick<
  Core,
  "clock" | "events" | "fireQueue" | "logger" | "newId" | "node" | "random" | "redact" | "sensorOf" | "settings" | "signals" | "store"
>;

/**
 * Looks through the sensors of this node's pipelines. A sensor is looked through by the node that has its cursor; the lease on all cursors of a node is extended in
 * one statement every third of a lease, so that a look that finds nothing writes nothing.
 */
export class SensorRunner {
  readonly #core: SensorRunnerCore;
  readonly #tasks = new Map<string, SensorPoller>();
  /** The same by pipeline, of those that have any. */
  readonly #byPipeline = new Map<string, Set<SensorPoller>>();
  readonly #due = new Heap<SensorPoller>();
  readonly #busy = new Set<Promise<unknown>>();
  #isRunning = false;
  #claimAt = 0;
  #wokeAt = 0;
  #stopTimer: (() => void) | null = null;
  #claiming: Promise<void> | null = null;

  /** @param onTriggers - called when triggers were raised */
  constructor(core: SensorRunnerCore) {
    this.#core = core;
  }

  /** Takes over a pipeline's sensors: new ones begin, those of the same name go on where they are, others end. */
  put(pipeline: Pipeline): void {
    this.#put(pipeline.id, sensorsOf(this.#core, pipeline));
  }

  #put(pipelineId: string, sensors: readonly AnySensor[]): void {
    const own = this.#byPipeline.get(pipelineId);
    if (own === undefined && sensors.length === 0) return;
    const polled = sensors.filter((one) => one.kind === "poll");
    const names = new Set(polled.map(({ name }) => name));
    for (const task of own ?? []) if (!names.has(task.sensor.name)) this.#drop(task);
    for (const sensor of polled) {
      const task = new SensorPoller(this.#core, pipelineId, sensor);
      const known = this.#tasks.get(task.cursorName);
      if (known !== undefined) known.sensor = sensor;
      else this.#add(task);
    }
    if (polled.length > 0 && this.#isRunning) {
      this.#claimAt = 0;
      this.#arm();
    }
  }

  remove(pipelineId: string): void {
    this.#put(pipelineId, []);
  }

  start(): void {
    this.#isRunning = true;
    this.#arm();
  }

  /** Stops active polls and releases the cursors; resolves when that is done. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#stopTimer?.();
    this.#stopTimer = null;
    await this.#claiming;
    const reason = new HeadgateError("SENSOR_STOPPED", "the scheduler stopped");
    for (const task of this.#tasks.values()) task.abort(reason);
    await Promise.all(this.#busy);
    await this.#release([...this.#tasks.values()]);
    this.#tasks.clear();
    this.#byPipeline.clear();
  }

  status(): readonly SensorStatus[] {
    return [...this.#tasks.values()].map((task) => ({
      pipelineId: task.pipelineId,
      name: task.sensor.name,
      isHeldHere: task.cursor !== null,
      lastLookAt: toDate(task.lastLookAt),
      lastEventAt: toDate(task.lastEventAt),
      nextLookAt: toDate(task.heapIndex === -1 ? null : Math.ceil(task.heapKey)),
      failures: task.failures,
      error: task.error,
      isOverdue: task.isOverdue,
    }));
  }

  /** Puts the next timer. */
  #arm(): void {
    if (!this.#isRunning || this.#tasks.size === 0) return;
    const { clock, settings } = this.#core;
    const now = clock.now();
    const next = Math.min(this.#claimAt, this.#due.peek()?.heapKey ?? Number.POSITIVE_INFINITY);
    this.#stopTimer?.();
    this.#stopTimer = clock.setTimer(Math.max(0, Math.min(next - now, settings.trustMs)), () => this.#wake());
  }

  #wake(): void {
    if (!this.#isRunning) return;
    const now = this.#core.clock.now();
    if (now < this.#wokeAt) this.#clockWentBack(now);
    this.#wokeAt = now;
    if (this.#claimAt <= now && this.#claiming === null) {
      this.#claimAt = now + Math.ceil(this.#core.settings.leaseMs / 3);
      const claiming = this.#claim(now).finally(() => {
        this.#claiming = null;
        this.#arm();
      });
      this.#claiming = claiming;
      this.#core.clock.track?.(claiming, "work");
    }
    for (let task = this.#due.peek(); task !== undefined && task.heapKey <= now; task = this.#due.peek()) {
      this.#due.remove(task);
      this.#look(task, now);
    }
    this.#arm();
  }

  /** Instants that were computed by a clock ahead of time are too late. */
  #clockWentBack(now: number): void {
    this.#claimAt = now;
    for (const task of this.#tasks.values())
      if (task.heapIndex !== -1) this.#due.set(task, Math.min(task.heapKey, now + task.sensor.everyMs));
  }

  #look(task: SensorPoller, now: number): void {
    const { clock } = this.#core;
    if (task.cursor === null) return; // looked through elsewhere; when it comes here, it is put in line again
    if ((task.cursor.leaseUntil ?? 0) <= now || task.isLooking) {
      this.#due.set(task, now + task.sensor.everyMs); // the lease could not be extended, or the last look does not heed its signal
      return;
    }
    const work = task.look().then((waitMs) => {
      this.#busy.delete(work);
      if (task.lastEventAt !== null && task.lastEventAt >= now) this.#core.signals.wake.emit();
      if (task.cursor === null || this.#tasks.get(task.cursorName) !== task) return;
      this.#due.set(task, clock.now() + waitMs);
      this.#arm();
    });
    this.#busy.add(work);
    clock.track?.(work, "condition");
  }

  async #claim(now: number): Promise<void> {
    const { store, node, settings, events } = this.#core;
    const tasks = [...this.#tasks.values()];
    if (tasks.length === 0) return;
    try {
      const names = tasks.map(({ cursorName }) => cursorName);
      const claimed = await store.claimCursors(names, node, now + settings.leaseMs, now);
      for (const [index, task] of tasks.entries()) {
        const record = claimed[index] ?? null;
        const isNew = record !== null && record.token !== task.cursor?.token;
        if (record === null) task.abort(new HeadgateError("SENSOR_STOPPED", "sensor taken over by another node"));
        if (this.#tasks.get(task.cursorName) !== task) continue;
        task.cursor = record === null || isNew ? record : { ...record, value: task.cursor?.value ?? record.value };
        if (!isNew) continue;
        task.lastEventAt = record.updatedAt;
        this.#due.set(task, now);
      }
    } catch (error) {
      if (!isUnavailable(error)) events.report(error, "claiming sensor cursors");
    }
  }

  #add(task: SensorPoller): void {
    this.#tasks.set(task.cursorName, task);
    this.#byPipeline.set(task.pipelineId, (this.#byPipeline.get(task.pipelineId) ?? new Set()).add(task));
  }

  #drop(task: SensorPoller): void {
    this.#tasks.delete(task.cursorName);
    const own = this.#byPipeline.get(task.pipelineId);
    own?.delete(task);
    if (own?.size === 0) this.#byPipeline.delete(task.pipelineId);
    this.#due.remove(task);
    task.abort(new HeadgateError("SENSOR_STOPPED", "the sensor was removed"));
    void this.#release([task]);
  }

  /** Releases cursors; those that cannot be released now are taken over after their lease expires. */
  async #release(tasks: readonly SensorPoller[]): Promise<void> {
    const held = tasks.filter(({ cursor }) => cursor !== null);
    for (const task of held) task.cursor = null;
    if (held.length === 0) return;
    const { store, node, events } = this.#core;
    try {
      await store.releaseCursors(
        held.map(({ cursorName }) => cursorName),
        node,
      );
    } catch (error) {
      if (!isUnavailable(error)) events.report(error, "releasing sensor cursors");
    }
  }
}

/** A pipeline's own sensors; else the one that its pattern describes, if somebody can make it. */
function sensorsOf({ sensorOf, logger }: Pick<Core, "logger" | "sensorOf">, { id, sensors, pattern }: Pipeline): readonly AnySensor[] {
  const described = pattern?.sensor ?? null;
  if (sensors.length > 0 || described === null) return sensors;
  const made = sensorOf?.(described, id) ?? null;
  if (made !== null) return [made];
  const problem = `it has no sensor; pass \`sensors\` to the pipeline, or \`sensorFactory: patternSensors(…)\` (of headgate/sensors) to createScheduler`;
  logger.log("warn", `pipeline ${id} has the pattern ${pattern?.name}, but ${problem}`, { pipelineId: id });
  return sensors;
}
