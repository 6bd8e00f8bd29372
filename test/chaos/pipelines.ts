import { setTimeout as wait } from "node:timers/promises";
import { condition, type ExecutionOptions, every, type Pipeline, pipeline, type RunContext, sensor } from "../../src/index.js";
import type { LogWriter } from "./log.js";

export const LEASE_MS = 3_000;
export const GRACE_MS = 500;
export const DRAIN_MS = 1_000;
export const POOLS: Readonly<Record<string, number>> = { pair: 2 };
export const GLOBAL_LIMIT = 16;
/** The instants of which the sensor raises one trigger each. */
export const SENSED_MS = 1_000;

/** What is to be known of a pipeline to check what became of it. */
export interface PipelineSpec {
  readonly id: string;
  /** It fires at the multiples of this, epoch ms; `null`: only when asked. */
  readonly stepMs: number | null;
  readonly execution: ExecutionOptions & { readonly retries: number; readonly maxActiveRuns: number };
  /** How long its function takes, ms. */
  readonly takesMs: readonly [number, number];
  readonly after?: string;
  /** A setting that is changed at run time lets this many run. */
  readonly mostActiveRuns?: number;
  /** A worker of a queue runs it, and not a node. */
  readonly isQueued?: boolean;
  /** Its schedule is changed while it runs: no series of fire times can be expected. */
  readonly isRetimed?: boolean;
}

/** Without the window, a clock that steps by hours would rightly raise hundreds of thousands of triggers. */
const SOON = { catchupWindow: "30s", retryDelay: "50ms", timeout: "20s" } as const;
const MANY = { ...SOON, retries: 200 };

/** One pipeline for each way of handling overlap, catchup, limits and failures. */
export const PIPELINES: readonly PipelineSpec[] = [
  { id: "tick", stepMs: 200, execution: { ...MANY, catchup: "all", overlap: "queue", maxActiveRuns: 6 }, takesMs: [20, 200] },
  { id: "follow", stepMs: null, after: "tick", execution: { ...MANY, maxActiveRuns: 6 }, takesMs: [0, 30] },
  { id: "latest", stepMs: 500, execution: { ...MANY, catchup: "latest", overlap: "queue_one", maxActiveRuns: 1 }, takesMs: [200, 600] },
  { id: "none", stepMs: 300, execution: { ...MANY, catchup: "none", overlap: "skip", maxActiveRuns: 1 }, takesMs: [200, 500] },
  { id: "replace", stepMs: 700, execution: { ...MANY, overlap: "cancel_running", maxActiveRuns: 1 }, takesMs: [300, 1_000] },
  { id: "gated", stepMs: 600, execution: { ...MANY, catchup: "all", overlap: "queue", maxActiveRuns: 2 }, takesMs: [20, 100] },
  { id: "pooled", stepMs: 400, execution: { ...MANY, pool: "pair", catchup: "all", maxActiveRuns: 3 }, takesMs: [100, 300] },
  { id: "shared", stepMs: null, execution: { ...MANY, pool: "pair", maxActiveRuns: 3 }, takesMs: [100, 300] },
  { id: "strict", stepMs: null, execution: { ...SOON, retries: 0, maxActiveRuns: 3 }, takesMs: [100, 800] },
  { id: "flaky", stepMs: null, execution: { ...SOON, retries: 4, backoff: "exponential", maxActiveRuns: 2 }, takesMs: [20, 100] },
  { id: "long", stepMs: null, execution: { ...MANY, maxActiveRuns: 2 }, takesMs: [2_500, 4_000] },
  { id: "sensed", stepMs: null, execution: { ...MANY, maxActiveRuns: 2 }, takesMs: [10, 50] },
  { id: "pausable", stepMs: 250, execution: { ...MANY, catchup: "all", overlap: "queue", maxActiveRuns: 3 }, takesMs: [10, 50] },
  { id: "halted", stepMs: null, execution: { ...MANY, maxActiveRuns: 1 }, takesMs: [10, 50] },
  { id: "tuned", stepMs: 500, mostActiveRuns: 3, execution: { ...MANY, overlap: "queue", maxActiveRuns: 1 }, takesMs: [100, 600] },
  { id: "retimed", stepMs: 60_000, isRetimed: true, execution: { ...MANY, maxActiveRuns: 1 }, takesMs: [10, 50] },
  { id: "queued", stepMs: null, isQueued: true, execution: { ...MANY, maxActiveRuns: 4 }, takesMs: [20, 400] },
];

interface Parameters {
  /** So many attempts fail first. */
  readonly failures?: number;
}

/** Runs the work of a pipeline and writes down when it really began and ended. */
async function work({ takesMs: [from, to], id }: PipelineSpec, context: RunContext<unknown>, log: LogWriter): Promise<string> {
  const { runId: run, attempt, trigger, signal } = context;
  const scheduledFor = trigger.scheduledFor?.getTime() ?? null;
  log.write({ line: "begin", run, pipeline: id, trigger: trigger.id, attempt, scheduledFor });
  try {
    await wait(from + Math.random() * (to - from), undefined, { signal });
    if (attempt <= ((context.parameters as Parameters).failures ?? 0)) throw new Error("it fails on purpose");
    log.write({ line: "end", run, pipeline: id, attempt, outcome: "ok" });
    return `${run} ${attempt}`;
  } catch (error) {
    log.write({ line: "end", run, pipeline: id, attempt, outcome: signal.aborted ? "aborted" : "error" });
    throw error;
  }
}

/** The pipelines with their functions. Those that a queue runs name the executor `queue`. */
export function pipelinesOf(specs: readonly PipelineSpec[], log: LogWriter): Pipeline[] {
  return specs.map((spec) =>
    pipeline({
      id: spec.id,
      ...(spec.stepMs === null ? {} : { schedule: every(spec.stepMs) }),
      ...(spec.after === undefined ? {} : { after: spec.after }),
      ...(spec.isQueued === true ? { executor: "queue" } : {}),
      ...(spec.id === "gated" ? { conditions: [open], onBlock: "hold", holdFor: "3s", recheckInterval: "1s" } : {}),
      ...(spec.id === "sensed" ? { sensors: [seconds] } : {}),
      execution: spec.execution,
      run: (context) => work(spec, context, log),
    }),
  );
}

/** Blocks for a second out of three. */
const open = condition("open", () => Date.now() % 3_000 < 2_000);

/** Finds every second of the machine's clock once. */
const seconds = sensor(
  "seconds",
  ({ cursor }) => {
    const now = Math.floor(Date.now() / SENSED_MS);
    const last = typeof cursor === "number" ? cursor : now - 1;
    const found = Array.from({ length: Math.max(0, now - last) }, (_, index) => last + index + 1);
    return { events: found.map((second) => ({ key: String(second), parameters: { second } })), cursor: Math.max(last, now) };
  },
  { every: "500ms", maxBackoff: "2s" },
);
