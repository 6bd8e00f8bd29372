import { statfs } from "node:fs/promises";
import { type CpuInfo, cpus, freemem, totalmem } from "node:os";
import { HeadgateError } from "../../base/errors.js";
import type { Condition, ConditionContext } from "../../gate/condition.js";
import { type Asked, asking, type OutsideConditionOptions } from "../../gate/conditions/outside.js";
import type { Probe } from "../../ports/probe.js";

/** Options of {@link systemLoad}; percents, 0 to 100. */
export interface SystemLoadOptions extends OutsideConditionOptions {
  /** Processor time taken since the last look. */
  cpu?: number;
  /** Memory taken, of what this process may have. */
  memory?: number;
  /** Triggers that wait, over all pipelines, beside the one that is decided on. */
  queueLength?: number;
  /** Space taken where a path is. */
  disk?: { path: string; percent: number };
}

interface Times {
  readonly busy: number;
  readonly all: number;
}

/**
 * Passes while this machine has room: nothing is over its limit. What is not named is not looked at.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a limit that is none, or when there is none at all
 * @example
 * systemLoad({ cpu: 80, memory: 85, queueLength: 5, disk: { path: "/var/lib/data", percent: 90 } });
 */
export function systemLoad(options: SystemLoadOptions): Condition {
  const { cpu, memory, disk, queueLength } = options;
  for (const [name, value] of [
    ["cpu", cpu],
    ["memory", memory],
    ["disk.percent", disk?.percent],
  ] as const)
    if (value !== undefined && !(value > 0 && value <= 100)) throw bad(`${name}: ${value} must be a percentage over 0`);
  if (queueLength !== undefined && (!Number.isInteger(queueLength) || queueLength < 0))
    throw bad(`queueLength: ${queueLength} must be a whole number`);
  const measures: { readonly name: string; readonly limit: number; readonly probe: Probe<number> }[] = [];
  if (cpu !== undefined) measures.push({ name: "cpu", limit: cpu, probe: cpuProbe() });
  if (memory !== undefined) measures.push({ name: "memory", limit: memory, probe: { name: "memory", measure: memoryPercent } });
  if (disk !== undefined)
    measures.push({ name: "disk", limit: disk.percent, probe: { name: `disk ${disk.path}`, measure: () => diskPercent(disk.path) } });
  if (measures.length === 0 && queueLength === undefined) throw bad("give at least one limit");
  const ask = async (context: ConditionContext): Promise<readonly Asked[]> => {
    const found = measures.map(async ({ name, limit, probe }) => compared(name, await context.measure(probe), limit, " %"));
    if (queueLength !== undefined) found.push(queueOf(context, queueLength));
    return Promise.all(found);
  };
  return asking(
    "system load",
    measures.map(({ probe }) => probe),
    options,
    ask,
  );
}

function compared(name: string, value: number, limit: number, unit: string): Asked {
  const rounded = Math.round(value * 10) / 10;
  const isGood = value <= limit;
  return { name, isGood, reason: `${rounded}${unit}, ${isGood ? "limit" : "over"} ${limit}${unit}`, evidence: { value: rounded, limit } };
}

async function queueOf({ history }: ConditionContext, limit: number): Promise<Asked> {
  const others = Math.max(0, (await history.countWaiting(limit + 2)) - 1);
  return compared("queue", others, limit, "");
}

/** Of what has passed since the last look; at first, since the machine was started. */
function cpuProbe(): Probe<number> {
  let last: Times = { busy: 0, all: 0 };
  return {
    name: "cpu",
    measure: () => {
      const now = timesOf(cpus());
      const all = now.all - last.all;
      const percent = all > 0 ? ((now.busy - last.busy) / all) * 100 : (now.busy / Math.max(1, now.all)) * 100;
      last = now;
      return percent;
    },
  };
}

function timesOf(processors: readonly CpuInfo[]): Times {
  let [busy, all] = [0, 0];
  for (const { times } of processors) {
    const total = times.user + times.nice + times.sys + times.idle + times.irq;
    all += total;
    busy += total - times.idle;
  }
  return { busy, all };
}

function memoryPercent(): number {
  const limit = process.constrainedMemory() ?? 0;
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const free = total === totalmem() ? freemem() : Math.min(freemem(), Math.max(0, total - process.memoryUsage.rss()));
  return (1 - free / total) * 100;
}

async function diskPercent(path: string): Promise<number> {
  const { blocks, bavail } = await statfs(path);
  return blocks === 0 ? 0 : (1 - bavail / blocks) * 100;
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `systemLoad: ${problem}`);
}
