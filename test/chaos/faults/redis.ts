import type { Fault } from "./fault.js";

const BASE = { family: "redis", on: ["queue"], aim: "none", aftermathMs: 3_000 } as const;

export const REDIS_FAULTS: readonly Fault[] = [
  {
    ...BASE,
    name: "Redis killed",
    weight: 6,
    holdMs: [0, 1_500],
    inject: async ({ redis }) => {
      await redis?.kill();
      return async () => void (await redis?.start());
    },
  },
  {
    ...BASE,
    name: "worker killed",
    weight: 6,
    holdMs: [0, 1_000],
    inject: async ({ workers }) => {
      await workers?.kill(0);
      return async () => {};
    },
  },
  {
    ...BASE,
    name: "worker stopped and continued",
    weight: 3,
    holdMs: [200, 4_000],
    inject: async ({ workers }) => {
      workers?.pause(0);
      return async () => workers?.resume(0);
    },
  },
];
