import { stopped } from "./errors.js";

/** Stages of a scheduler's life: see `lifecycle.ts`, which moves it on. */
export type Phase = "created" | "starting" | "running" | "stopping" | "stopped";

/** The stage at which a scheduler is. */
export class SchedulerPhase {
  current: Phase = "created";

  /** @throws HeadgateError `SCHEDULER_STOPPED` */
  refuseUnlessRunning(): void {
    if (this.current !== "running") throw stopped();
  }
}
