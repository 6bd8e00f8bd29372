import { isoUtc } from "../../base/instant.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ProjectedGate } from "./projected-gate.js";
import type { SlotsNeeded } from "./projected-slots.js";
import { dependingOn, isOverlapped, type Said, type Waiting } from "./projection-items.js";

/** Outcome of a trigger that may start, and of its place: it starts, is gone, certainly keeps waiting (as another {@link Waiting}), or is unknown. */
export interface StartAnswer {
  readonly said: Said;
  readonly leaves: "started" | "gone" | "unknown" | Waiting;
}

const ELSE = {
  queue: "; otherwise it will wait",
  queue_one: "; otherwise it will wait",
  skip: '; otherwise it will be skipped (overlap policy "skip")',
  cancel_running: '; otherwise the oldest active run will be cancelled for it (overlap policy "cancel_running")',
} as const;

/** Returns what becomes of a trigger whose pipeline's slots are certainly taken; `null` when overlap makes room for it. */
export function takenAnswer({ execution: { overlap } }: Pipeline, one: Waiting, { taken }: SlotsNeeded): StartAnswer | null {
  if (isOverlapped(one) && overlap === "cancel_running") return null;
  if (!isOverlapped(one) || overlap !== "skip")
    return { said: { answer: "will_wait", reason: `it will wait because ${taken}` }, leaves: "unknown" };
  return { said: { answer: "will_skip", reason: `it will be skipped because overlap policy is "skip" and ${taken}` }, leaves: "gone" };
}

/**
 * Returns what becomes of a trigger that may start at an instant: pure.
 *
 * @param nextFireAt - the fire time after it, which may replace it
 */
export function startAnswer(
  pipeline: Pipeline,
  one: Waiting,
  slots: SlotsNeeded,
  gate: ProjectedGate,
  at: number,
  nextFireAt: number | null,
): StartAnswer {
  const { overlap } = pipeline.execution;
  const { findings, reason } = gate;
  const dependsOn = [...slots.open, ...gate.open];
  const isSlotOpen = isOverlapped(one) && slots.open.some(({ kind }) => kind === "slot");
  const isSkippedElse = isSlotOpen && overlap === "skip";
  switch (gate.outcome) {
    case "run":
    case "open":
      if (dependsOn.length === 0)
        return { said: { answer: "will_run", reason: `it will run because ${reason}`, findings }, leaves: "started" };
      return {
        said: {
          answer: "may_run",
          reason: `it may run, depending on: ${dependingOn(dependsOn)}${isSlotOpen ? ELSE[overlap] : ""}`,
          dependsOn,
          findings,
        },
        leaves: "unknown",
      };
    case "skip":
      if (slots.open.length === 0 || isSkippedElse)
        return { said: { answer: "will_skip", reason: `it will be skipped because ${reason}`, findings }, leaves: "gone" };
      return {
        said: {
          answer: "may_skip",
          reason: `it will be skipped (${reason}) or wait, depending on: ${dependingOn(dependsOn)}`,
          dependsOn,
          findings,
        },
        leaves: "unknown",
      };
    case "blocked":
      return {
        said: { answer: "may_skip", reason: `it will be held or skipped because ${reason}`, dependsOn, findings },
        leaves: "unknown",
      };
    case "hold":
      if (isSkippedElse)
        return {
          said: {
            answer: "may_skip",
            reason: `it will be held (${reason}) or skipped, depending on: ${dependingOn(dependsOn)}`,
            dependsOn,
            findings,
          },
          leaves: "unknown",
        };
      if (slots.open.length > 0 || gate.recheckAt === null)
        return { said: { answer: "will_wait", reason: `it will be held because ${reason}`, findings }, leaves: "unknown" };
      return held(pipeline, one, gate, gate.recheckAt, at, nextFireAt);
  }
}

/** It is held until an instant that is known, unless it is given up or replaced before. */
function held(
  pipeline: Pipeline,
  one: Waiting,
  { reason, findings }: ProjectedGate,
  recheckAt: number,
  at: number,
  nextFireAt: number | null,
): StartAnswer {
  const expiresAt = one.expiresAt ?? at + pipeline.gate.holdForMs;
  const leaves: Waiting = { ...one, availableAt: Math.min(recheckAt, expiresAt), expiresAt };
  const isReplaced =
    isOverlapped(one) && pipeline.execution.overlap === "queue_one" && nextFireAt !== null && nextFireAt <= leaves.availableAt;
  if (isReplaced)
    return {
      said: {
        answer: "will_wait",
        reason: `it will be held because ${reason}; before that, the fire time ${isoUtc(nextFireAt)} will replace it (overlap policy "queue_one")`,
        findings,
      },
      leaves,
    };
  if (recheckAt < expiresAt) return { said: { answer: "will_wait", reason: `it will be held because ${reason}`, findings }, leaves };
  return {
    said: {
      answer: "will_expire",
      reason: `it will expire at ${isoUtc(expiresAt)}; until then it will be held because ${reason}`,
      findings,
    },
    leaves,
  };
}
