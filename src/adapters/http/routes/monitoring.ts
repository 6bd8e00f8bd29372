import type { AdaptiveStatus, Alert, NodeStatus, PipelineStatistics, SchedulerStatistics, Silence } from "../../../index.js";
import { actOf } from "../acting.js";
import { listAnswer } from "../bounded.js";
import { allow, foundFor, isVisible, oneNameOf, pipelineOf } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Call, type Route, route } from "../route.js";
import * as schemas from "../schemas-monitoring.js";
import { actBody, dismissQuery, listQuery } from "../schemas-requests.js";
import { iso } from "../serialize.js";
import { whole } from "../short.js";
import { given, ok } from "./responses.js";

const ID = "/api/v1/pipelines/{id}";

type Json = Record<string, unknown>;

function statisticsOut(one: PipelineStatistics | SchedulerStatistics): Json {
  const queueOut = ({ length, oldestAt }: { length: number; oldestAt: Date | null }) => ({ length, oldest_at: iso(oldestAt) });
  const all = "load" in one ? one : null;
  const { succeeded, failed, timedOut, cancelled } = one.runs;
  return {
    pipeline: "pipelineId" in one ? one.pipelineId : null,
    window_ms: one.windowMs,
    active_runs: one.activeRuns,
    queue: {
      ...queueOut(one.queue),
      ...(all === null
        ? {}
        : { by_priority: Object.fromEntries(Object.entries(all.queue.byPriority).map(([name, some]) => [name, queueOut(some)])) }),
    },
    runs: { succeeded, failed, timed_out: timedOut, cancelled },
    retries: one.retries,
    lost_attempts: one.lostAttempts,
    skipped: one.skipped,
    expired: one.expired,
    superseded: one.superseded,
    missed: one.missed,
    success_rate: one.successRate,
    failure_rate: one.failureRate,
    retry_rate: one.retryRate,
    skip_rate: one.skipRate,
    duration_ms: one.duration,
    lag_ms: one.lag,
    skip_reasons: one.skipReasons,
    conditions: one.conditions,
    last_success_at: iso(one.lastSuccessAt),
    last_failure_at: iso(one.lastFailureAt),
    consecutive_failures: one.consecutiveFailures,
    ...(all === null ? {} : { load: all.load }),
  };
}

function alertOut(one: Alert): Json {
  const { id, rule, severity, status, message, value, limit, labels } = one;
  const times = { since: iso(one.since), fired_at: iso(one.firedAt), notified_at: iso(one.notifiedAt) };
  return {
    id,
    rule,
    severity,
    status,
    pipeline: one.pipelineId,
    message,
    value,
    limit,
    labels,
    ...times,
    silenced_by: one.silencedBy,
    run: alertRunOut(one.run),
  };
}

function alertRunOut(run: Alert["run"]): Json | null {
  if (run === null) return null;
  const { trigger } = run;
  return {
    id: run.id,
    status: run.status,
    attempt: run.attempt,
    started_at: iso(run.startedAt),
    ended_at: iso(run.endedAt),
    error: run.error === null ? null : { message: run.error.message, code: run.error.code },
    trigger:
      trigger === null
        ? null
        : { id: trigger.id, kind: trigger.kind, scheduled_for: iso(trigger.scheduledFor), user: trigger.user, reason: trigger.reason },
  };
}

function silenceOut({ id, pipelineId, rule, tag, from, until, reason, user }: Silence): Json {
  return { id, pipeline: pipelineId, rule, tag, from: iso(new Date(from)), until: iso(new Date(until)), reason, user };
}

function nodeOut(one: NodeStatus): Json {
  return {
    node: one.node,
    seen_at: iso(one.seenAt),
    is_lost: one.isLost,
    active_runs: one.activeRuns,
    cpu: one.cpu,
    memory: one.memory,
    clock_ahead_ms: one.clockAheadMs,
    failing_since: iso(one.failingSince),
    failure: one.failure,
    failing_sensors: one.failingSensors.map(({ pipelineId, sensor, failures, error }) => ({
      pipeline: pipelineId,
      sensor,
      failures,
      error,
    })),
    failing_probes: one.failingProbes,
  };
}

function adaptiveOut(one: AdaptiveStatus): Json {
  return {
    pipeline: one.pipelineId,
    interval_ms: one.intervalMs,
    base_ms: one.baseMs,
    min_ms: one.minMs,
    max_ms: one.maxMs,
    is_frozen: one.isFrozen,
    is_overridden: one.isOverridden,
    changes: one.changes.map(({ at, fromMs, toMs, reason, user }) => ({ at: iso(at), from_ms: fromMs, to_ms: toMs, reason, user })),
    last_look: one.lastLook === null ? null : { at: iso(one.lastLook.at), reason: one.lastLook.reason },
  };
}

function adaptiveOf(call: Call): AdaptiveStatus {
  const found = call.scheduler.adaptive.get(pipelineOf(call, { pipeline: call.params.id }));
  if (found === null) throw new Problem(404, "NOT_ADAPTIVE", "this pipeline has no adaptive schedule");
  return found;
}

function refuseLimited({ caller }: Pick<Call, "caller">): void {
  if (caller.pipelines !== null) throw new Problem(403, "FORBIDDEN", "this token is not for all pipelines");
}

