import { context, type Span, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, describe, expect, it } from "vitest";
import { otel } from "../../src/adapters/metrics/otel.js";
import { condition, functionExecutor, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
afterAll(() => context.disable());

function tracing() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: provider.getTracer("test"), spans: () => exporter.getFinishedSpans() };
}

describe("OpenTelemetry", () => {
  it("traces a trigger, the decision on it and its run in one trace, which is carried into the run, and links who asked", async () => {
    const { tracer, spans } = tracing();
    const telemetry = otel({ tracer });
    let seen: Span | undefined;
    const load = pipeline({
      id: "load",
      conditions: [condition("open", () => true)],
      run: async () => {
        seen = trace.getActiveSpan();
        tracer.startSpan("query").end();
      },
    });
    const { clock, scheduler } = await harness([load], { executor: telemetry.executor(functionExecutor()) });
    telemetry.observe(scheduler);
    const asking = tracer.startSpan("request");
    const { id } = await context.with(trace.setSpan(context.active(), asking), () => scheduler.trigger("load", { user: "ana" }));
    asking.end();
    await clock.settle();
    const byName = (name: string) => spans().find((one) => one.name === name);
    const [asked, decided, run, query] = ["trigger load", "decision run load", "run load", "query"].map(byName);
    expect(new Set([asked, decided, run, query].map((one) => one?.spanContext().traceId)).size).toBe(1);
    expect(query?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId);
    expect(seen?.spanContext().spanId).toBe(run?.spanContext().spanId);
    expect(asked?.links.map(({ context: linked }) => linked.spanId)).toEqual([asking.spanContext().spanId]);
    expect(decided?.attributes).toMatchObject({ "headgate.outcome": "run", "headgate.condition.open": "pass" });
    expect(run?.attributes).toMatchObject({ "headgate.pipeline": "load", "headgate.trigger": id, "headgate.attempt": 1 });
    await scheduler.stop();
  });

  it("tells of a run that fails, traces only what it should, and makes the same trace on every node", async () => {
    const { tracer, spans } = tracing();
    const failing = pipeline({
      id: "load",
      execution: { retries: 0 },
      run: () => {
        throw new Error("no warehouse");
      },
    });
    const ids: string[] = [];
    const telemetry = otel({ tracer, sample: (id) => id !== ids[1] });
    const { clock, scheduler } = await harness([failing], { executor: telemetry.executor(functionExecutor()) });
    const end = telemetry.observe(scheduler);
    await scheduler.pause();
    ids.push((await scheduler.trigger("load")).id);
    await scheduler.resume();
    await clock.settle();
    const [run] = spans().filter(({ name }) => name === "run load");
    expect(run).toMatchObject({ status: { code: 2, message: "no warehouse" }, events: [{ name: "exception" }] });
    end();
    const before = spans().length;
    await scheduler.trigger("load");
    await clock.settle();
    expect(
      spans()
        .slice(before)
        .map(({ name }) => name),
    ).toEqual(["run load"]); // the executor traces on, the rest does not
    await scheduler.stop();
  });

  it("measures", async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ readers: [reader] });
    const { clock, scheduler } = await harness([pipeline({ id: "load", run: () => {} })]);
    otel({ meter: provider.getMeter("test"), tracer: tracing().tracer }).observe(scheduler);
    await scheduler.trigger("load");
    await clock.settle();
    await reader.forceFlush();
    const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    const named = (name: string) => found.find(({ descriptor }) => descriptor.name === name);
    expect(named("headgate.runs")?.dataPoints).toMatchObject([{ value: 1, attributes: { pipeline: "load", status: "succeeded" } }]);
    expect(named("headgate.run.duration")?.descriptor.unit).toBe("s");
    expect(named("headgate.last.tick")?.dataPoints.length).toBe(1);
    await provider.shutdown();
    await scheduler.stop();
  });
});
