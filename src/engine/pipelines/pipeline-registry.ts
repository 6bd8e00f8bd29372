import type { NamedConnections } from "../../gate/dependency.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ReloadResult } from "../../ports/scheduler-api/reload.js";
import type { Core, Settings } from "../context/core.js";
import { unknownPipeline } from "../context/errors.js";
import { secretsOf } from "../context/executors.js";
import type { SchedulerPhase } from "../context/phase.js";
import type { SensorRunner } from "../intake/sensors.js";
import type { MonitoringSettings } from "../monitoring/monitoring-options.js";
import type { PipelineOverrides } from "./pipeline-overrides.js";
import { checkPipelines, registerPipelines } from "./register-pipelines.js";

/** The new configuration of a scheduler. */
export interface Reload {
  /** All of its pipelines: one that is the same object as before stays as it is. */
  readonly pipelines: readonly Pipeline[];
  readonly settings: Partial<Pick<Settings, "pools" | "maxActiveRuns">>;
  /** `null`: those of before. */
  readonly secrets: { readonly given: readonly string[]; readonly except: readonly string[] } | null;
  readonly monitoring: MonitoringSettings | null;
  /** `null`: those of before. */
  readonly connections: NamedConnections | null;
}

interface RegistryParts {
  readonly overrides: PipelineOverrides;
  readonly sensors: SensorRunner;
  readonly phase: SchedulerPhase;
}

type PipelineRegistryCore = Pick<
  Core,
  "clock" | "dependencies" | "dependenciesOf" | "events" | "executors" | "fireQueue" | "logger" | "secrets" | "settings" | "store"
>;

/** The pipelines of this node: a list until the scheduler starts, then those of the registry. */
export class PipelineRegistry {
  readonly #core: PipelineRegistryCore;
  readonly #overrides: PipelineOverrides;
  readonly #sensors: SensorRunner;
  readonly #phase: SchedulerPhase;
  #early: Pipeline[];
  #isStarted = false;

  constructor(core: PipelineRegistryCore, { overrides, sensors, phase }: RegistryParts, pipelines: readonly Pipeline[]) {
    this.#core = core;
    this.#phase = phase;
    this.#overrides = overrides;
    this.#sensors = sensors;
    checkPipelines(core, pipelines, false);
    this.#early = [...pipelines];
    core.secrets.hold(secretsOf(pipelines.map(({ executor }) => executor)));
  }

  get size(): number {
    return this.#core.fireQueue.size + this.#early.length;
  }

  all(): readonly Pipeline[] {
    return [...this.#early, ...[...this.#core.fireQueue.all()].map(({ pipeline }) => pipeline)];
  }

  /** @throws HeadgateError `INVALID_ARGUMENT` for anything but text */
  find(id: string): Pipeline | undefined {
    if (typeof id !== "string") throw unknownPipeline(id);
    return this.#core.fireQueue.get(id)?.pipeline ?? this.#early.find((one) => one.id === id);
  }

  /** @throws HeadgateError `UNKNOWN_PIPELINE` */
  known(id: string): Pipeline {
    const found = this.find(id);
    if (found !== undefined) return found;
    throw unknownPipeline(id);
  }

  /**
   * Returns a pipeline of a running scheduler.
   *
   * @throws HeadgateError `SCHEDULER_STOPPED`, `UNKNOWN_PIPELINE`
   */
  running(id: string): Pipeline {
    this.#phase.refuseUnlessRunning();
    return this.known(id);
  }

  /**
   * Returns the id of a pipeline of a running scheduler; `null`, which stands for all, for none.
   *
   * @throws HeadgateError `SCHEDULER_STOPPED`, `UNKNOWN_PIPELINE`
   */
  runningTarget(id: string | undefined): string | null {
    this.#phase.refuseUnlessRunning();
    return id === undefined ? null : this.known(id).id;
  }

  has(id: string): boolean {
    return this.find(id) !== undefined;
  }

  /** The pipelines as they would be with what the store says of them, for a scheduler that is not started and only answers. */
  async preview(): Promise<readonly Pipeline[]> {
    await this.#overrides.refresh();
    return this.#overrides.take(this.#early);
  }

  /** Registers all pipelines in the store. */
  async begin(): Promise<void> {
    await registerPipelines(this.#core, this.#early, (some) => this.#overrides.take(some));
    this.#early = [];
    this.#isStarted = true;
  }

  async put(pipelines: readonly Pipeline[], replaces: boolean): Promise<void> {
    const ids = new Set(pipelines.map((one) => one?.id));
    const rest = this.#isStarted ? [] : this.#early.filter(({ id }) => !replaces || !ids.has(id));
    checkPipelines(this.#core, [...rest, ...pipelines], replaces);
    this.#core.secrets.hold(secretsOf(pipelines.map(({ executor }) => executor)));
    if (this.#isStarted) await registerPipelines(this.#core, pipelines, (some) => this.#overrides.take(some));
    else this.#early = [...rest, ...pipelines];
    if (this.#isStarted) for (const one of pipelines) this.#sensors.put(one);
    for (const { id } of pipelines) this.#core.events.emit("pipeline.added", () => ({ pipelineId: id }));
  }

  remove(id: string): boolean {
    this.find(id);
    const before = this.#early.length;
    this.#early = this.#early.filter((one) => one.id !== id);
    this.#overrides.forget(id);
    this.#sensors.remove(id);
    const isRemoved = this.#core.fireQueue.remove(id) || this.#early.length < before;
    if (isRemoved) this.#core.events.emit("pipeline.removed", () => ({ pipelineId: id }));
    return isRemoved;
  }

  /** All of it, or (when something is refused, or the store cannot be reached) nothing. */
  async reload({ pipelines, settings, secrets, connections }: Omit<Reload, "monitoring">): Promise<ReloadResult> {
    const core = this.#core;
    const { settings: before, dependencies } = core;
    const next = connections === null ? dependencies : core.dependenciesOf(connections, "reload");
    const isRedeclared = JSON.stringify(next.connections) !== JSON.stringify(dependencies.connections);
    const wanted = new Set(pipelines.map(({ id }) => id));
    const changed = pipelines.filter((one) => this.#base(one.id) !== one);
    const added = changed.filter(({ id }) => this.find(id) === undefined).map(({ id }) => id);
    const old = changed.flatMap(({ id }) => this.#base(id) ?? []);
    const removed = this.all().flatMap(({ id }) => (wanted.has(id) ? [] : [id]));
    core.settings = { ...before, ...settings };
    core.dependencies = next;
    try {
      checkPipelines(core, pipelines, true);
      await this.put(changed, true);
      if (isRedeclared) await this.#overrides.remakeDependencies();
    } catch (error) {
      core.settings = before;
      core.dependencies = dependencies;
      if (this.#isStarted) this.#overrides.take(old);
      throw error;
    }
    if (secrets !== null) core.secrets.replace(secrets.given, secrets.except);
    for (const id of removed) this.remove(id);
    return { added, replaced: changed.flatMap(({ id }) => (added.includes(id) ? [] : [id])), removed };
  }

  /** A pipeline as the code has it. */
  #base(id: string): Pipeline | undefined {
    return this.#overrides.base(id) ?? this.#early.find((one) => one.id === id);
  }
}
