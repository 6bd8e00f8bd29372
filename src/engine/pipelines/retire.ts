import type { ActionContext } from "../../pipeline/request-options.js";
import { checkAct, text } from "../../pipeline/requests.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { unknownPipeline } from "../context/errors.js";
import { ofTrigger } from "../context/event-payloads.js";

/** Takes a pipeline out of use in the store; what waits is cancelled. */
export async function retire(
  { store, clock, events }: Pick<Core, "clock" | "events" | "store">,
  audit: AuditRecorder,
  pipelineId: string,
  act: ActionContext,
): Promise<void> {
  if (typeof pipelineId !== "string") throw unknownPipeline(pipelineId);
  checkAct(act, "retire");
  const request = { at: clock.now(), user: text(act.user, "user", 200), reason: text(act.reason, "reason", 1_000) };
  const entries = (ended: readonly TriggerRecord[]) => {
    const change = { action: "retire", pipelineId, ids: ended.map(({ id }) => id), after: { cancelledTriggers: ended.length } };
    return [audit.entry(change, act, request.at)];
  };
  const cancelled = await store.retire(pipelineId, request, { entries, sealer: audit.sealer });
  audit.touched();
  if (cancelled === null) throw unknownPipeline(pipelineId);
  for (const trigger of cancelled) events.emit("trigger.cancelled", ofTrigger, trigger);
}
