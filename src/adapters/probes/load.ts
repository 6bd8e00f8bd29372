import { statfs } from "node:fs/promises";
import { HeadgateError } from "../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import { beside } from "../../base/share.js";
import type { Condition, ConditionContext } from "../../gate/condition.js";
import { conditionOn, type Measured, OUTSIDE_OPTIONS, type OutsideConditionOptions } from "../../gate/conditions/outside.js";
import type { Probe } from "../../ports/probe.js";
import { checkFile } from "./file.js";
import { cpuShare, memoryShare } from "./machine.js";

/** Options of {@link systemLoad}; percents, 0 to 100. */
export interface SystemLoadOptions extends OutsideConditionOptions {
  /** Processor time that is used, %; measured since the last evaluation. Default: not measured. */
  cpu?: number;
  /** Memory that is used, % of what this process may have. Default: not measured. */
  memory?: number;
  /** Triggers that wait, over all pipelines, beside the one that is decided on. Default: not counted. */
  queueLength?: number;
  /** Disk usage (%) of the file system of a path. Default: not measured. */
  disk?: { path: string; percent: number };
}

/**
 * Passes while this machine has room: nothing is over its limit. What is not named is not looked at.
 *
 * @throws HeadgateError `INVALID_ARGUMENT` for a limit that is none, or when there is none at all
 * @example
 * systemLoad({ cpu: 80, memory: 85, queueLength: 5, disk: { path: "/var/lib/data", percent: 90 } });
 */
export function systemLoad(options: SystemLoadOptions): Condition {
  checkOptions(options, { ...OUTSIDE_OPTIONS, cpu: true, memory: true, queueLength: true, disk: true }, "systemLoad");
  const { cpu, memory, disk, queueLength } = options;
  if (disk !== undefined) checkOptions(disk, { path: true, percent: true }, "systemLoad: disk");
  if (disk !== undefined) checkFile(disk.path, "systemLoad: disk.path");
  for (const [name, value] of [
    ["cpu", cpu],
    ["memory", memory],
    ["disk.percent", disk?.percent],
  ] as const)
    if (value !== undefined && !(value > 0 && value <= 100)) throw bad(`${name}: ${value} must be a percentage greater than 0`);
  if (queueLength !== undefined) checkInteger(queueLength, { least: 0 }, "queueLength", invalidArgument("systemLoad"));
  const measures: { readonly name: string; readonly limit: number; readonly probe: Probe<number> }[] = [];
  if (cpu !== undefined) measures.push({ name: "cpu", limit: cpu, probe: { name: "cpu", measure: percentOf(cpuShare()) } });
  if (memory !== undefined) measures.push({ name: "memory", limit: memory, probe: { name: "memory", measure: percentOf(memoryShare) } });
  if (disk !== undefined)
    measures.push({ name: "disk", limit: disk.percent, probe: { name: `disk ${disk.path}`, measure: () => diskPercent(disk.path) } });
  if (measures.length === 0 && queueLength === undefined) throw bad("at least one limit is required");
  const ask = async (context: ConditionContext): Promise<readonly Measured[]> => {
    const found = measures.map(async ({ name, limit, probe }) => compared(name, await context.measure(probe), limit, " %"));
    if (queueLength !== undefined) found.push(queueOf(context, queueLength));
    return Promise.all(found);
  };
  return conditionOn(
    "system load",
    measures.map(({ probe }) => probe),
    options,
    ask,
  );
}

function compared(name: string, value: number, limit: number, unit: string): Measured {
  const isGood = value <= limit;
  const shown = beside(value, limit);
  return {
    name,
    isGood,
    reason: `${shown}${unit}, ${isGood ? "limit" : "over"} ${limit}${unit}`,
    evidence: { value: Number(shown), limit },
  };
}

async function queueOf({ history }: ConditionContext, limit: number): Promise<Measured> {
  const others = Math.max(0, (await history.countWaiting(limit + 2)) - 1);
  return compared("queue", others, limit, "");
}

function percentOf(share: () => number): () => number {
  return () => share() * 100;
}

async function diskPercent(path: string): Promise<number> {
  const { blocks, bavail } = await statfs(path);
  return blocks === 0 ? 0 : (1 - bavail / blocks) * 100;
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `systemLoad: ${problem}`);
}
