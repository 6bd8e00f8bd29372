import { checkOptions } from "../base/options.js";
import type { TimeWindow } from "../schedule/window.js";
import { sha256 } from "./audit-keys.js";
import type { Core } from "./core.js";
import { type EffectiveSettings, effectiveSettings } from "./effective-settings.js";
import type { Pipeline } from "./pipeline.js";
import { unknownPipeline } from "./refusals.js";
import type { Act } from "./request-options.js";
import { ACT_OPTIONS, checkAct, text } from "./requests.js";
import type { Overrides, PipelineSettings, SettingName, SettingsChange } from "./settings.js";
import { SETTING_NAMES, shownDependencies } from "./settings.js";
import type { Maintenance, Steering } from "./steering.js";

/** What a pipeline's settings are, and which of them were changed at run time. */
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

/** Changes of pipelines while they are in use: kept in the store, in force on all nodes, and until they are reset. */
export class SettingsDesk {
  readonly #core: Core;
  readonly #steering: Steering;

  constructor(core: Core, steering: Steering) {
    this.#core = core;
    this.#steering = steering;
  }

  /** @throws HeadgateError `UNKNOWN_PIPELINE` */
  async get(pipelineId: string): Promise<SettingsView> {
    await this.#steering.refresh();
    return this.#view(pipelineId, this.#steering.overrides(pipelineId));
  }

  /**
   * Changes settings at once, all of them or, if one is refused, none. `null` goes back to the code's value.
   *
   * @param act - `ifVersion`: only if the settings are still those of this version
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_TIME_ZONE`, `INVALID_PIPELINE`, `PRECONDITION_FAILED`
   * @example
   * await scheduler.settings.change("daily-sales", { scheduleIntervalMs: 2 * 3_600_000 }, { user: "ana", reason: "less load" });
   */
  async change(pipelineId: string, change: SettingsChange, act: Act & { ifVersion?: string } = {}): Promise<SettingsView> {
    checkOptions(act, { ...ACT_OPTIONS, ifVersion: true }, "settings.change");
    this.#mustBeKnown(pipelineId);
    const { ifVersion } = act;
    await this.#steering.change(
      pipelineId,
      change,
      checked(act),
      (overrides) => ifVersion === undefined || this.#view(pipelineId, overrides).version === ifVersion,
    );
    return this.#view(pipelineId, this.#steering.overrides(pipelineId));
  }

  /** Maintenance windows added at run time: of all pipelines, or of those named. */
  async maintenance(): Promise<readonly Maintenance[]> {
    await this.#steering.refresh();
    return this.#steering.windows();
  }

  /**
   * Adds a maintenance window for one pipeline, or for all.
   *
   * @param act - `id`: asking again with the same id adds nothing. Default: a new one
   * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_TIME_ZONE`, `IDEMPOTENCY_CONFLICT`, `TOO_MANY`
   * @example
   * await scheduler.settings.addMaintenance({ start: "02:00", end: "04:00", days: ["sunday"] }, { user: "ana" });
   */
  async addMaintenance(window: TimeWindow, act: Act & { pipelineId?: string; id?: string } = {}): Promise<Maintenance> {
    checkOptions(act, { ...ACT_OPTIONS, pipelineId: true, id: true }, "settings.addMaintenance");
    if (act.pipelineId !== undefined) this.#mustBeKnown(act.pipelineId);
    const id = text(act.id, "id", 255) ?? this.#core.newId(this.#core.clock.now());
    return this.#steering.addWindow(id, act.pipelineId ?? null, window, checked(act));
  }

  /** @throws HeadgateError `NOT_FOUND` */
  async removeMaintenance(id: string, act: Act = {}): Promise<Maintenance> {
    checkAct(act, "settings.removeMaintenance");
    return this.#steering.removeWindow(id, checked(act));
  }

  #view(pipelineId: string, overrides: Overrides): SettingsView {
    this.#mustBeKnown(pipelineId);
    const known = this.#core.registry.get(pipelineId)?.pipeline as Pipeline;
    const base = this.#steering.base(pipelineId) ?? known;
    const windows = this.#steering.windows().filter((one) => one.pipelineId === null || one.pipelineId === pipelineId);
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
    if (!this.#core.registry.has(pipelineId)) throw unknownPipeline(pipelineId);
  }
}

function shownValue(name: SettingName, overrides: Overrides): unknown {
  const value = overrides[name]?.value;
  return name === "externalDependencies" && Array.isArray(value) ? shownDependencies(value) : value;
}

function checked({ user, reason, caller }: Act): Act {
  text(user, "user", 200);
  text(reason, "reason", 1_000);
  return {
    ...(user === undefined ? {} : { user }),
    ...(reason === undefined ? {} : { reason }),
    ...(caller === undefined ? {} : { caller }),
  };
}
