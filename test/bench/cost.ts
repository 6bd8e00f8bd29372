import { expect } from "vitest";

/** Counts of one run, from the request to its recorded end, by what was counted. */
export type Cost = Readonly<Record<string, number>>;

/** Leaves out what a store costs on which nothing runs. */
export function perRun(runs: number, cost: Cost, idle: Cost): Cost {
  return Object.fromEntries(Object.entries(cost).map(([name, count]) => [name, (count - (idle[name] ?? 0)) / runs]));
}

/** Nothing at all is beyond the bounds too: then nothing was counted. */
export function expectAtMost(cost: Cost, bounds: Cost): void {
  const beyond = Object.entries(cost).filter(([name, count]) => !(count > 0) || count > (bounds[name] ?? 0));
  expect(beyond, `${JSON.stringify(cost)}, at most ${JSON.stringify(bounds)}`).toEqual([]);
}
