import { type Kind, NODES } from "./environment.js";
import { FAULTS } from "./faults/catalog.js";
import type { Family, Fault, Hit } from "./faults/fault.js";
import { Random } from "./random.js";

/** The kinds of store, in the order in which the epochs take them. */
const KINDS: readonly Kind[] = ["postgres", "sqlite", "postgres", "queue"];
/** Families of which one fault at a time makes sense. */
const EXCLUSIVE: ReadonlySet<Family> = new Set(["postgres", "sqlite", "redis", "clock"]);

export interface PlannedFault extends Hit {
  readonly fault: Fault;
  /** From the beginning of the round, ms. */
  readonly atMs: number;
}

export interface RoundPlan {
  readonly round: number;
  readonly epoch: number;
  readonly kind: Kind;
  readonly faults: readonly PlannedFault[];
}

export interface PlanOptions {
  readonly seed: number;
  /** Rounds on one store. */
  readonly epochRounds: number;
  /** Only faults of these families. */
  readonly families: readonly Family[];
  readonly kinds?: readonly Kind[];
}

/** Plans round `round` (from 1): the same options make the same plan. */
export function planOf({ seed, epochRounds, families, kinds = KINDS }: PlanOptions, round: number): RoundPlan {
  const epoch = Math.floor((round - 1) / epochRounds);
  const kind = kinds[epoch % kinds.length] ?? "postgres";
  const random = new Random(seed, round);
  const possible = FAULTS.filter(({ on, family }) => on.includes(kind) && families.includes(family));
  const faults: PlannedFault[] = [];
  const count = possible.length === 0 ? 0 : random.pick([1, 1, 2, 2, 3]);
  for (let n = 0; n < count; n++) {
    const fault = random.weighted(possible);
    const planned = { fault, atMs: random.between(100, 800), ...hitOf(fault, NODES[kind], random) };
    if (!faults.some((other) => conflicts(other, planned))) faults.push(planned);
  }
  return { round, epoch, kind, faults };
}

function hitOf(fault: Fault, nodes: number, random: Random): Hit {
  const all = Array.from({ length: nodes }, (_, slot) => slot);
  const isOne = fault.aim === "one" || (fault.aim === "any" && random.chance(0.75));
  return {
    slots: fault.aim === "none" ? [] : isOne ? [random.pick(all)] : all,
    holdMs: Math.round(random.between(...fault.holdMs)),
    size: fault.sizes === undefined ? 0 : random.pick(fault.sizes),
  };
}

/** Two faults that would undo each other, or of which one makes the other impossible. */
function conflicts(one: PlannedFault, other: PlannedFault): boolean {
  if (one.fault.family !== other.fault.family) return false;
  return EXCLUSIVE.has(one.fault.family) || one.slots.some((slot) => other.slots.includes(slot));
}
