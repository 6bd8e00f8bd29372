import type { EffectiveSettings } from "../../pipeline/effective-settings.js";
import type { MaintenanceWindow } from "../../pipeline/maintenance-window.js";
import type { PipelineSettings, SettingName, SettingsChange } from "../../pipeline/overrides.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import type { TimeWindow } from "../../schedule/window.js";

/** A pipeline's settings, and which of them were changed at run time. */
export interface SettingsView {
  readonly pipelineId: string;
  /** Those in force, but of windows and dependencies those that were set at run time; `null` where neither code, file nor a change says anything. */
  readonly values: { readonly [Name in SettingName]: PipelineSettings[Name] | null };
  /** Changed at run time: they win over the code's until they are set to `null`. */
  readonly overrides: { readonly [Name in SettingName]?: { readonly at: Date; readonly user: string | null } };
  /** All that is in force, with its source. */
  readonly effective: EffectiveSettings;
  /** Differs whenever the settings do; hand it in as `ifVersion` so as not to undo somebody else's change. */
  readonly version: string;
}

/** Reads and changes settings of pipelines at run time: kept in the store, in force on all nodes. */
export interface SettingsManager {
  /** Returns a pipeline's settings. @throws HeadgateError `UNKNOWN_PIPELINE` */
  get(pipelineId: string): Promise<SettingsView>;

  /**
   * Changes settings at once, all of them or, if one is refused, none. `null` goes back to the code's value.
   *
   * @param act - `ifVersion`: only if the settings are still those of this version
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_TIME_ZONE`, `INVALID_PIPELINE`, `PRECONDITION_FAILED`
   * @example
   * await scheduler.settings.change("daily-sales", { scheduleIntervalMs: 2 * 3_600_000 }, { user: "ana", reason: "less load" });
   */
  change(pipelineId: string, change: SettingsChange, act?: ActionContext & { ifVersion?: string }): Promise<SettingsView>;

  /** Returns the maintenance windows that were added at run time. */
  maintenance(): Promise<readonly MaintenanceWindow[]>;

  /**
   * Adds a maintenance window for one pipeline, or for all.
   *
   * @param act - `id`: asking again with the same id adds nothing. Default: a new one
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_TIME_ZONE`, `IDEMPOTENCY_CONFLICT`, `TOO_MANY`
   * @example
   * await scheduler.settings.addMaintenance({ start: "02:00", end: "04:00", days: ["sunday"] }, { user: "ana" });
   */
  addMaintenance(window: TimeWindow, act?: ActionContext & { pipelineId?: string; id?: string }): Promise<MaintenanceWindow>;

  /** Removes a maintenance window that was added at run time. @throws HeadgateError `NOT_FOUND` */
  removeMaintenance(id: string, act?: ActionContext): Promise<MaintenanceWindow>;
}
