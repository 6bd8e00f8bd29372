import type { Fate, FateSpec } from "./spec.js";

/** Draws by a seed and names; the world, the player and the oracle share it, and nothing else. */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = mixed(seed) >>> 0;
  }

  /** In [0, 1): a linear congruential step over 32 bits, mixed. */
  next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return mixed(this.#state) / 4_294_967_296;
  }

  pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.next() * all.length)] as T;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** An integer from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }
}

/** A number in [0, 1) that depends on a seed and a name alone. */
function drawOf(seed: number, name: string): number {
  let hash = mixed(seed);
  for (let index = 0; index < name.length; index++) hash = mixed(hash ^ (name.charCodeAt(index) + index * 257));
  return hash / 4_294_967_296;
}

/** What a custom condition or a probe says at an instant: it keeps its mind for `period`. */
export function signalAt(seed: number, name: string, period: number, share: number, at: number): boolean {
  return drawOf(seed, `${name} ${Math.floor((at + 33_331) / period)}`) < share;
}

/** How an attempt goes that starts at an instant. Lengths end in odd ms, so that ends do not fall on fire times. */
export function fateOf(
  seed: number,
  pipelineId: string,
  { longest, fail, final, hang }: FateSpec,
  startedAt: number,
  attempt: number,
): Fate {
  const name = `${pipelineId} ${startedAt} ${attempt}`;
  const luck = drawOf(seed, name);
  const ms = 1_000 + 2 * Math.floor((drawOf(seed, `${name} length`) * longest) / 2) + 1;
  if (luck < hang) return { kind: "hang", ms, code: null };
  if (luck < hang + final) return { kind: "final", ms, code: null };
  if (luck < hang + final + fail) return { kind: "fail", ms, code: drawOf(seed, `${name} code`) < 0.5 ? "TRANSIENT" : "BROKEN" };
  return { kind: "ok", ms, code: null };
}

function mixed(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
