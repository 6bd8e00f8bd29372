import {
  createScheduler,
  type EventName,
  type Pipeline,
  type Scheduler,
  type SchedulerEvents,
  type SchedulerOptions,
} from "../../src/index.js";
import { type FakeClock, fakeClock } from "../../src/testing/index.js";
import { RECORD_EVENTS } from "./record-events.js";

/** Monday, 2 March 2026, midnight UTC. */
export const START = "2026-03-02T00:00:00Z";

const SILENT = { log: () => {} };

interface Told {
  readonly name: EventName;
  readonly event: SchedulerEvents[EventName];
}

export interface Harness {
  readonly clock: FakeClock;
  readonly scheduler: Scheduler;
  /** Everything it told, in order. */
  readonly told: Told[];
  /** What it told under one name. */
  heard<E extends EventName>(name: E): SchedulerEvents[E][];
}

const NAMES: readonly EventName[] = [
  ...RECORD_EVENTS,
  "run.progress",
  "run.adopted",
  "run.unresponsive",
  "run.late_result",
  "run.unrecorded",
  "schedule.fired",
  "schedule.dropped",
  "schedule.skipped",
  "schedule.unskipped",
  "schedule.replanned",
  "paused",
  "resumed",
  "pipeline.added",
  "pipeline.removed",
  "settings.changed",
  "interval.changed",
  "alert.fired",
  "alert.repeated",
  "alert.resolved",
  "alert.undelivered",
  "channel.failed",
  "channel.recovered",
  "audit.head",
  "started",
  "stopped",
  "clock.jumped",
  "clock.skewed",
  "sensor.failed",
  "sensor.recovered",
  "sensor.rejected",
  "sensor.overdue",
  "store.unavailable",
  "store.recovered",
  "error",
];

/** A started scheduler on a fake clock that writes down what it tells. */
export async function harness(pipelines: readonly Pipeline[], options: SchedulerOptions = {}): Promise<Harness> {
  const clock = (options.clock as FakeClock | undefined) ?? fakeClock(START);
  const scheduler = createScheduler({ pipelines, clock, logger: SILENT, random: () => 0.5, node: "node-1", ...options });
  const told: Told[] = [];
  for (const name of NAMES) scheduler.on(name, (event) => told.push({ name, event }));
  await scheduler.start();
  const heard = <E extends EventName>(name: E) => told.filter((one) => one.name === name).map(({ event }) => event as SchedulerEvents[E]);
  return { clock, scheduler, told, heard };
}

/** Ids in a row: `00:05` for an instant of the first day. */
export function timeOf(date: Date | null): string {
  return date === null ? "-" : date.toISOString().slice(11, 19);
}
