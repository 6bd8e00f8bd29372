import type { Instant } from "../../base/instant.js";
import type { ActionContext, PipelineSelection } from "../../pipeline/request-options.js";
import type { TriggerKind } from "../../trigger/trigger.js";
import type { Trigger } from "../../trigger/view.js";

/** Options of `Scheduler.cancelMany`: at least one of them says what is meant. */
export interface CancelManyOptions extends ActionContext, PipelineSelection {
  /** Triggers that wait (`"waiting"`), those whose run is active (`"active"`), or both (`"all"`). Default `"waiting"`. */
  status?: "waiting" | "active" | "all";
  /** Only of one of these kinds. Default: of any. */
  kind?: TriggerKind | readonly TriggerKind[];
  /** Only those for this fire time or a later one; of what has none, created then. Default: no bound. */
  from?: Instant;
  /** Only those for an earlier fire time. Default: no bound. */
  until?: Instant;
  /** Cancels what is meant over all pipelines, where nothing else says what is meant. Default false. */
  everything?: boolean;
  /** Cancels nothing, and returns what would be. Default false. */
  preview?: boolean;
}

/** Result of `Scheduler.cancelMany`. */
export interface CancelledMany {
  /** Triggers that were cancelled or whose run was asked to end, or would be, as they were before; newest first, at most 1,000. Those that have ended meanwhile are not among them. */
  readonly triggers: readonly Trigger[];
  /** False when there may be more: call it again. */
  readonly isComplete: boolean;
}