export const monitoringRoutes: readonly Route[] = [
  route({
    id: "getStatistics",
    method: "GET",
    path: "/api/v1/statistics",
    summary: "Get aggregate statistics of all pipelines: outcomes, durations, lag, queue",
    tag: "monitoring",
    role: "viewer",
    answers: ok("The statistics.", schemas.statistics),
    handle: async (call) => {
      refuseLimited(call);
      return { status: 200, body: statisticsOut(await call.scheduler.statistics.total()) };
    },
  }),
  route({
    id: "getPipelineStatistics",
    method: "GET",
    path: `${ID}/statistics`,
    summary: "Get a pipeline's statistics: outcomes, durations, lag, conditions",
    tag: "monitoring",
    role: "viewer",
    answers: ok("The statistics.", schemas.statistics),
    handle: async (call) => {
      const pipelineId = pipelineOf(call, { pipeline: call.params.id });
      return { status: 200, body: statisticsOut(await call.scheduler.statistics.get(pipelineId)), pipelineId };
    },
  }),
  route({
    id: "listAlerts",
    method: "GET",
    path: "/api/v1/alerts",
    summary: "List pending and firing alerts",
    tag: "monitoring",
    role: "viewer",
    query: listQuery,
    answers: ok("The alerts.", schemas.alerts),
    handle: async (call) => {
      const all = await call.scheduler.alerts.list();
      const items = all.filter(({ pipelineId }) => (pipelineId === null ? call.caller.pipelines === null : isVisible(call, pipelineId)));
      return listAnswer(
        items,
        call.query,
        (one) => whole(alertOut(one)),
        ({ id }) => id,
      );
    },
  }),
  route({
    id: "listSilences",
    method: "GET",
    path: "/api/v1/silences",
    summary: "List active silences",
    tag: "monitoring",
    role: "viewer",
    query: listQuery,
    answers: ok("The silences.", schemas.silences),
    handle: async (call) => {
      const all = await call.scheduler.alerts.silences();
      const items = all.filter(({ pipelineId }) => pipelineId === null || isVisible(call, pipelineId));
      return listAnswer(
        items,
        call.query,
        (one) => whole(silenceOut(one)),
        ({ id }) => id,
      );
    },
  }),
  route({
    id: "addSilence",
    method: "POST",
    path: "/api/v1/silences",
    summary: "Silence alerts of a pipeline, a rule or a tag for a period",
    tag: "monitoring",
    role: "operator",
    body: schemas.silenceBody,
    answers: { 201: { description: "The silence.", schema: schemas.silence } },
    handle: async (call) => {
      const { rule, tag, duration_minutes, reason, user } = call.body;
      const pipeline = oneNameOf(call.body);
      if (pipeline === undefined) refuseLimited(call);
      else allow(call, pipeline);
      const options = {
        ...given({ pipelineId: pipeline, rule, tag, ...actOf(call, { reason, user }) }),
        duration: duration_minutes * 60_000,
      };
      const made = await call.scheduler.alerts.silence(options);
      return { status: 201, body: silenceOut(made), pipelineId: pipeline ?? null, ids: [made.id] };
    },
  }),
  route({
    id: "endSilence",
    method: "DELETE",
    path: "/api/v1/silences/{id}",
    summary: "End a silence",
    tag: "monitoring",
    role: "operator",
    answers: ok("The silence.", schemas.silence),
    handle: async (call) => {
      const id = call.params.id ?? "";
      const silences = await call.scheduler.alerts.silences();
      const found = foundFor(
        call,
        silences.find((one) => one.id === id),
        "silence",
      );
      if (found.pipelineId === null) refuseLimited(call);
      await call.scheduler.alerts.unsilence(id, actOf(call));
      return { status: 200, body: silenceOut(found), pipelineId: found.pipelineId, ids: [id] };
    },
  }),
  route({
    id: "listNodes",
    method: "GET",
    path: "/api/v1/nodes",
    summary: "List nodes, including lost ones",
    tag: "monitoring",
    role: "viewer",
    query: listQuery,
    answers: ok("The nodes.", schemas.nodes),
    handle: async (call) => {
      refuseLimited(call);
      return listAnswer(
        await call.scheduler.nodes.list(),
        call.query,
        (one) => whole(nodeOut(one)),
        ({ node }) => node,
      );
    },
  }),
  route({
    id: "dismissNode",
    method: "DELETE",
    path: "/api/v1/nodes/{node}",
    summary: "Dismiss a lost node, which ends its alerts",
    tag: "monitoring",
    role: "operator",
    query: dismissQuery,
    answers: ok("The dismissed node.", schemas.node),
    handle: async (call) => {
      refuseLimited(call);
      const node = call.params.node ?? "";
      const found = (await call.scheduler.nodes.list()).find((one) => one.node === node);
      await call.scheduler.nodes.dismiss(node, actOf(call, call.query));
      return { status: 200, body: nodeOut(found as NodeStatus), ids: [node] };
    },
  }),
  route({
    id: "getAdaptive",
    method: "GET",
    path: `${ID}/adaptive`,
    summary: "Get the interval of an adaptive schedule and its history",
    tag: "monitoring",
    role: "viewer",
    answers: ok("The interval.", schemas.adaptive),
    handle: (call) => {
      const found = adaptiveOf(call);
      return { status: 200, body: adaptiveOut(found), pipelineId: found.pipelineId };
    },
  }),
  route({
    id: "resetAdaptive",
    method: "POST",
    path: `${ID}/adaptive/reset`,
    summary: "Reset an adaptive schedule to its base interval",
    tag: "monitoring",
    role: "admin",
    body: actBody.omit({ pipeline: true, dag_id: true }),
    isBodyOptional: true,
    answers: ok("The interval.", schemas.adaptive),
    handle: async (call) => {
      const { pipelineId } = adaptiveOf(call);
      await call.scheduler.adaptive.reset(pipelineId, actOf(call, call.body ?? {}));
      return { status: 200, body: adaptiveOut(adaptiveOf(call)), pipelineId };
    },
  }),
];
