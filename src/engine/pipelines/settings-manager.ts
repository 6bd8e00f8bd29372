import { checkOptions } from "../../base/options.js";
import { effectiveSettings } from "../../pipeline/effective-settings.js";
import type { MaintenanceWindow } from "../../pipeline/maintenance-window.js";
import type { Overrides, SettingName, SettingsChange } from "../../pipeline/overrides.js";
import { SETTING_NAMES, shownDependencies } from "../../pipeline/overrides.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import { ACT_OPTIONS, checkAct, text } from "../../pipeline/requests.js";
import type { SettingsManager, SettingsView } from "../../ports/scheduler-api/settings-manager.js";
import type { TimeWindow } from "../../schedule/window.js";
import { sha256 } from "../access/audit-keys.js";
import type { Core } from "../context/core.js";
import { unknownPipeline } from "../context/errors.js";
import type { PipelineOverrides } from "./pipeline-overrides.js";

/** Changes of pipelines while they are in use: kept in the store, in force on all nodes, and until they are reset. */
export class PipelineSettingsManager implements SettingsManager {
  readonly #core: Pick<Core, "clock" | "fireQueue" | "newId">;
  readonly #overrides: PipelineOverrides;

  constructor(core: Pick<Core, "clock" | "fireQueue" | "newId">, overrides: PipelineOverrides) {
    this.#core = core;
    this.#overrides = overrides;
  }

  async get(pipelineId: string): Promise<SettingsView> {
    await this.#overrides.refresh();
    return this.#view(pipelineId, this.#overrides.overrides(pipelineId));
  }

  async change(pipelineId: string, change: SettingsChange, act: ActionContext & { ifVersion?: string } = {}): Promise<SettingsView> {
    checkOptions(act, { ...ACT_OPTIONS, ifVersion: true }, "settings.change");
    this.#mustBeKnown(pipelineId);
    const { ifVersion } = act;
    await this.#overrides.change(
      pipelineId,
      change,
      checked(act),
      (overrides) => ifVersion === undefined || this.#view(pipelineId, overrides).version === ifVersion,
    );
    return this.#view(pipelineId, this.#overrides.overrides(pipelineId));
  }

  async maintenance(): Promise<readonly MaintenanceWindow[]> {
    await this.#overrides.refresh();
    return this.#overrides.windows();
  }

  async addMaintenance(window: TimeWindow, act: ActionContext & { pipelineId?: string; id?: string } = {}): Promise<MaintenanceWindow> {
    checkOptions(act, { ...ACT_OPTIONS, pipelineId: true, id: true }, "settings.addMaintenance");
    if (act.pipelineId !== undefined) this.#mustBeKnown(act.pipelineId);
    const id = text(act.id, "id", 255) ?? this.#core.newId(this.#core.clock.now());
    return this.#overrides.addWindow(id, act.pipelineId ?? null, window, checked(act));
  }

  async removeMaintenance(id: string, act: ActionContext = {}): Promise<MaintenanceWindow> {
    checkAct(act, "settings.removeMaintenance");
    return this.#overrides.removeWindow(id, checked(act));
  }

  #view(pipelineId: string, overrides: Overrides): SettingsView {
    this.#mustBeKnown(pipelineId);
    const known = this.#core.fireQueue.get(pipelineId)?.pipeline as Pipeline;
    const base = this.#overrides.base(pipelineId) ?? known;
    const windows = this.#overrides.windows().filter((one) => one.pipelineId === null || one.pipelineId === pipelineId);
    const effective = effectiveSettings(base, known.schedule.describe(), overrides, windows);
    const inForce: Partial<Record<SettingName, unknown>> = {
      scheduleIntervalMs: effective.scheduleIntervalMs.value,
      stalenessThresholdMs: effective.stalenessThresholdMs.value,
      isAdaptive: effective.isAdaptive.value,
      maxActiveRuns: effective.maxActiveRuns.value,
    };
    const values = Object.fromEntries(SETTING_NAMES.map((name) => [name, shownValue(name, overrides) ?? inForce[name] ?? null]));
    const changed = SETTING_NAMES.flatMap((name) => {
      const one = overrides[name];
      return one === undefined ? [] : [[name, { at: new Date(one.at), user: one.user }]];
    });
    return {
      pipelineId,
      values: values as SettingsView["values"],
      overrides: Object.fromEntries(changed) as SettingsView["overrides"],
      effective,
      version: sha256(JSON.stringify([pipelineId, values, changed])).slice(0, 32),
    };
  }

  #mustBeKnown(pipelineId: string): void {
    if (!this.#core.fireQueue.has(pipelineId)) throw unknownPipeline(pipelineId);
  }
}

function shownValue(name: SettingName, overrides: Overrides): unknown {
  const value = overrides[name]?.value;
  return name === "externalDependencies" && Array.isArray(value) ? shownDependencies(value) : value;
}

function checked({ user, reason, caller }: ActionContext): ActionContext {
  text(user, "user", 200);
  text(reason, "reason", 1_000);
  return {
    ...(user === undefined ? {} : { user }),
    ...(reason === undefined ? {} : { reason }),
    ...(caller === undefined ? {} : { caller }),
  };
}
