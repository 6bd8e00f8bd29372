import { isAdaptive } from "../adaptive/adaptive.js";
import type { RuntimeDependency } from "../gate/dependency.js";
import type { TimeWindow } from "../schedule/window.js";
import type { MaintenanceWindow } from "./maintenance-window.js";
import { type Overrides, type PipelineSettings, type SettingName, shownDependencies } from "./overrides.js";
import type { Pipeline } from "./pipeline.js";

/** Where a setting in force comes from: the code, the configuration file, or a change at run time. */
export type SettingSource = "code" | "file" | "override";

/** A setting in force, and where it comes from; `at` and `user` only of what was changed at run time. */
export interface EffectiveSetting<T> {
  readonly value: T;
  readonly source: SettingSource;
  readonly at: Date | null;
  readonly user: string | null;
}

/** Effective settings of a pipeline. */
export interface EffectiveSettings {
  /** Its schedule in words. */
  readonly schedule: EffectiveSetting<string>;
  /** Of a schedule that fires every so often; `null` for others. */
  readonly scheduleIntervalMs: EffectiveSetting<number | null>;
  /** Of its condition `stale`; `null` when it has none. */
  readonly stalenessThresholdMs: EffectiveSetting<number | null>;
  /** True if its schedule adapts; `null` for one that cannot. */
  readonly isAdaptive: EffectiveSetting<boolean | null>;
  readonly maxActiveRuns: EffectiveSetting<number>;
  /** All windows in which it does not run: `id` of those that were added at run time, `isForAll` of those that are for all pipelines. */
  readonly maintenanceWindows: readonly (EffectiveSetting<TimeWindow> & { readonly id: string | null; readonly isForAll: boolean })[];
  /** Its other conditions by name, and the dependencies that were set at run time. */
  readonly conditions: readonly (EffectiveSetting<string> & { readonly dependency: RuntimeDependency | null })[];
}

/**
 * Returns what is in force for a pipeline.
 *
 * @param base - the pipeline as code or file have it
 * @param schedule - its schedule in force, in words
 * @param windows - those that were added at run time, for this pipeline or for all
 */
export function effectiveSettings(
  base: Pipeline,
  schedule: string,
  overrides: Overrides,
  windows: readonly MaintenanceWindow[],
): EffectiveSettings {
  const source: SettingSource = base.origin ?? "code";
  const declared = <T>(value: T): EffectiveSetting<T> => ({ value, source, at: null, user: null });
  const changed = <T>(value: T, at: Date, user: string | null): EffectiveSetting<T> => ({ value, source: "override", at, user });
  const of = <Name extends SettingName, T>(name: Name, fallback: T): EffectiveSetting<PipelineSettings[Name] | T> => {
    const own = overrides[name];
    return own === undefined ? declared(fallback) : changed(own.value as PipelineSettings[Name], new Date(own.at), own.user);
  };
  const { conditions } = base.gate;
  const declares = conditions.flatMap((one) => one.declares ?? []);
  const interval = of("scheduleIntervalMs", base.schedule.intervalMs ?? null);
  const ownWindows = overrides.maintenanceWindows;
  const dependencies = overrides.externalDependencies;
  return {
    schedule: { ...interval, value: schedule },
    scheduleIntervalMs: interval,
    stalenessThresholdMs: of("stalenessThresholdMs", declares.find(({ olderThanMs }) => olderThanMs !== undefined)?.olderThanMs ?? null),
    isAdaptive: of("isAdaptive", isAdaptive(base.schedule) ? true : null),
    maxActiveRuns: of("maxActiveRuns", base.execution.maxActiveRuns),
    maintenanceWindows: [
      ...declares.flatMap(({ windows: all = [] }) => all.map((window) => ({ ...declared(window), id: null, isForAll: false }))),
      ...((ownWindows?.value ?? []) as readonly TimeWindow[]).map((window) => ({
        ...changed(window, new Date(ownWindows?.at ?? 0), ownWindows?.user ?? null),
        id: null,
        isForAll: false,
      })),
      ...windows.map(({ id, pipelineId, window, at, user }) => ({ ...changed(window, at, user), id, isForAll: pipelineId === null })),
    ],
    conditions: [
      ...conditions.filter((one) => one.declares === undefined).map(({ name }) => ({ ...declared(name), dependency: null })),
      ...shownDependencies((dependencies?.value ?? []) as readonly RuntimeDependency[]).map((dependency) => ({
        ...changed(dependency.name ?? dependency.type, new Date(dependencies?.at ?? 0), dependencies?.user ?? null),
        dependency,
      })),
    ],
  };
}
