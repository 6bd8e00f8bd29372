import { hash } from "node:crypto";
import {
  type Attributes,
  type Context,
  type Counter,
  context,
  type Histogram,
  type Meter,
  metrics,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { isError, messageOf } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Executor, Scheduler } from "../../index.js";
import { gaugesOf, INSTRUMENTS, type InstrumentName, measured } from "./instruments.js";

/** Options of {@link otel}. */
export interface OtelOptions {
  /** Default: the global provider's, called `headgate`. */
  tracer?: Tracer;
  /** Default: the global one, under the name `headgate`. */
  meter?: Meter;
  /** Selects the triggers that are traced; must return the same for a trigger on every node. Default: all. */
  sample?: (triggerId: string) => boolean;
  /** Number of pipelines with their own attribute in metrics; the others are reported as `other`. Default 500. */
  pipelines?: number;
}

/** Traces and metrics for OpenTelemetry. */
export interface Otel {
  /** An executor whose runs have a span of their own as the active one: what they call is traced below it. */
  executor<E extends Executor>(executor: E): E;
  /** Traces triggers and decisions, and measures; the function returned ends it. */
  observe(scheduler: Scheduler): () => void;
}

/**
 * Traces each trigger from its acceptance over the decisions on it to its run, on whichever nodes they happen, and measures what `headgate/prometheus` does. Everything of a trigger is in one
 * trace, whose id follows from the trigger's id; the requester's span is linked. Needs the package `@opentelemetry/api`, and an SDK of the host's.
 *
 * @example
 * const telemetry = otel();
 * const scheduler = createScheduler({ pipelines, executor: telemetry.executor(functionExecutor()) });
 * telemetry.observe(scheduler);
 */
export function otel(options: OtelOptions = {}): Otel {
  checkOptions(options, { tracer: true, meter: true, sample: true, pipelines: true }, "otel");
  const tracer = options.tracer ?? trace.getTracer("headgate");
  const { sample = () => true, pipelines = 500 } = options;
  return {
    executor: (executor) => (executor.kind === "local" ? { ...executor, execute: traced(executor.execute, tracer, sample) } : executor),
    observe: (scheduler) => {
      const ends = [watched(scheduler, tracer, sample), counted(scheduler, options.meter ?? metrics.getMeter("headgate"), pipelines)];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

/** Where everything of a trigger hangs: ids that every node makes alike. @see https://www.w3.org/TR/trace-context/#traceparent-header */
function contextOf(triggerId: string): Context {
  const digest = hash("sha256", `headgate:${triggerId}`);
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: digest.slice(0, 32),
    spanId: digest.slice(32, 48),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

type Execute = Extract<Executor, { kind: "local" }>["execute"];

function traced(execute: Execute, tracer: Tracer, sample: (triggerId: string) => boolean): Execute {
  return async (run, control) => {
    if (!sample(run.trigger.id)) return execute(run, control);
    const parent = contextOf(run.trigger.id);
    const attributes = {
      "headgate.pipeline": run.pipelineId,
      "headgate.run": run.runId,
      "headgate.trigger": run.trigger.id,
      "headgate.attempt": run.attempt,
    };
    const span = tracer.startSpan(`run ${run.pipelineId}`, { kind: SpanKind.CONSUMER, attributes }, parent);
    try {
      return await context.with(trace.setSpan(parent, span), () => execute(run, control));
    } catch (error) {
      const message = messageOf(error);
      span.recordException(isError(error) ? error : message);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      throw error;
    } finally {
      span.end();
    }
  };
}

function watched(scheduler: Scheduler, tracer: Tracer, sample: (triggerId: string) => boolean): () => void {
  const point = (triggerId: string, name: string, at: Date, until: Date, attributes: Attributes, kind: SpanKind) => {
    if (!sample(triggerId)) return;
    const asking = trace.getSpanContext(context.active());
    const links = kind === SpanKind.PRODUCER && asking !== undefined ? [{ context: asking }] : [];
    tracer.startSpan(name, { kind, startTime: at, attributes, links }, contextOf(triggerId)).end(until);
  };
  const ends = [
    scheduler.on("trigger.created", ({ trigger: { id, pipelineId, kind, createdAt, user, priority } }) =>
      point(
        id,
        `trigger ${pipelineId}`,
        createdAt,
        createdAt,
        {
          "headgate.pipeline": pipelineId,
          "headgate.trigger": id,
          "headgate.kind": kind,
          "headgate.priority": priority,
          ...(user === null ? {} : { "headgate.user": user }),
        },
        SpanKind.PRODUCER,
      ),
    ),
    scheduler.on("decision", ({ decision: { triggerId, pipelineId, at, outcome, reason, findings } }) => {
      if (triggerId === null) return;
      const attributes: Attributes = { "headgate.pipeline": pipelineId, "headgate.outcome": outcome, "headgate.reason": reason };
      for (const { condition, result } of findings) attributes[`headgate.condition.${condition}`] = result;
      point(triggerId, `decision ${outcome} ${pipelineId}`, at, at, attributes, SpanKind.INTERNAL);
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function counted(scheduler: Scheduler, meter: Meter, pipelines: number): () => void {
  const nameOf = (name: string) => name.replace(/_(?:total|seconds)$/, "").replaceAll("_", ".");
  const counters = new Map<InstrumentName, Counter>();
  const histograms = new Map<InstrumentName, Histogram>();
  for (const [name, { kind, help }] of Object.entries(INSTRUMENTS)) {
    if (kind === "counter") counters.set(name as InstrumentName, meter.createCounter(nameOf(name), { description: help }));
    else histograms.set(name as InstrumentName, meter.createHistogram(nameOf(name), { description: help, unit: "s" }));
  }
  const end = measured(
    scheduler,
    (name, labels, value) => {
      counters.get(name)?.add(value, labels);
      histograms.get(name)?.record(value, labels);
    },
    pipelines,
  );
  const lastTick = meter.createObservableGauge("headgate.last.tick", {
    description: "When a round of the scheduler's loop last succeeded.",
    unit: "s",
  });
  const queue = meter.createObservableGauge("headgate.queue.length", { description: "Waiting triggers on all nodes." });
  const active = meter.createObservableGauge("headgate.active.runs", { description: "Active runs on all nodes." });
  const auditSeq = meter.createObservableGauge("headgate.audit.head.seq", { description: "Number of the newest record of the audit log." });
  const auditHash = meter.createObservableGauge("headgate.audit.head.hash", {
    description: "The first 12 hexadecimal digits of that record's hash, as a number.",
  });
  const gauges = [lastTick, queue, active, auditSeq, auditHash];
  const look: Parameters<Meter["addBatchObservableCallback"]>[0] = async (result) => {
    const found = new Map((await gaugesOf(scheduler, 0)).map((one) => [one.name, one.values]));
    for (const [name, gauge] of [
      ["headgate_last_tick_timestamp_seconds", lastTick],
      ["headgate_queue_length", queue],
      ["headgate_active_runs", active],
      ["headgate_audit_head_seq", auditSeq],
      ["headgate_audit_head_hash", auditHash],
    ] as const)
      for (const { labels, value } of found.get(name) ?? []) result.observe(gauge, value, labels);
  };
  meter.addBatchObservableCallback(look, gauges);
  return () => {
    end();
    meter.removeBatchObservableCallback(look, gauges);
  };
}
