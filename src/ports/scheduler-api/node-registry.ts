import type { NodeSnapshot } from "../../monitor/alert.js";
import type { ActionContext } from "../../pipeline/request-options.js";

/** A node as it last reported itself. */
export interface NodeStatus extends Omit<NodeSnapshot, "seenAt" | "failingSince" | "failure"> {
  readonly seenAt: Date;
  /** Since when its rounds fail, and what the last one failed of; `null` while they succeed. */
  readonly failingSince: Date | null;
  readonly failure: string | null;
}

/** The nodes that raise alerts, and those that were lost. */
export interface NodeRegistry {
  /** Returns the nodes that have `monitoring`, as each last reported itself: those that run, and those that were lost within the last 24 h and not dismissed. */
  list(): Promise<readonly NodeStatus[]>;

  /**
   * Removes a lost node: its alerts end with the next evaluation. One that comes back is listed again. A node that restarts under the same name need not be dismissed.
   *
   * @throws HeadgateError `NOT_FOUND`, `NODE_ACTIVE` when it is not lost
   * @example
   * await scheduler.nodes.dismiss("worker-3", { user: "ana", reason: "the machine was replaced" });
   */
  dismiss(node: string, act?: ActionContext): Promise<void>;
}
