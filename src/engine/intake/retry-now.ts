import { HeadgateError } from "../../base/errors.js";
import type { AuditEntry } from "../../monitor/audit.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { checkAct, checkedId, text } from "../../pipeline/requests.js";
import type { RunRecord } from "../../run/run.js";
import { type Run, runView } from "../../run/view.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { noSuchRun } from "../context/errors.js";

/** Makes the next attempt of a run that waits for it due now. */
export async function retryRunNow(
  { store, clock, signals }: Pick<Core, "clock" | "signals" | "store">,
  audit: AuditRecorder,
  runId: string,
  act: ActionContext,
): Promise<Run> {
  checkedId(runId, "retryNow");
  checkAct(act, "retryNow");
  text(act.reason, "reason", 1_000);
  text(act.user, "user", 200);
  const before = await store.run(runId);
  const now = clock.now();
  if (before === null) throw noSuchRun(runId);
  refuseUnlessRetrying(before);
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  const entries = ({ pipelineId, retryAt }: RunRecord): AuditEntry[] => {
    if (retryAt !== now) return [];
    const change = {
      action: "retry",
      pipelineId,
      ids: [runId],
      before: { retryAt: iso(before.retryAt) },
      after: { retryAt: iso(retryAt) },
    };
    return [audit.entry(change, act, now)];
  };
  const run = await store.retryRun(runId, now, { entries, sealer: audit.sealer });
  if (run === null) throw noSuchRun(runId);
  refuseUnlessRetrying(run);
  audit.touched();
  signals.wake.emit();
  return runView(run);
}

/** @throws HeadgateError `ALREADY_FINISHED`, `NOT_RETRYING` */
function refuseUnlessRetrying({ id, status, attempt, cancelRequest }: RunRecord): void {
  if (status === "retrying" && cancelRequest === null) return;
  const details = { id, status };
  if (status === "running") throw new HeadgateError("NOT_RETRYING", `run ${id} is running: attempt ${attempt} has not ended`, { details });
  throw new HeadgateError("ALREADY_FINISHED", `run ${id} has already ended (${status}); run it again instead`, { details });
}
