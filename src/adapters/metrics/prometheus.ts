import type { Counter, Gauge as GaugeMetric, Histogram, Registry } from "prom-client";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import type { Scheduler } from "../../index.js";
import { loadPeer } from "../shared/load-peer.js";
import { BUCKETS, gaugesOf, INSTRUMENTS, type InstrumentName, measured } from "./instruments.js";

/** Options of {@link prometheusMetrics}. */
export interface PrometheusOptions {
  /** A registry of `prom-client` that others write into too. Default: one of its own. */
  register?: Registry;
  /** Number of pipelines with their own label; the others are reported as `other`. Default 500. */
  pipelines?: number;
  /** Upper bounds of the histograms' buckets, seconds. Default from 0.05 to 10,800. */
  buckets?: readonly number[];
}

/** The metrics of one scheduler. */
export interface PrometheusMetrics {
  readonly register: Registry;
  readonly contentType: string;
  /** It can leave out what is not of some pipelines. */
  readonly isFilterable: true;
  /**
   * All metrics in Prometheus' text format, as they are now.
   *
   * @param options - `pipelines`: only headgate's series that have one of them as their label `pipeline`; neither those of all pipelines together (`other`) nor those of others who write into `register`
   */
  metrics(options?: { readonly pipelines: readonly string[] }): Promise<string>;
  /** Counts no more. */
  close(): void;
}

/**
 * Metrics for Prometheus, through the package `prom-client`. Hand it to `createTriggerApi({ metrics })`, which serves it at `/metrics`, or serve `metrics()` yourself.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `MISSING_PEER`
 * @example
 * const metrics = prometheusMetrics(scheduler);
 * const api = createTriggerApi(scheduler, { metrics });
 */
export function prometheusMetrics(scheduler: Scheduler, options: PrometheusOptions = {}): PrometheusMetrics {
  checkOptions(options, { register: true, pipelines: true, buckets: true }, "prometheusMetrics");
  const { pipelines = 500, buckets = BUCKETS } = options;
  checkInteger(pipelines, { least: 0 }, "pipelines", invalidArgument("prometheusMetrics"));
  const library = loaded();
  const register = options.register ?? new library.Registry();
  const counters = new Map<InstrumentName, Counter>();
  const histograms = new Map<InstrumentName, Histogram>();
  for (const [name, { kind, help, labels }] of Object.entries(INSTRUMENTS)) {
    const shape = { name, help, labelNames: [...labels], registers: [register] };
    if (kind === "counter") counters.set(name as InstrumentName, new library.Counter(shape));
    else histograms.set(name as InstrumentName, new library.Histogram({ ...shape, buckets: [...buckets] }));
  }
  const close = measured(
    scheduler,
    (name, labels, value) => {
      counters.get(name)?.inc(labels, value);
      histograms.get(name)?.observe(labels, value);
    },
    pipelines,
  );
  const gauges = new Map<string, GaugeMetric>();
  return {
    register,
    contentType: register.contentType,
    isFilterable: true,
    metrics: async (only) => {
      for (const { name, help, values } of await gaugesOf(scheduler, pipelines)) {
        const labelNames = Object.keys(values[0]?.labels ?? {});
        const gauge = gauges.get(name) ?? new library.Gauge({ name, help, labelNames, registers: [register] });
        gauges.set(name, gauge);
        gauge.reset();
        for (const { labels, value } of values) gauge.set(labels, value);
        if (values.length === 0) gauge.remove();
      }
      const text = await register.metrics();
      return only === undefined ? text : seriesOf(text, new Set(only.pipelines));
    },
    close,
  };
}

/** Pipelines beyond the limit share this label: it is nobody's own. */
const SHARED = "other";

/** The series of some pipelines, with the descriptions of their metrics. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
function seriesOf(text: string, pipelines: ReadonlySet<string>): string {
  const lines: string[] = [];
  let described: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) described = [line];
    else if (line.startsWith("#")) described.push(line);
    else if (line.startsWith("headgate_") && isOf(line, pipelines)) {
      lines.push(...described.splice(0), line);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A quote within a label's value is escaped: only a label's own name stands before `="`. Ids of pipelines have nothing to escape. */
function isOf(series: string, pipelines: ReadonlySet<string>): boolean {
  const pipeline = /[{,]pipeline="([^"\\]*)"/.exec(series)?.[1];
  return pipeline !== undefined && pipeline !== SHARED && pipelines.has(pipeline);
}

function loaded(): typeof import("prom-client") {
  return loadPeer<typeof import("prom-client")>("prom-client", "prometheusMetrics needs");
}
