import type { MetricsSource } from "../options.js";
import { Problem } from "../problem.js";
import { type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import { pauseOut } from "../serialize.js";
import { ok } from "./responses.js";

const HEALTH = ok("The process is alive.", schemas.health);

export const systemRoutes: readonly Route[] = [
  route({
    id: "health",
    method: "GET",
    path: "/health",
    summary: "Liveness: check that the process responds",
    tag: "system",
    role: "public",
    answers: HEALTH,
    handle: () => ({ status: 200, body: { status: "ok" } }),
  }),
  route({
    id: "ready",
    method: "GET",
    path: "/ready",
    summary: "Readiness: check that the scheduler is working",
    tag: "system",
    role: "public",
    answers: {
      ...ok("The scheduler is ready.", schemas.health),
      503: { description: "The scheduler is not ready; `reason` says why.", schema: schemas.health },
    },
    handle: ({ scheduler }) => {
      const { notReadyReason: reason } = scheduler.status();
      return reason === null ? { status: 200, body: { status: "ok" } } : { status: 503, body: { status: "unavailable", reason } };
    },
  }),
  route({
    id: "info",
    method: "GET",
    path: "/api/v1/info",
    summary: "Get the scheduler's status",
    tag: "system",
    role: "viewer",
    answers: ok("The scheduler's status.", schemas.info),
    handle: (call) => {
      const status = call.scheduler.status();
      const { store } = status;
      const body = {
        name: "headgate",
        node: status.node,
        phase: status.phase,
        is_ready: status.isReady,
        not_ready_reason: status.notReadyReason,
        now: status.now.toISOString(),
        pipelines: status.pipelines,
        active_runs: status.activeRuns,
        unrecorded_ends: status.unrecordedEnds.count,
        next_fire_at: status.nextFireAt?.toISOString() ?? null,
        last_round_at: status.lastRoundAt?.toISOString() ?? null,
        clock_ahead_ms: status.clockAheadMs,
        clock_correction_ms: status.clockCorrectionMs,
        pause: pauseOut(status.pause),
        store: { name: store.name, is_available: store.isAvailable, unavailable_since: store.unavailableSince?.toISOString() ?? null },
      };
      return { status: 200, body };
    },
  }),
];

/** Route for Prometheus, which scrapes with a viewer's token. */
export function metricsRoute(source: MetricsSource): Route {
  return route({
    id: "metrics",
    method: "GET",
    path: "/metrics",
    summary: "Get metrics for Prometheus",
    tag: "system",
    role: "viewer",
    answers: { 200: { description: "Metrics in the Prometheus text format.", type: "text/plain" } },
    handle: async ({ caller: { pipelines } }) => {
      if (pipelines !== null && source.isFilterable !== true)
        throw new Problem(403, "FORBIDDEN", "this token is limited to some pipelines, and these metrics cover all of them");
      const text = await source.metrics(pipelines === null ? undefined : { pipelines });
      return { status: 200, text, headers: { "content-type": source.contentType } };
    },
  });
}
