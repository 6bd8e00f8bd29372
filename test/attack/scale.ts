import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** `npm run test:attack` sets HEADGATE_ATTACK=full; without it, as in `npm test`, each suite runs a short form. */
const isFull = process.env.HEADGATE_ATTACK === "full";

/** Seed of everything that is generated. Default 1. */
export const SEED = Number(process.env.HEADGATE_ATTACK_SEED ?? 1);
if (!Number.isInteger(SEED)) throw new Error(`HEADGATE_ATTACK_SEED: must be an integer (got ${process.env.HEADGATE_ATTACK_SEED})`);

/** Returns the first number in the short form and the second in the full one. */
export function scaled(short: number, full: number): number {
  return isFull ? full : short;
}

/** Returns the bytes of the heap that are in use after a full garbage collection. */
export function heapInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
