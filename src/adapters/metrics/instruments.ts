import type { Scheduler } from "../../index.js";

/** Counters and measurements, named by Prometheus' conventions: base units, counters end in `_total`. @see https://prometheus.io/docs/practices/naming/ */
export const INSTRUMENTS = {
  headgate_triggers_total: { kind: "counter", help: "Triggers accepted by this node.", labels: ["pipeline", "kind"] },
  headgate_decisions_total: { kind: "counter", help: "Gate decisions by outcome.", labels: ["pipeline", "outcome"] },
  headgate_fire_times_dropped_total: { kind: "counter", help: "Fire times dropped by catchup or a pause.", labels: ["pipeline"] },
  headgate_runs_total: { kind: "counter", help: "Runs finished on this node, by status.", labels: ["pipeline", "status"] },
  headgate_run_retries_total: { kind: "counter", help: "Failed attempts that will be retried.", labels: ["pipeline"] },
  headgate_attempts_lost_total: { kind: "counter", help: "Attempts lost because their node died or stopped.", labels: ["pipeline"] },
  headgate_run_duration_seconds: { kind: "histogram", help: "Time from the first start of a run to its end.", labels: ["pipeline"] },
  headgate_schedule_lag_seconds: { kind: "histogram", help: "Delay from a fire time to the start of its run.", labels: ["pipeline"] },
  headgate_sensor_failures_total: { kind: "counter", help: "Failed sensor polls.", labels: ["pipeline", "sensor"] },
  headgate_alerts_total: { kind: "counter", help: "Alerts that started firing.", labels: ["rule", "severity"] },
  headgate_alert_channel_failures_total: { kind: "counter", help: "Notifications that a channel failed to deliver.", labels: ["channel"] },
  headgate_errors_total: { kind: "counter", help: "Errors raised in the background, with no caller to receive them.", labels: [] },
} as const;

export type InstrumentName = keyof typeof INSTRUMENTS;

/** Seconds: from a twentieth of one to three hours. */
export const BUCKETS: readonly number[] = [0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 1_800, 3_600, 10_800];

/** Receiver of measurements: a counter increases by `value`, a histogram records it. */
export type Recorder = (name: InstrumentName, labels: Readonly<Record<string, string>>, value: number) => void;

