import { formatDuration } from "../base/duration.js";
import { isoUtc } from "../base/instant.js";
import { patterns } from "../pattern/presets.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { BuildContext } from "./compile/context.js";

const YEAR_MS = 366 * 86_400_000;
const LONG_AGO_MS = 10 * YEAR_MS;
const TRIES = 5_000;

/** Checks that span several parts: cycles, pipelines that would never run, lengths that contradict each other. */
export function crossCheck(context: BuildContext, pipelines: readonly Pipeline[], now: number): void {
  checkNames(context);
  checkCircles(context);
  for (const one of pipelines) {
    checkLengths(context, one);
    checkFires(context, one, now);
  }
}

/** Names in pipelines that are wrong otherwise, which were not made. */
function checkNames(context: BuildContext): void {
  const own = [...context.names("patterns"), ...context.names("business_patterns")];
  for (const id of context.names("pipelines")) {
    if (Object.hasOwn(context.config.pipelines ?? {}, id)) continue;
    const at = (...path: readonly string[]) => ["pipelines", id, ...path];
    const check = (path: readonly string[], what: string, known: readonly string[]) => {
      const name = context.raw(at(...path));
      if (typeof name === "string") context.checkName(at(...path), what, name, known);
    };
    check(["pattern"], "pattern", [...own, ...Object.keys(patterns)]);
    check(["executor"], "executor", context.names("executors"));
    check(["execution", "pool"], "pool", context.pools());
    for (const upstream of upstreamOf(context, id)) context.checkName(at("after"), "pipeline", upstream, context.names("pipelines"));
  }
}

function upstreamOf(context: BuildContext, id: string): readonly string[] {
  const after = context.raw(["pipelines", id, "after"]);
  return (Array.isArray(after) ? after : [after]).filter((one) => typeof one === "string");
}

function checkCircles(context: BuildContext): void {
  const done = new Set<string>();
  const walk = (id: string, trail: readonly string[]): void => {
    const start = trail.indexOf(id);
    if (start !== -1) {
      const circle = [...trail.slice(start), id];
      context.refuse(["pipelines", id, "after"], `pipelines depend on each other in a cycle: ${circle.toReversed().join(" → ")}`);
    } else if (!done.has(id)) {
      for (const upstream of upstreamOf(context, id)) walk(upstream, [...trail, id]);
      done.add(id);
    }
  };
  for (const id of context.names("pipelines")) walk(id, []);
}

function checkLengths(context: BuildContext, { id, execution, slaMs, pattern }: Pipeline): void {
  const { timeoutMs, retryDelayMs, retries } = execution;
  const own = context.config.pipelines?.[id]?.execution ?? {};
  const isDelayGiven = own.retry_delay !== undefined || pattern !== null;
  const at = (name: "timeout" | "retry_delay") => ["pipelines", id, ...(own[name] === undefined ? [] : ["execution", name])];
  if (retries > 0 && isDelayGiven && timeoutMs < retryDelayMs)
    context.refuse(
      at(own.timeout === undefined ? "retry_delay" : "timeout"),
      `the timeout, ${formatDuration(timeoutMs)}, is shorter than the retry delay, ${formatDuration(retryDelayMs)}: a run would wait longer than it works; change one of the two`,
    );
  if (slaMs !== null && slaMs < timeoutMs)
    context.refuse(
      context.config.pipelines?.[id]?.sla === undefined ? at("timeout") : ["pipelines", id, "sla"],
      `the SLA, ${formatDuration(slaMs)}, is shorter than the timeout, ${formatDuration(timeoutMs)}: a run could miss the SLA without timing out; change one of the two`,
    );
}

/** Returns true if there is a fire time at all that no maintenance window blocks; within a year. */
function checkFires(context: BuildContext, { id, schedule, gate }: Pipeline, now: number): void {
  if (schedule.kind === "manual") return;
  const path = ["pipelines", id, "schedule"];
  const first = schedule.nextAfter(now);
  if (first === null) {
    if (schedule.nextAfter(now - LONG_AGO_MS) === null) context.refuse(path, `${schedule.describe()} never fires`); // what has fired for the last time is right all the same
    return;
  }
  const windows = gate.conditions.filter(
    (one) => one.isMaintenanceAt !== undefined && one.nextChangeAfter !== undefined && (one.onBlock ?? gate.onBlock) === "skip",
  );
  if (windows.length === 0) return;
  let fire: number | null = first;
  for (let tries = 0; fire !== null && fire < now + YEAR_MS && tries < TRIES; tries++) {
    const at: number = fire;
    const blocking = windows.filter((one) => one.isMaintenanceAt?.(at) === true);
    if (blocking.length === 0) return;
    const ends = blocking.map((one) => one.nextChangeAfter?.(at) ?? Number.POSITIVE_INFINITY);
    const end = Math.max(...ends);
    if (end === Number.POSITIVE_INFINITY) break;
    fire = schedule.nextAfter(Math.max(at, end - 1));
  }
  context.refuse(
    path,
    `maintenance windows block every fire time from ${isoUtc(first)} on, so it would never run; change the windows or the schedule, or set on_block to hold`,
  );
}
