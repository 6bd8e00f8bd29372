import { ANYWHERE, type Fault, ON_POSTGRES } from "./fault.js";

const STEPS_MS = [30_000, -30_000, 600_000, -600_000, 43_200_000, -43_200_000];

const inject: Fault["inject"] = async ({ fleet }, { slots, size }) => {
  const set = (aheadMs: number) => Promise.all(slots.map((slot) => fleet.ask(slot, { order: "clock", aheadMs })));
  await set(size);
  return async () => void (await set(0));
};
const BASE = { family: "clock", holdMs: [300, 2_000], sizes: STEPS_MS, aftermathMs: 3_000, inject } as const;

/** Clocks step by the clock port. Nodes on one SQLite file are on one machine, and have one clock. */
export const CLOCK_FAULTS: readonly Fault[] = [
  { ...BASE, name: "clock of one node", on: ON_POSTGRES, weight: 2, aim: "one" },
  { ...BASE, name: "clock of all nodes", on: ANYWHERE, weight: 1, aim: "all" },
];
