import { HeadgateError } from "../../base/errors.js";
import type { AuditEntry } from "../../monitor/audit.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { checkAct, checkedId, text } from "../../pipeline/requests.js";
import { isActive, type RunRecord } from "../../run/run.js";
import { type Run, runView } from "../../run/view.js";
import { isEnded, type TriggerRecord } from "../../trigger/trigger.js";
import { type Trigger, triggerView } from "../../trigger/view.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { emitRunEnd, ofTrigger } from "../context/event-payloads.js";
import type { Runner } from "../running/runner.js";

/** Ends a waiting trigger, or asks a run to end. */
export async function cancel(
  core: Pick<Core, "clock" | "events" | "store">,
  runner: Runner,
  audit: AuditRecorder,
  id: string,
  act: ActionContext,
): Promise<{ trigger: Trigger | null; run: Run | null }> {
  const { store, clock } = core;
  checkedId(id, "cancel");
  checkAct(act, "cancel");
  const request = { at: clock.now(), user: text(act.user, "user", 200), reason: text(act.reason, "reason", 1_000) };
  const [oldTrigger, oldRun] = await Promise.all([store.trigger(id), store.run(id)]);
  if ((oldTrigger === null || isEnded(oldTrigger.status)) && (oldRun === null || !isActive(oldRun))) {
    if (oldTrigger === null && oldRun === null)
      throw new HeadgateError("NOT_FOUND", `no such trigger or run: ${id} (it may have been pruned)`, { details: { id } });
    throw new HeadgateError("ALREADY_FINISHED", `${id} has already ended (${(oldRun ?? oldTrigger)?.status})`, { details: { id } });
  }
  const noted = {
    entries: ({ trigger, run }: { trigger: TriggerRecord | null; run: RunRecord | null }): AuditEntry[] => {
      if (run === null && trigger?.status !== "cancelled") return [];
      const ids = [trigger?.id, run?.id].filter((one) => one !== undefined);
      const pipelineId = run?.pipelineId ?? trigger?.pipelineId ?? null;
      const before = { status: (oldRun ?? oldTrigger)?.status };
      const change = { action: "cancel", pipelineId, ids, before, after: { status: (run ?? trigger)?.status } };
      return [audit.entry(change, act, request.at)];
    },
    sealer: audit.sealer,
  };
  const result = oldTrigger === null ? await store.cancelRun(id, request, noted) : await store.endTrigger(id, "cancelled", request, noted);
  audit.touched();
  const { trigger = null, run = null } = result ?? {};
  if (run !== null) runner.cancel(run);
  if (run !== null && !isActive(run)) emitRunEnd(core, run, trigger);
  else if (run === null && trigger?.status === "cancelled") core.events.emit("trigger.cancelled", ofTrigger, trigger);
  return { trigger: trigger === null ? null : triggerView(trigger), run: run === null ? null : runView(run) };
}
