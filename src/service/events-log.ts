import type { Logger } from "../ports/logger.js";
import type { Scheduler } from "../ports/scheduler-api/scheduler.js";

/** Logs what a scheduler decides and does, a line each, beside what it logs itself: attempts that fail, conditions that throw. */
export function logEvents(scheduler: Scheduler, logger: Logger): void {
  scheduler.on("decision", ({ decision: { pipelineId, triggerId, outcome, reason } }) =>
    logger.log(outcome === "run" ? "debug" : "info", `decision: ${outcome}`, { pipelineId, triggerId, reason }),
  );
  scheduler.on("run.started", ({ run: { pipelineId, id, triggerId, attempt } }) =>
    logger.log("info", "run started", { pipelineId, runId: id, triggerId, attempt }),
  );
  scheduler.on("run.cancelled", ({ run: { pipelineId, id, triggerId, attempt, cancelRequest } }) =>
    logger.log("info", `run cancelled${cancelRequest?.user ? ` by ${cancelRequest.user}` : ""}`, {
      pipelineId,
      runId: id,
      triggerId,
      attempt,
      user: cancelRequest?.user ?? null,
      reason: cancelRequest?.reason ?? null,
    }),
  );
  scheduler.on("trigger.cancelled", ({ trigger: { pipelineId, id, runId, endReason } }) => {
    if (runId === null) logger.log("info", "trigger cancelled before it ran", { pipelineId, triggerId: id, reason: endReason });
  });
  scheduler.on("run.succeeded", ({ run: { pipelineId, id, triggerId, startedAt, endedAt } }) =>
    logger.log("info", "run succeeded", {
      pipelineId,
      runId: id,
      triggerId,
      tookMs: endedAt === null ? null : endedAt.getTime() - startedAt.getTime(),
    }),
  );
  scheduler.on("file.accepted", (event) => logger.log("info", "trigger file accepted", { ...event }));
  scheduler.on("file.rejected", (event) => logger.log("warn", "trigger file set aside", { ...event }));
  scheduler.on("paused", (event) => logger.log("info", "paused", { ...event }));
  scheduler.on("resumed", (event) => logger.log("info", "resumed", { ...event }));
  scheduler.on("interval.changed", ({ pipelineId, fromMs, toMs, reason }) =>
    logger.log("info", "interval changed", { pipelineId, fromMs, toMs, reason }),
  );
  for (const name of ["alert.fired", "alert.resolved"] as const)
    scheduler.on(name, ({ alert: { rule, pipelineId, severity, message } }) =>
      logger.log("warn", name.replace(".", " "), { rule, pipelineId, severity, text: message }),
    );
}
