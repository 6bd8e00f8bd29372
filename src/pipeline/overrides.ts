import { durationMs } from "../base/duration.js";
import { HeadgateError } from "../base/errors.js";
import { checkInteger, checkOptions, type OptionNames, type RefuseOption } from "../base/options.js";
import type { Condition } from "../gate/condition.js";
import { type StaleOptions, stale } from "../gate/conditions/history.js";
import { keptMaintenance } from "../gate/conditions/time.js";
import { dependencyProblem, type RuntimeDependency } from "../gate/dependency.js";
import { inOrder } from "../gate/evaluate.js";
import { withoutSecrets } from "../gate/secret-url.js";
import type { DependencyFactory } from "../ports/dependency.js";
import { inZone } from "../schedule/inherited-zone.js";
import { every } from "../schedule/simple.js";
import { type TimeWindow, timeWindows } from "../schedule/window.js";
import { checkDefaults, type Pipeline } from "./pipeline.js";

/** Settings of a pipeline that may be changed at run time. */
export interface PipelineSettings {
  /** Fires every so many ms (from 1970-01-01, so that 15 minutes fall on the quarters of the hour), in place of the code's schedule. */
  readonly scheduleIntervalMs: number;
  /** Runs only when its last success is older, ms; in place of the code's `stale` condition. */
  readonly stalenessThresholdMs: number;
  /** Windows in which it does not run, beside those of the code and those of all pipelines. */
  readonly maintenanceWindows: readonly TimeWindow[];
  /** Systems that must answer, beside the code's conditions. */
  readonly externalDependencies: readonly RuntimeDependency[];
  /** True if its adaptive schedule, if it has one, adapts. */
  readonly isAdaptive: boolean;
  /** In place of the code's `execution.maxActiveRuns`. */
  readonly maxActiveRuns: number;
}

export type SettingName = keyof PipelineSettings;

/** A change: what is named is set, `null` goes back to the code's value. */
export type SettingsChange = { readonly [Name in SettingName]?: PipelineSettings[Name] | null };

/** One changed setting, and who changed it when. */
interface Override {
  readonly value: unknown;
  /** Epoch ms. */
  readonly at: number;
  readonly user: string | null;
}

export type Overrides = { readonly [Name in SettingName]?: Override };

const SETTINGS: OptionNames<SettingsChange> = {
  scheduleIntervalMs: true,
  stalenessThresholdMs: true,
  maintenanceWindows: true,
  externalDependencies: true,
  isAdaptive: true,
  maxActiveRuns: true,
};
export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];
const LEAST_INTERVAL_MS = 1_000;
const LIST_LIMIT = 100;

/**
 * Checks a change, all of it before any of it counts.
 *
 * @param dependencies - the connections that external dependencies may name, and the addresses that they may have
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_TIME_ZONE`, `INVALID_INSTANT`
 */
export function checkChange(change: SettingsChange, dependencies: Pick<DependencyFactory, "connections" | "addressProblem">): void {
  const refuse: RefuseOption = (name, problem) => bad(name ?? "settings", problem);
  checkOptions(change, SETTINGS, "settings", refuse);
  const { scheduleIntervalMs, stalenessThresholdMs, maintenanceWindows, externalDependencies, isAdaptive, maxActiveRuns } = change;
  if (isSet(scheduleIntervalMs) && durationMs(scheduleIntervalMs, "scheduleIntervalMs") < LEAST_INTERVAL_MS)
    throw bad("scheduleIntervalMs", `must be at least ${LEAST_INTERVAL_MS}`);
  if (isSet(stalenessThresholdMs)) durationMs(stalenessThresholdMs, "stalenessThresholdMs");
  if (isSet(maintenanceWindows)) timeWindows(listed(maintenanceWindows, "maintenanceWindows"));
  if (isSet(externalDependencies))
    for (const one of listed(externalDependencies, "externalDependencies")) {
      const problem = dependencyProblem(one, dependencies.connections) ?? dependencies.addressProblem(one);
      if (problem !== null) throw bad("externalDependencies", problem);
    }
  if (isSet(isAdaptive) && typeof isAdaptive !== "boolean") throw bad("isAdaptive", "must be true or false");
  if (isSet(maxActiveRuns)) checkInteger(maxActiveRuns, { least: 1, most: 100_000 }, "maxActiveRuns", refuse);
}

