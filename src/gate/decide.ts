import { isoUtc } from "../base/instant.js";
import type { Condition, OnBlock, PartFinding } from "./condition.js";
import type { DecisionOutcome } from "./finding.js";
import type { StartLimit } from "./start-limit.js";

/** A pipeline's conditions with the policy for a block. Lengths in ms. */
export interface Gate {
  /** In the order they are asked: those that need only the time first, those that ask the outside last. */
  readonly conditions: readonly Condition[];
  readonly onBlock: OnBlock;
  /** Time a held trigger waits before it expires. */
  readonly holdForMs: number;
  /** When to look again if no condition knows. */
  readonly recheckIntervalMs: number;
}

/** Result of the findings. */
export interface GateOutcome {
  readonly outcome: DecisionOutcome;
  readonly reason: string;
  /** For `hold`: when to look again, and when to give up; epoch ms. */
  readonly recheckAt: number;
  readonly expiresAt: number;
  /** For `run`: the limits that it rests on. */
  readonly limits: readonly StartLimit[];
}

/** The end of a hold's reason, as {@link nextLook} writes it; the first two forms are those of 0.1.0. */
const NEXT_LOOK =
  /; (?:looked at again [^;]*|given up [^;]*|it expires at \S+, before the next check|next check at \S+; it expires at \S+ if it is still held then)$/;

/** Returns why a trigger was held, without what came next. */
export function holdReason(reason: string): string {
  return reason.replace(NEXT_LOOK, "");
}

function nextLook(recheckAt: number, expiresAt: number): string {
  if (recheckAt >= expiresAt) return `it expires at ${isoUtc(expiresAt)}, before the next check`;
  return `next check at ${isoUtc(recheckAt)}; it expires at ${isoUtc(expiresAt)} if it is still held then`;
}

const NO_LIMITS: readonly StartLimit[] = Object.freeze([]);

/**
 * Findings (one per condition, in the gate's order) to decision. Nothing blocks: run. Something blocks: hold, if every blocking condition's policy says so,
 * else skip. A hold looks again when the last of the blocking conditions says, and no sooner than after `recheckInterval` if one of them does not know.
 *
 * @param heldUntil - when a trigger that was held before is given up, epoch ms
 */
export function decide(gate: Gate, findings: readonly PartFinding[], now: number, heldUntil: number | null = null): GateOutcome {
  const expiresAt = heldUntil ?? now + gate.holdForMs;
  if (findings.length === 0) return { outcome: "run", reason: "it has no conditions", recheckAt: now, expiresAt, limits: NO_LIMITS };
  const blocking = findings.filter((finding) => finding.result === "block");
  if (blocking.length === 0) {
    return {
      outcome: "run",
      reason: findings.length === 1 ? "its condition holds" : `all ${findings.length} conditions hold`,
      recheckAt: now,
      expiresAt,
      limits: findings.flatMap(({ limits = NO_LIMITS }) => limits),
    };
  }
  const why = blocking.map((finding) => `${finding.condition}: ${finding.reason}`).join("; ");
  const isSkip = findings.some(
    ({ result, onBlock }, index) => result === "block" && (onBlock ?? gate.conditions[index]?.onBlock ?? gate.onBlock) === "skip",
  );
  if (isSkip) return { outcome: "skip", reason: why, recheckAt: now, expiresAt, limits: NO_LIMITS };
  const known = blocking.flatMap(({ recheckAt }) => (recheckAt !== undefined && recheckAt > now ? [recheckAt] : []));
  const recheckAt = Math.max(...known, known.length === blocking.length ? now : now + gate.recheckIntervalMs);
  return {
    outcome: "hold",
    reason: `${why}; ${nextLook(recheckAt, expiresAt)}`,
    recheckAt,
    expiresAt,
    limits: NO_LIMITS,
  };
}
