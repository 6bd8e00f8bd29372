import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import type { RuntimeDependency, SettingName, SettingsChange, SettingsView, TimeWindow } from "../../../index.js";
import { actOf } from "../acting.js";
import { listAnswer } from "../bounded.js";
import { keyOf } from "../idempotency-key.js";
import { foundFor, isVisible, pipelineOf } from "../pipeline-of.js";
import { Problem } from "../problem.js";
import { type Answer, type Route, route } from "../route.js";
import * as schemas from "../schemas.js";
import * as requests from "../schemas-requests.js";
import { maintenanceOut, settingsOut } from "../serialize.js";
import { whole } from "../short.js";
import { given, ok } from "./responses.js";

function settingsAnswer(view: SettingsView): Answer {
  return { status: 200, body: settingsOut(view), headers: { etag: `"${view.version}"` }, pipelineId: view.pipelineId };
}

function windowOf(window: z.output<typeof requests.windowIn>): TimeWindow {
  if ("from" in window) return { from: window.from, until: window.until, ...given({ description: window.description ?? undefined }) };
  const { start, end, days, time_zone, description } = window;
  return { start, end, ...given({ days: days ?? undefined, timeZone: time_zone, description: description ?? undefined }) };
}

function dependencyOf({
  timeout_ms,
  ...one
}: NonNullable<z.output<typeof requests.settingsBody>["external_dependencies"]>[number]): RuntimeDependency {
  const { query_name, ...rest } = { query_name: undefined, ...one };
  return given({ ...rest, queryName: query_name, timeoutMs: timeout_ms }) as RuntimeDependency;
}

function mapped<A, B>(list: readonly A[] | null | undefined, make: (one: A) => B): readonly B[] | null | undefined {
  return list === undefined || list === null ? list : list.map(make);
}

/** Minutes and hours as ms; what is left out stays, `null` goes back to the code's value. */
function changeOf(body: z.output<typeof requests.settingsBody>): SettingsChange {
  const scaled = (value: number | null | undefined, by: number) => (value === undefined || value === null ? value : Math.round(value * by));
  return given({
    scheduleIntervalMs: scaled(body.schedule_interval_minutes, 60_000),
    stalenessThresholdMs: scaled(body.staleness_threshold_hours, 3_600_000),
    maintenanceWindows: mapped(body.maintenance_windows, windowOf),
    externalDependencies: mapped(body.external_dependencies, dependencyOf),
    isAdaptive: body.auto_scaling_enabled,
    maxActiveRuns: body.max_concurrent_runs,
  });
}

/** Without what is as the code has it anyway: who reads the settings, changes one and sends them all back overrides that one. */
function news(change: SettingsChange, { values, overrides }: SettingsView): SettingsChange {
  const isNews = ([name, value]: [string, unknown]) => {
    const known = values[name as SettingName];
    return name in overrides || !isDeepStrictEqual(value, known ?? (Array.isArray(value) ? [] : null));
  };
  return Object.fromEntries(Object.entries(change).filter(isNews)) as SettingsChange;
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#field.if-match */
function versionOf(header: string | null): string | undefined {
  if (header === null || header.trim() === "*") return undefined;
  const tag = /^\s*"([\x21\x23-\x7e]{1,100})"\s*$/.exec(header)?.[1];
  if (tag === undefined) throw new Problem(400, "INVALID_REQUEST", 'If-Match must be one ETag, such as "0a1b2c"');
  return tag;
}

export const settingsRoutes: readonly Route[] = [
  route({
    id: "getScheduleConfig",
    method: "GET",
    path: "/api/v1/schedule/config",
    summary: "Get a pipeline's effective settings, each with its source",
    tag: "settings",
    role: "viewer",
    query: requests.namedQuery,
    answers: ok("The settings.", schemas.settings),
    handle: async (call) => settingsAnswer(await call.scheduler.settings.get(pipelineOf(call, call.query))),
  }),
  route({
    id: "putScheduleConfig",
    method: "PUT",
    path: "/api/v1/schedule/config",
    summary: "Change settings atomically; null resets one to its configured value",
    tag: "settings",
    role: "admin",
    query: requests.namedQuery,
    body: requests.settingsBody,
    answers: ok("The settings.", schemas.settings),
    handle: async (call) => {
      const { pipeline, dag_id } = call.body;
      const pipelineId = pipelineOf(call, pipeline === undefined && dag_id === undefined ? call.query : { pipeline, dag_id });
      const ifVersion = versionOf(call.header("if-match"));
      const act = given({ ...actOf(call, call.body), ifVersion });
      const change = news(changeOf(call.body), await call.scheduler.settings.get(pipelineId));
      return settingsAnswer(await call.scheduler.settings.change(pipelineId, change, act));
    },
  }),
  route({
    id: "listMaintenance",
    method: "GET",
    path: "/api/v1/schedule/maintenance",
    summary: "List maintenance windows added at run time",
    tag: "settings",
    role: "viewer",
    query: requests.listQuery,
    answers: ok("The windows.", schemas.maintenanceList),
    handle: async (call) => {
      const all = await call.scheduler.settings.maintenance();
      const items = all.filter(({ pipelineId }) => pipelineId === null || isVisible(call, pipelineId));
      return listAnswer(
        items,
        call.query,
        (one) => whole(maintenanceOut(one)),
        ({ id }) => id,
      );
    },
  }),
  route({
    id: "addMaintenance",
    method: "POST",
    path: "/api/v1/schedule/maintenance",
    summary: "Add a maintenance window for one pipeline, or for all if none is named",
    tag: "settings",
    role: "admin",
    body: requests.maintenanceBody,
    once: { headers: ["idempotency-key"] },
    answers: { 201: { description: "The window was added.", schema: schemas.maintenance } },
    handle: async (call) => {
      const { pipeline: name, dag_id, user, reason, ...window } = call.body;
      const pipeline = name === undefined && dag_id === undefined ? undefined : pipelineOf(call, { pipeline: name, dag_id });
      if (pipeline === undefined && call.caller.pipelines !== null)
        throw new Problem(403, "FORBIDDEN", "this token is not for all pipelines; name one");
      const id = keyOf(call, "idempotency-key");
      const made = await call.scheduler.settings.addMaintenance(
        windowOf(window),
        given({ ...actOf(call, { user, reason }), pipelineId: pipeline, id }),
      );
      const headers = { location: `${call.prefix}/api/v1/schedule/maintenance/${encodeURIComponent(made.id)}` };
      return { status: 201, body: maintenanceOut(made), headers, pipelineId: made.pipelineId, ids: [made.id] };
    },
  }),
  route({
    id: "removeMaintenance",
    method: "DELETE",
    path: "/api/v1/schedule/maintenance/{id}",
    summary: "Delete a maintenance window",
    tag: "settings",
    role: "admin",
    answers: ok("The deleted window.", schemas.maintenance),
    handle: async (call) => {
      const id = call.params.id ?? "";
      const windows = await call.scheduler.settings.maintenance();
      const known = foundFor(
        call,
        windows.find((one) => one.id === id),
        "maintenance window",
      );
      if (known.pipelineId === null && call.caller.pipelines !== null)
        throw new Problem(403, "FORBIDDEN", "this token is not for all pipelines");
      return {
        status: 200,
        body: maintenanceOut(await call.scheduler.settings.removeMaintenance(id, actOf(call))),
        pipelineId: known.pipelineId,
        ids: [id],
      };
    },
  }),
];
