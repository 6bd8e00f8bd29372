import { isoUtc } from "../../base/instant.js";
import type { Finding } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { FutureAnswer, OpenMatter } from "../../ports/scheduler-api/explanation.js";
import type { RunRecord } from "../../run/run.js";
import { orderOf } from "../../trigger/order.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Judged } from "./projected-gate.js";

/** Something that happens to a pipeline at an instant to come, epoch ms. */
export interface Projected {
  readonly at: number;
  /** A fire time; a waiting trigger that may start; a retry; the end of a hold. */
  readonly what: "fire" | "start" | "retry" | "expiry";
  /** The trigger or run in words. */
  readonly name: string;
  readonly trigger: TriggerRecord | null;
  readonly run: RunRecord | null;
  readonly answer: FutureAnswer;
  /** A clause with its own subject, such as "it will run because it has no conditions". */
  readonly reason: string;
  readonly dependsOn: readonly OpenMatter[];
  readonly findings: readonly Finding[];
}

/** Statement about something that happens. */
export type Said = Pick<Projected, "answer" | "reason"> & Partial<Pick<Projected, "dependsOn" | "findings">>;

/** A trigger that waits for certain: it is there now, or is made at a fire time. */
export interface Waiting {
  readonly name: string;
  /** `null`: it is not made yet. */
  readonly record: TriggerRecord | null;
  readonly judged: Judged;
  readonly isForced: boolean;
  readonly order: number;
  readonly availableAt: number;
  readonly expiresAt: number | null;
  /** It is looked at again earlier when another pipeline succeeds, or a probe is well again. */
  readonly mayStartEarlier: boolean;
}

/** Something that may hold a run slot: a run, or a trigger of which it is not known when it starts. */
export interface Holder {
  readonly name: string;
  /** The trigger that may still wait; `null` for a run. */
  readonly waiting: Waiting | null;
  /** The earliest instant at which it may start. */
  readonly from: number;
  /** The latest instant at which its slot is free. */
  until: number;
  /** Until when it holds the slot for certain. */
  heldUntil: number;
}

/** An attempt that is due. */
export interface Retry {
  readonly run: RunRecord;
  readonly at: number;
  /** False when the run may end before. */
  isCertain: boolean;
  readonly holder: Holder;
}

/** The trigger of a fire time to come. */
export function triggerFor({ id, execution }: Pipeline, fireAt: number, createdAt: number): Waiting {
  return {
    name: `the scheduled trigger for ${isoUtc(fireAt)}`,
    record: null,
    judged: { id: `${id} ${fireAt}`, kind: "scheduled", scheduledFor: fireAt, parameters: null },
    isForced: false,
    order: orderOf("scheduled", execution.priority, createdAt),
    availableAt: createdAt,
    expiresAt: null,
    mayStartEarlier: false,
  };
}

/** True for a trigger that a newer fire time replaces under `queue_one`, and that overlap policies apply to. */
export function isOverlapped({ judged, isForced }: Waiting): boolean {
  return judged.kind === "scheduled" && !isForced;
}

/** Names what an answer depends on, as a clause. */
export function dependingOn(open: readonly OpenMatter[]): string {
  return open.map(({ reason }) => reason).join("; ");
}
