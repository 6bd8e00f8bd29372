import { type CpuInfo, cpus, freemem, totalmem } from "node:os";
import type { Load } from "../../adaptive/performance.js";

interface Times {
  readonly busy: number;
  readonly all: number;
}

/** Returns a function that measures the load of this machine since its previous call. */
export function machineLoad(): () => Pick<Load, "cpu" | "memory"> {
  const cpu = cpuShare();
  return () => ({ cpu: cpu(), memory: memoryShare() });
}

/** The share of the processors' time that was taken since the last look; at first, since the machine was started. */
export function cpuShare(): () => number {
  let last: Times = { busy: 0, all: 0 };
  return () => {
    const now = timesOf(cpus());
    const all = now.all - last.all;
    const share = all > 0 ? (now.busy - last.busy) / all : now.busy / Math.max(1, now.all);
    last = now;
    return share;
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

/** The share of the memory that is taken, of what this process may have. */
export function memoryShare(): number {
  const limit = process.constrainedMemory() ?? 0;
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const free = total === totalmem() ? freemem() : Math.min(freemem(), Math.max(0, total - process.memoryUsage.rss()));
  return 1 - free / total;
}
