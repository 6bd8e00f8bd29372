import type { MetricsSource } from "../options.js";
import { Problem } from "../problem.js";
import { type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import { pauseOut } from "../serialize.js";
import { ok } from "./responses.js";

const HEALTH = ok("It is.", schemas.health);

export const systemRoutes: readonly Route[] = [
  route({
    id: "health",
    method: "GET",
    path: "/health",
    summary: "Whether this process answers",
    tag: "system",
    role: "public",
    answers: HEALTH,
    handle: () => ({ status: 200, body: { status: "ok" } }),
  }),
  route({
    id: "ready",
    method: "GET",
    path: "/ready",
    summary: "Whether the scheduler does its work",
    tag: "system",
    role: "public",
    answers: { ...ok("It does.", schemas.health), 503: { description: "It does not; `reason` says why.", schema: schemas.health } },
    handle: ({ scheduler }) => {
      const { notReadyReason: reason } = scheduler.status();
      return reason === null ? { status: 200, body: { status: "ok" } } : { status: 503, body: { status: "unavailable", reason } };
    },
  }),
  route({
    id: "info",
    method: "GET",
    path: "/api/v1/info",
    summary: "How the scheduler is",
    tag: "system",
    role: "viewer",
    answers: ok("The scheduler.", schemas.info),
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

/** What Prometheus scrapes, with a token of a viewer. */
export function metricsRoute(source: MetricsSource): Route {
  return route({
    id: "metrics",
    method: "GET",
    path: "/metrics",
    summary: "Metrics for Prometheus",
    tag: "system",
    role: "viewer",
    answers: { 200: { description: "Metrics in Prometheus' text format.", type: "text/plain" } },
    handle: async ({ caller: { pipelines } }) => {
      if (pipelines !== null && source.isFilterable !== true)
        throw new Problem(403, "FORBIDDEN", "this token is limited to some pipelines, and these metrics are about all");
      const text = await source.metrics(pipelines === null ? undefined : { pipelines });
      return { status: 200, text, headers: { "content-type": source.contentType } };
    },
  });
}