/** Measures a scheduler's events; the function returned ends it. Pipelines beyond `limit` are reported as `other`, so that labels stay few. */
export function measured(scheduler: Scheduler, record: Recorder, limit: number): () => void {
  const known = new Set<string>();
  const pipelineOf = (id: string) => {
    if (known.has(id)) return id;
    if (known.size >= limit) return "other";
    known.add(id);
    return id;
  };
  const ended = ({
    run,
  }: {
    run: { pipelineId: string; status: string; startedAt: Date; endedAt: Date | null; scheduledFor: Date | null };
  }) => {
    const pipeline = pipelineOf(run.pipelineId);
    record("headgate_runs_total", { pipeline, status: run.status }, 1);
    if (run.endedAt !== null)
      record("headgate_run_duration_seconds", { pipeline }, Math.max(0, run.endedAt.getTime() - run.startedAt.getTime()) / 1_000);
  };
  const ends = [
    scheduler.on("trigger.created", ({ trigger }) =>
      record("headgate_triggers_total", { pipeline: pipelineOf(trigger.pipelineId), kind: trigger.kind }, 1),
    ),
    scheduler.on("decision", ({ decision }) =>
      record("headgate_decisions_total", { pipeline: pipelineOf(decision.pipelineId), outcome: decision.outcome }, 1),
    ),
    scheduler.on("schedule.dropped", ({ pipelineId, decisions }) => {
      const count = decisions.reduce((sum, { missed }) => sum + (missed?.skip === undefined ? (missed?.count ?? 1) : 0), 0);
      if (count > 0) record("headgate_fire_times_dropped_total", { pipeline: pipelineOf(pipelineId) }, count);
    }),
    scheduler.on("run.started", ({ run: { pipelineId, startedAt, scheduledFor } }) => {
      if (scheduledFor === null) return;
      const seconds = Math.max(0, startedAt.getTime() - scheduledFor.getTime()) / 1_000;
      record("headgate_schedule_lag_seconds", { pipeline: pipelineOf(pipelineId) }, seconds);
    }),
    scheduler.on("run.succeeded", ended),
    scheduler.on("run.failed", ended),
    scheduler.on("run.timed_out", ended),
    scheduler.on("run.cancelled", ended),
    scheduler.on("run.retrying", ({ run }) => record("headgate_run_retries_total", { pipeline: pipelineOf(run.pipelineId) }, 1)),
    scheduler.on("run.lost", ({ run }) => record("headgate_attempts_lost_total", { pipeline: pipelineOf(run.pipelineId) }, 1)),
    scheduler.on("sensor.failed", ({ pipelineId, sensor }) => {
      const pipeline = pipelineOf(pipelineId);
      record("headgate_sensor_failures_total", { pipeline, sensor: pipeline === "other" ? "other" : sensor }, 1);
    }),
    scheduler.on("alert.fired", ({ alert }) => record("headgate_alerts_total", { rule: alert.rule, severity: alert.severity }, 1)),
    scheduler.on("channel.failed", ({ channel }) => record("headgate_alert_channel_failures_total", { channel }, 1)),
    scheduler.on("error", () => record("headgate_errors_total", {}, 1)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Values at the time of a scrape. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly values: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** Returns the current values of a scheduler; what needs the store is left out while that is away. */
export async function gaugesOf(scheduler: Scheduler, limit: number): Promise<readonly Gauge[]> {
  const status = scheduler.status();
  const one = (name: string, help: string, value: number | null): Gauge => ({
    name,
    help,
    values: value === null ? [] : [{ labels: {}, value }],
  });
  const seconds = (date: Date | null | undefined) => (date === null || date === undefined ? null : date.getTime() / 1_000);
  const gauges = [
    one("headgate_up", "1 while the scheduler runs.", status.phase === "running" ? 1 : 0),
    one("headgate_ready", "1 while the scheduler is ready: running, and its rounds succeed.", status.isReady ? 1 : 0),
    one("headgate_store_up", "1 while the store is available.", status.store.isAvailable ? 1 : 0),
    one(
      "headgate_last_tick_timestamp_seconds",
      "When a round of the scheduler's loop last succeeded; distinguishes a hung scheduler from an idle one.",
      seconds(status.lastRoundAt),
    ),
    one("headgate_paused", "1 while everything is paused.", status.pause === null ? 0 : 1),
    one("headgate_pipelines", "Pipelines of this node.", status.pipelines),
    one("headgate_node_active_runs", "Active runs on this node.", status.activeRuns),
    one(
      "headgate_node_unrecorded_ends",
      "Runs that ended on this node and are not yet recorded in the store.",
      status.unrecordedEnds.count,
    ),
    one(
      "headgate_clock_ahead_seconds",
      "Offset of this node's clock ahead of the store's.",
      status.clockAheadMs === null ? null : status.clockAheadMs / 1_000,
    ),
  ];
  if (status.phase !== "running" || !status.store.isAvailable) return gauges;
  const now = status.now.getTime();
  const total = await scheduler.statistics.total();
  const age = (date: Date | null) => (date === null ? 0 : Math.max(0, now - date.getTime()) / 1_000);
  const byPriority = Object.entries(total.queue.byPriority);
  gauges.push(
    one("headgate_active_runs", "Active runs on all nodes.", total.activeRuns),
    {
      name: "headgate_queue_length",
      help: "Waiting triggers on all nodes.",
      values: byPriority.map(([priority, { length }]) => ({ labels: { priority }, value: length })),
    },
    {
      name: "headgate_queue_oldest_age_seconds",
      help: "Age of the oldest waiting trigger.",
      values: byPriority.map(([priority, { oldestAt }]) => ({ labels: { priority }, value: age(oldestAt) })),
    },
  );
  const { seq, hash } = await scheduler.audit.head();
  gauges.push(
    one("headgate_audit_head_seq", "Number of the newest record of the audit log.", seq),
    one(
      "headgate_audit_head_hash",
      "The first 12 hexadecimal digits of that record's hash, as a number; recorded elsewhere, it proves later that the log is unchanged.",
      seq === 0 ? null : Number.parseInt(hash.slice(0, 12), 16),
    ),
  );
  const some = scheduler.pipelines().slice(0, limit);
  const intervals = some.flatMap(({ id }) => {
    const adaptive = scheduler.adaptive.get(id);
    return adaptive === null ? [] : [{ labels: { pipeline: id }, value: adaptive.intervalMs / 1_000 }];
  });
  if (intervals.length > 0)
    gauges.push({ name: "headgate_adaptive_interval_seconds", help: "Current interval of an adaptive schedule.", values: intervals });
  return gauges;
}