/** Returns dependencies as they may be shown: those that an earlier version kept may have secrets in their addresses. */
export function shownDependencies(dependencies: readonly RuntimeDependency[]): readonly RuntimeDependency[] {
  return dependencies.map((one) => ("url" in one ? { ...one, url: withoutSecrets(one.url) } : one));
}

/**
 * A pipeline as it is with its settings.
 *
 * @param windows - windows in which no pipeline runs
 * @throws HeadgateError `INVALID_PIPELINE` when it gets a schedule and its parameters have no defaults
 */
export function withSettings(
  base: Pipeline,
  overrides: Overrides,
  windows: readonly TimeWindow[],
  dependsOn: (dependency: RuntimeDependency) => Condition,
): Pipeline {
  const value = <Name extends SettingName>(name: Name) => overrides[name]?.value as PipelineSettings[Name] | undefined;
  const intervalMs = value("scheduleIntervalMs");
  const maxActiveRuns = value("maxActiveRuns");
  const conditions = conditionsOf(
    base,
    value("stalenessThresholdMs"),
    [...windows, ...(value("maintenanceWindows") ?? [])],
    [...(value("externalDependencies") ?? []).map(dependsOn)],
  );
  if (intervalMs === undefined && maxActiveRuns === undefined && conditions === null) return base;
  if (intervalMs !== undefined && base.parameters !== null) checkDefaults(base.id, base.parameters);
  return {
    ...base,
    schedule: intervalMs === undefined ? base.schedule : every(intervalMs),
    execution: maxActiveRuns === undefined ? base.execution : { ...base.execution, maxActiveRuns },
    gate: conditions === null ? base.gate : { ...base.gate, conditions },
  };
}

/** `null` when the settings say nothing of the gate. */
function conditionsOf(
  { gate, timeZone }: Pipeline,
  staleMs: number | undefined,
  windows: readonly TimeWindow[],
  dependencies: readonly Condition[],
): readonly Condition[] | null {
  if (staleMs === undefined && windows.length === 0 && dependencies.length === 0) return null;
  const kept = staleMs === undefined ? gate.conditions : gate.conditions.filter(({ name }) => name !== "stale");
  const old = gate.conditions.find(({ name }) => name === "stale");
  const added: Condition[] = [...dependencies];
  const maintenance = windows.length === 0 ? null : keptMaintenance(windows.map(known));
  if (maintenance !== null)
    added.push({ ...(timeZone === null ? maintenance : inZone(maintenance, timeZone)), name: "maintenance window set at run time" });
  if (staleMs !== undefined) added.push(staleAgain(staleMs, old));
  return inOrder([...kept, ...added]);
}

/** Windows that an earlier version kept may have more, which was ignored. */
function known(window: TimeWindow): TimeWindow {
  if (!("start" in window)) return { from: window.from, until: window.until, ...described(window) };
  const { start, end, days, timeZone } = window;
  return { start, end, ...(days === undefined ? {} : { days }), ...(timeZone === undefined ? {} : { timeZone }), ...described(window) };
}

function described({ description }: TimeWindow): { description?: string } {
  return description === undefined ? {} : { description };
}

function isSet<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

function listed<T>(value: readonly T[], name: string): readonly T[] {
  if (!Array.isArray(value)) throw bad(name, "must be a list");
  if (value.length > LIST_LIMIT) throw bad(name, `has ${value.length} entries; at most ${LIST_LIMIT}`);
  return value;
}

function bad(name: string, problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `settings: ${name}: ${problem}`, { details: { setting: name } });
}

/** The same condition with another limit. */
function staleAgain(olderThan: number, old: Condition | undefined): Condition {
  const { onBlock, onError, source } = old ?? {};
  return stale({
    olderThan,
    ...(onBlock === undefined ? {} : { onBlock }),
    ...(onError === undefined ? {} : { onError }),
    ...(source === undefined ? {} : { source: source as NonNullable<StaleOptions["source"]> }),
  });
}
