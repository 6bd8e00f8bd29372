/**
 * The rules of the domain that every store applies, pure: a store of your own calls them between reading and writing, and repeats none of them.
 *
 * @packageDocumentation
 */
export { DECISIONS_PER_TRIGGER, foldHold, isRepeatedHold } from "../gate/repeated-hold.js";
export { opensAt, spanOf } from "../gate/start-limit.js";
export { EVENT_BOUNDS } from "../ports/store/events.js";
export { LEAST_OPEN_MS } from "../ports/store/history.js";
export { claimLease, isFencedBy, releaseLease } from "../run/lease.js";
export {
  adoptAttempt,
  cancelRetry,
  endAttempt,
  endTriggerOf,
  isRecordedEnd,
  rebaseRetry,
  requestCancel,
  retryNow,
  startAttempt,
  startRun,
} from "../run/transitions.js";
export { withEndedPause } from "../schedule/ended-pauses.js";
export { rebasePause, rebaseSpans } from "../schedule/rebase.js";
export { keepsSkips, mergeSkips, skipsFrom, withoutSkips, withSkips } from "../schedule/skips.js";
export { claimCursor } from "../trigger/cursor.js";
export {
  CANCELLED,
  isOverlapping,
  planOverlap,
  REPLACED,
  replacesWaiting,
} from "../trigger/overlap.js";
export { refuseBeyond } from "../trigger/queue-limits.js";
export { excessOf } from "../trigger/retention.js";
export {
  acceptTrigger,
  claimTrigger,
  endTrigger,
  expireTrigger,
  holdTrigger,
  RETIRED,
  rebaseHold,
  rebaseTrigger,
  recheckTrigger,
  releaseTrigger,
  retireTrigger,
  startTrigger,
  supersedeTrigger,
} from "../trigger/transitions.js";
