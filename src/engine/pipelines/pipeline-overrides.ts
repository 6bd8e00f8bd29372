import { HeadgateError, quote } from "../../base/errors.js";
import { ENDLESS } from "../../gate/conditions/time.js";
import type { MaintenanceWindow } from "../../pipeline/maintenance-window.js";
import {
  checkChange,
  type Overrides,
  SETTING_NAMES,
  type SettingName,
  type SettingsChange,
  shownDependencies,
  withSettings,
} from "../../pipeline/overrides.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ActionContext } from "../../pipeline/request-options.js";
import type { TimeWindow } from "../../schedule/window.js";
import { areEndless, timeWindows } from "../../schedule/window.js";
import type { AuditRecorder } from "../access/audit-log.js";
import type { Core } from "../context/core.js";
import { type CollectionChange, DocumentCollection } from "../context/document-collection.js";
import { AdaptiveIntervals } from "./adaptive-intervals.js";
import { registerPipelines } from "./register-pipelines.js";

const OVERRIDE = "override";
const WINDOW = "window";
const WINDOWS_LIMIT = 1_000;

interface KeptWindow extends Omit<MaintenanceWindow, "at"> {
  readonly at: number;
}

interface Kept {
  readonly pipelines: Readonly<Record<string, Overrides>>;
  readonly windows: readonly KeptWindow[];
}

const NOTHING: Kept = { pipelines: {}, windows: [] };

type PipelineOverridesCore = Pick<Core, "clock" | "dependencies" | "events" | "fireQueue" | "measureLoad" | "signals" | "store">;

/**
 * Changes of pipelines made at run time: one document per pipeline and per maintenance window, in one collection, so that two changes never undo each other, and taken over by all nodes.
 */
export class PipelineOverrides {
  readonly #core: PipelineOverridesCore;
  readonly #audit: AuditRecorder;
  readonly #bases = new Map<string, Pipeline>();
  readonly #documents: DocumentCollection;
  #kept: Kept = NOTHING;
  #version: number | null = null;
  #line: Promise<void> = Promise.resolve();
  /** The intervals of adaptive schedules. */
  readonly adaptive: AdaptiveIntervals;

  constructor(core: PipelineOverridesCore, audit: AuditRecorder) {
    this.#core = core;
    this.#audit = audit;
    this.#documents = new DocumentCollection(core, "settings", [OVERRIDE, WINDOW]);
    this.adaptive = new AdaptiveIntervals(core, audit, {
      isFrozen: (id) => this.overrides(id).isAdaptive?.value === false,
      base: (id) => this.#bases.get(id),
      reapply: (ids) => this.#register(ids, this.#kept),
    });
  }

