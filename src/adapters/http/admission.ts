import type { Admission } from "../../trigger/queue-limits.js";
import type { Call } from "./route.js";

/** Returns the requester to record for a call, and the limits that apply to it. */
export function admissionOf({ caller, options }: Pick<Call, "caller" | "options">): Admission {
  return { requestedBy: caller.id, limits: options.queueLimits };
}
