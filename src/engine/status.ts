import { toDate } from "../base/instant.js";
import type { Core } from "./core.js";
import type { Loop } from "./loop.js";
import type { Outage } from "./outage.js";

/** How a scheduler is. */
export interface SchedulerStatus {
  readonly phase: "created" | "starting" | "running" | "stopping" | "stopped";
  readonly node: string;
  readonly now: Date;
  readonly pipelines: number;
  /** Runs under way on this node. */
  readonly activeRuns: number;
  /** When this node fires next. */
  readonly nextFireAt: Date | null;
  /** When the loop last went round: a dead scheduler differs from an idle one. */
  readonly lastRoundAt: Date | null;
  /** The pause of everything. */
  readonly pause: { readonly at: Date; readonly until: Date | null; readonly reason: string | null; readonly user: string | null } | null;
  /** How far this node's clock is ahead of the store's server, ms; `null` while that is not known, or there is none. */
  readonly clockAheadMs: number | null;
  readonly store: {
    readonly name: string;
    readonly isAvailable: boolean;
    readonly unavailableSince: Date | null;
    readonly error: string | null;
  };
}

export function statusOf(
  core: Core,
  phase: SchedulerStatus["phase"],
  activeRuns: number,
  loop: Loop,
  outage: Outage,
  pipelines: number,
): SchedulerStatus {
  const { pause } = loop.globalPause;
  const nextAt = core.registry.nextAt();
  return {
    phase,
    node: core.node,
    now: toDate(core.clock.now()),
    pipelines,
    activeRuns,
    nextFireAt: Number.isFinite(nextAt) && phase === "running" ? toDate(nextAt) : null,
    lastRoundAt: toDate(loop.lastRoundAt),
    pause: pause === null ? null : { at: toDate(pause.at), until: toDate(pause.until), reason: pause.reason, user: pause.user },
    clockAheadMs: loop.skew.aheadMs,
    store: {
      name: core.store.name,
      isAvailable: outage.since === null,
      unavailableSince: toDate(outage.since),
      error: outage.error?.message ?? null,
    },
  };
}
