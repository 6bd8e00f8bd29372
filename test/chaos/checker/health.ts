import type { Evidence, FaultWindow } from "../evidence.js";

/** Whether a fault that a node may have felt overlaps the span. */
export function strikes(fault: FaultWindow, node: string, from: number, until: number): boolean {
  return (fault.isForAll || fault.nodes.includes(node)) && fault.from <= until && fault.until + fault.aftermathMs >= from;
}

/** Whether the node was up for the whole span and nothing struck it. */
export function wasHealthy({ faults, lives }: Evidence, node: string, from: number, until: number): boolean {
  const life = lives.find((one) => one.node === node);
  if (life === undefined || life.upAt === null || life.upAt > from || (life.until !== null && life.until < until)) return false;
  return !faults.some((fault) => strikes(fault, node, from, until));
}

/** Whether the wall clock of a node stepped in or near the span. */
export function isClockWrong({ faults }: Evidence, from: number, until: number): boolean {
  return faults.some((fault) => fault.family === "clock" && fault.from <= until && fault.until + fault.aftermathMs >= from);
}
