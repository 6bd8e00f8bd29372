import type { Admission } from "../../trigger/queue-limits.js";
import type { Call } from "./route.js";

/** Who is recorded as having requested what a call asks for, and how much may wait. */
export function admissionOf({ caller, options }: Pick<Call, "caller" | "options">): Admission {
  return { requestedBy: caller.id, limits: options.queueLimits };
}