  /** Pipelines as they are with what the store says of them. */
  take(pipelines: readonly Pipeline[]): readonly Pipeline[] {
    for (const one of pipelines) this.#bases.set(one.id, one);
    return pipelines.map((one) => this.#steered(one, this.#kept));
  }

  forget(pipelineId: string): void {
    this.#bases.delete(pipelineId);
  }

  /** The pipeline as the code has it. */
  base(pipelineId: string): Pipeline | undefined {
    return this.#bases.get(pipelineId);
  }

  overrides(pipelineId: string): Overrides {
    return ofPipeline(this.#kept, pipelineId) ?? {};
  }

  windows(): readonly MaintenanceWindow[] {
    return this.#kept.windows.map((one) => ({ ...one, at: new Date(one.at) }));
  }

  /** Takes over what another node, or an earlier life of this one, has changed. */
  async refresh(): Promise<void> {
    await this.#documents.refresh();
    if (this.#documents.version !== this.#version) await this.#takeOver();
    await this.adaptive.refresh();
  }

  async change(
    pipelineId: string,
    change: SettingsChange,
    act: ActionContext,
    isCurrent: (overrides: Overrides) => boolean,
  ): Promise<void> {
    checkChange(change, this.#core.dependencies);
    const at = this.#core.clock.now();
    const user = act.user ?? null;
    const names = Object.keys(change).filter((name) => change[name as SettingName] !== undefined) as SettingName[];
    await this.#write({ ...act, pipelineId, action: "settings" }, (kept) => {
      const before = ofPipeline(kept, pipelineId) ?? {};
      if (!isCurrent(before))
        throw new HeadgateError("PRECONDITION_FAILED", `the settings of ${pipelineId} have changed in the meantime; read them again`);
      if (names.length === 0) return null;
      const after: Record<string, unknown> = { ...before };
      for (const name of names) {
        if (change[name] === null) delete after[name];
        else after[name] = { value: change[name], at, user };
      }
      return {
        next: { ...kept, pipelines: { ...kept.pipelines, [pipelineId]: after as Overrides } },
        write: { kind: OVERRIDE, id: pipelineId, value: Object.keys(after).length === 0 ? null : after },
        before: valuesOf(before),
        after: valuesOf(after as Overrides),
      };
    });
  }

  /** Adds a window; asking again with the same id and window adds nothing. */
  async addWindow(id: string, pipelineId: string | null, window: TimeWindow, act: ActionContext): Promise<MaintenanceWindow> {
    timeWindows([window]);
    const added: KeptWindow = { id, pipelineId, window, at: this.#core.clock.now(), user: act.user ?? null };
    let kept = added;
    await this.#write({ ...act, pipelineId, action: "maintenance", ids: [id] }, (old) => {
      const same = old.windows.find((one) => one.id === id);
      if (same !== undefined) {
        if (JSON.stringify([same.pipelineId, same.window]) !== JSON.stringify([pipelineId, window]))
          throw new HeadgateError("IDEMPOTENCY_CONFLICT", "the idempotency key was already used for another window; use a new one", {
            details: { id },
          });
        kept = same;
        return null;
      }
      if (old.windows.length >= WINDOWS_LIMIT)
        throw new HeadgateError("TOO_MANY", `the limit of ${WINDOWS_LIMIT} maintenance windows is reached; delete some`);
      return {
        next: { ...old, windows: [...old.windows, added] },
        write: { kind: WINDOW, id, value: added },
        before: null,
        after: added,
      };
    });
    return { ...kept, at: new Date(kept.at) };
  }

  async removeWindow(id: string, act: ActionContext): Promise<MaintenanceWindow> {
    const known = this.#kept.windows.find((one) => one.id === id);
    let removed = known;
    await this.#write({ ...act, pipelineId: known?.pipelineId ?? null, action: "maintenance", ids: [id] }, (kept) => {
      removed = kept.windows.find((one) => one.id === id);
      if (removed === undefined) throw new HeadgateError("NOT_FOUND", `no such maintenance window: ${id}`, { details: { id } });
      return {
        next: { ...kept, windows: kept.windows.filter((one) => one.id !== id) },
        write: { kind: WINDOW, id, value: null },
        before: removed,
        after: null,
      };
    });
    const { at, ...rest } = removed as KeptWindow;
    return { ...rest, at: new Date(at) };
  }

  /** Reads, changes and writes; when another node was quicker, again with what it wrote. */
  async #write(
    { action, pipelineId, ids = [], ...act }: ActionContext & { action: string; pipelineId: string | null; ids?: readonly string[] },
    make: (kept: Kept) => { next: Kept; write: CollectionChange["writes"][number]; before: unknown; after: unknown } | null,
  ): Promise<void> {
    const written = await this.#documents.change(() => {
      const kept = keptOf(this.#documents);
      const made = make(kept);
      if (made === null) return null;
      const { next, write, before, after } = made;
      for (const base of this.#bases.values()) this.#steered(base, next); // what cannot be applied is not kept
      refuseEndless(kept, next, this.#bases.keys());
      const change = { action, pipelineId, before, after, ids };
      return { writes: [write], change, user: act.user ?? null, noted: this.#audit.noted(change, act) };
    });
    if (written === null) return;
    this.#audit.logChange(written.change, act);
    await this.#takeOver();
  }

  /** One after the other: what failed is as if it had not begun, and is done by the next look. */
  #takeOver(): Promise<void> {
    const result = this.#line.then(() => {
      const { version } = this.#documents;
      return version === this.#version ? undefined : this.#apply(keptOf(this.#documents), version);
    });
    this.#line = result.catch(() => {}); // thrown to the caller
    return result;
  }

  async #apply(next: Kept, version: number): Promise<void> {
    const { fireQueue, store, clock, events } = this.#core;
    const changed = changedIds(this.#kept, next, this.#bases).filter((id) => fireQueue.has(id));
    if (changed.length > 0) {
      await this.#register(changed, next);
      await store.recheck(changed, clock.now());
    }
    this.#kept = next;
    this.#version = version;
    for (const id of changed) events.emit("settings.changed", () => ({ pipelineId: id }));
  }

  /** Makes the pipelines that have external dependencies again: what these refer to is declared otherwise now. */
  async remakeDependencies(): Promise<void> {
    const { fireQueue, store, clock } = this.#core;
    const ids = [...this.#bases.keys()].filter((id) => fireQueue.has(id) && this.overrides(id).externalDependencies !== undefined);
    if (ids.length === 0) return;
    await this.#register(ids, this.#kept);
    await store.recheck(ids, clock.now());
  }

  #register(ids: readonly string[], kept: Kept): Promise<void> {
    return registerPipelines(
      this.#core,
      ids.map((id) => this.#steered(this.#bases.get(id) as Pipeline, kept)),
    );
  }

  #steered(base: Pipeline, kept: Kept): Pipeline {
    const overrides = ofPipeline(kept, base.id);
    if (overrides === undefined && kept.windows.length === 0) return this.adaptive.adapted(base);
    const windows = kept.windows.flatMap(({ pipelineId, window }) => (pipelineId === null || pipelineId === base.id ? [window] : []));
    if (overrides === undefined && windows.length === 0) return this.adaptive.adapted(base);
    return this.adaptive.adapted(withSettings(base, overrides ?? {}, windows, (one) => this.#core.dependencies.conditionOf(one)));
  }
}

/** Returns the overrides in the documents, the windows in the order in which they were added. */
function keptOf(documents: DocumentCollection): Kept {
  const windows = [...documents.of(WINDOW).values()].map(({ value }) => value as KeptWindow);
  return {
    pipelines: Object.fromEntries([...documents.of(OVERRIDE).values()].map(({ id, value }) => [id, value as Overrides])),
    windows: windows.toSorted((one, other) => one.at - other.at || (one.id < other.id ? -1 : 1)),
  };
}

/** Windows in which a pipeline does not run, as far as they were set at run time. */
function windowsOf(kept: Kept, id: string): readonly TimeWindow[] {
  const own = ofPipeline(kept, id)?.maintenanceWindows?.value as readonly TimeWindow[] | undefined;
  const added = kept.windows.flatMap(({ pipelineId, window }) => (pipelineId === null || pipelineId === id ? [window] : []));
  return [...added, ...(own ?? [])];
}

/** @throws HeadgateError `INVALID_ARGUMENT` when a pipeline would never run again, unless that is so already */
function refuseEndless(before: Kept, next: Kept, ids: Iterable<string>): void {
  for (const id of ids)
    if (areEndless(windowsOf(next, id)) && !areEndless(windowsOf(before, id)))
      throw new HeadgateError("INVALID_ARGUMENT", `maintenance windows of ${quote(id)}: ${ENDLESS}`, { details: { pipelineId: id } });
}

/** A pipeline may be called `constructor`. */
function ofPipeline({ pipelines }: Kept, id: string): Overrides | undefined {
  return Object.hasOwn(pipelines, id) ? pipelines[id] : undefined;
}

/** The pipelines that a change concerns: all, when a window of all of them came or went. */
function changedIds(before: Kept, next: Kept, bases: ReadonlyMap<string, Pipeline>): string[] {
  const windowsOf = (kept: Kept, id: string | null) => JSON.stringify(kept.windows.filter(({ pipelineId }) => pipelineId === id));
  if (windowsOf(before, null) !== windowsOf(next, null)) return [...bases.keys()];
  const named = [before, next].flatMap(({ pipelines, windows }) => [
    ...Object.keys(pipelines),
    ...windows.flatMap(({ pipelineId }) => pipelineId ?? []),
  ]);
  const concerns = (kept: Kept, id: string) => JSON.stringify(ofPipeline(kept, id) ?? {}) + windowsOf(kept, id);
  return [...new Set(named)].filter((id) => bases.has(id) && concerns(before, id) !== concerns(next, id));
}

function valuesOf(overrides: Overrides): Record<string, unknown> {
  const shown = (name: SettingName, value: unknown) =>
    name === "externalDependencies" && Array.isArray(value) ? shownDependencies(value) : value;
  return Object.fromEntries(
    SETTING_NAMES.flatMap((name) => (overrides[name] === undefined ? [] : [[name, shown(name, overrides[name].value)]])),
  );
}
