import { setTimeout as wait } from "node:timers/promises";
import { holdsWriteLock } from "../file-locks.js";
import { DRAIN_MS, GRACE_MS } from "../pipelines.js";
import { ANYWHERE, type Fault } from "./fault.js";

/** How long after SIGTERM a node may take, ms: it drains, aborts, and records what it can; plus what a busy machine needs. */
export const STOPPING_MS = DRAIN_MS + GRACE_MS + 5_000 + 4_000;

/** How long after SIGSTOP a process surely stands still, ms. */
const STANDING_MS = 20;

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "kill",
    family: "process",
    on: ANYWHERE,
    weight: 5,
    holdMs: [0, 1_500],
    aim: "any",
    aftermathMs: 0,
    inject: async ({ fleet }, { slots }) => {
      await Promise.all(slots.map((slot) => fleet.kill(slot)));
      return async () => {};
    },
  },
  {
    name: "stop and continue",
    family: "process",
    on: ANYWHERE,
    weight: 5,
    holdMs: [200, 4_500],
    aim: "one",
    aftermathMs: 1_500,
    // nobody can take SQLite's one write lock away from a process that stands still, and nobody can write without it
    strikesAll: ({ fleet, postgres }, { slots }) =>
      postgres === null && slots.some((slot) => holdsWriteLock(fleet.pidOf(slot) ?? Number.NaN)),
    inject: async ({ fleet }, { slots }) => {
      for (const slot of slots) fleet.pause(slot);
      await wait(STANDING_MS);
      return async () => {
        for (const slot of slots) fleet.resume(slot);
      };
    },
  },
  {
    name: "terminate",
    family: "process",
    on: ANYWHERE,
    weight: 2,
    holdMs: [0, 500],
    aim: "one",
    aftermathMs: 0,
    inject: async ({ fleet }, { slots }) => {
      const ended = Promise.all(slots.map((slot) => fleet.terminate(slot, STOPPING_MS)));
      return async () => void (await ended);
    },
  },
  {
    name: "blocked event loop",
    family: "process",
    on: ANYWHERE,
    weight: 1,
    holdMs: [300, 3_000],
    aim: "one",
    aftermathMs: 1_500,
    inject: async ({ fleet }, { slots, holdMs }) => {
      const free = Promise.all(slots.map((slot) => fleet.ask(slot, { order: "block", ms: holdMs }, holdMs + 3_000)));
      return async () => void (await free);
    },
  },
];
