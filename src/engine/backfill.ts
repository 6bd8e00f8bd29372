import { HeadgateError } from "../base/errors.js";
import { epochMs } from "../base/instant.js";
import type { NewTrigger } from "../trigger/trigger.js";
import type { Pipeline } from "./pipeline.js";
import { type BackfillOptions, checkedParameters, priorityOf, text } from "./requests.js";

const MOST_BACKFILLED = 10_000;

/** One request for every fire time in [from, to), oldest first. */
export async function backfillRequests(
  pipeline: Pipeline,
  options: BackfillOptions,
  newId: () => string,
  now: number,
): Promise<NewTrigger[]> {
  const from = epochMs(options.from, "from");
  const to = options.to === undefined ? now : epochMs(options.to, "to");
  const key = text(options.idempotencyKey, "idempotencyKey", 200) ?? newId();
  const common = {
    pipelineId: pipeline.id,
    kind: "backfill" as const,
    priority: priorityOf(options.priority ?? "low"),
    reason: text(options.reason, "reason", 1_000),
    user: text(options.user, "user", 200),
    parameters: await checkedParameters(pipeline, options.parameters),
    notBefore: null,
    isForced: false,
  };
  const requests: NewTrigger[] = [];
  for (let at = pipeline.schedule.nextAfter(from - 1); at !== null && at < to; at = pipeline.schedule.nextAfter(at)) {
    if (requests.length === MOST_BACKFILLED) {
      throw new HeadgateError("TOO_MANY", `backfill of ${pipeline.id}: more than ${MOST_BACKFILLED} fire times; ask for a shorter span`, {
        details: { pipelineId: pipeline.id, most: MOST_BACKFILLED },
      });
    }
    requests.push({ ...common, id: newId(), scheduledFor: at, key: `backfill:${key}:${at}` });
  }
  return requests;
}
