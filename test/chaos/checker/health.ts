import type { Evidence, FaultWindow } from "../evidence.js";

/** Whether a fault that a node may have felt overlaps the span. */
export function strikes(fault: FaultWindow, node: string, from: number, until: number): boolean {
  return (fault.isForAll || fault.nodes.includes(node)) && fault.from <= until && fault.until + fault.aftermathMs >= from;
}

/** Whether the node was up for the whole span and nothing struck it. */
export function wasHealthy({ faults, lives }: Evidence, node: string, from: number, until: number): boolean {
  const life = lives.find((one) => one.node === node);
  const ended = life?.stoppingAt ?? life?.until ?? Number.POSITIVE_INFINITY;
  if (life === undefined || life.upAt === null || life.upAt > from || ended < until) return false;
  return !faults.some((fault) => strikes(fault, node, from, until));
}

/** Whether the wall clock of a node stepped in or near the span. */
export function isClockWrong({ faults }: Pick<Evidence, "faults">, from: number, until: number): boolean {
  return faults.some((fault) => fault.family === "clock" && fault.from <= until && fault.until + fault.aftermathMs >= from);
}

/** Whether a span between two instants in the store may have been recorded by a wrong clock: where there is no other to compare it with, what it recorded is off by its step. */
export function isSpanWrong(evidence: Evidence, from: number, until: number): boolean {
  if (isClockWrong(evidence, from, until)) return true;
  if (evidence.hasServerClock) return false;
  return evidence.faults.some(
    (fault) => fault.family === "clock" && isClockWrong({ faults: [fault] }, from - fault.size, until - fault.size),
  );
}

/** How far ahead the only clock there is may have been at an instant, ms: nodes on one file have the machine's clock, and no other to compare it with. */
export function onlyClockAheadMs({ faults, hasServerClock }: Evidence, at: number): number {
  if (hasServerClock) return 0;
  const steps = faults.filter((fault) => fault.family === "clock" && fault.from <= at && fault.until + fault.aftermathMs >= at);
  return Math.max(0, ...steps.map(({ size }) => size));
}
