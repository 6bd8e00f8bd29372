import type { Pipeline } from "../../pipeline/pipeline.js";
import type { OpenMatter } from "../../ports/scheduler-api/explanation.js";
import type { Backlog } from "../../ports/store.js";
import type { Core } from "../context/core.js";

/** Slots that a pipeline may take, from an instant on (epoch ms; `-Infinity`: by now). */
interface Rival {
  readonly pipelineId: string;
  readonly from: number;
  readonly slots: number;
}

/** A limit on runs that one pipeline shares with others. */
interface Limit {
  readonly matter: OpenMatter;
  readonly slots: number;
  /** Sorted by instant. */
  readonly rivals: readonly Rival[];
}

/** Shared limits of one pipeline: which of them may be exceeded by an instant, when other pipelines run as much as they may. */
export class Contention {
  readonly #pipelineId: string;
  readonly #limits: readonly Limit[];
  /** Earliest instant at which something beside its schedule may trigger the pipeline: a sensor, or a pipeline that it follows. */
  readonly triggeredFrom: number;

  constructor(pipelineId: string, limits: readonly Limit[], triggeredFrom: number) {
    this.#pipelineId = pipelineId;
    this.#limits = limits;
    this.triggeredFrom = triggeredFrom;
  }

  /**
   * Lists the limits that may leave no slot for one more run at an instant.
   *
   * @param own - runs that the pipeline itself may have then
   */
  at(at: number, own: number): readonly OpenMatter[] {
    return this.#limits.flatMap(({ matter, slots, rivals }) => {
      let taken = own + 1;
      for (const { pipelineId, from, slots: more } of rivals) {
        if (taken > slots || from > at) break;
        if (pipelineId !== this.#pipelineId) taken += more;
      }
      return taken > slots ? [matter] : [];
    });
  }
}

interface LimitKey {
  readonly kind: "pool" | "limit" | "executor";
  readonly name: string | null;
  readonly slots: number;
  /** Equal for pipelines that share it. */
  readonly key: unknown;
}

type SharedLimitsCore = Pick<Core, "executors" | "fireQueue" | "settings" | "store">;

/** The limits that the pipelines of this node share. Reads what runs and waits at most once, and only if a limit can be exceeded at all. */
export class SharedLimits {
  readonly #core: SharedLimitsCore;
  readonly #pipelines: readonly Pipeline[];
  readonly #now: number;
  /** By their keys; `null` for one that its pipelines cannot exceed. */
  readonly #limits = new Map<unknown, Promise<Limit | null>>();
  #starts: Promise<Starts> | null = null;

  constructor(core: SharedLimitsCore, pipelines: readonly Pipeline[], now: number) {
    this.#core = core;
    this.#pipelines = pipelines;
    this.#now = now;
  }

  async of(pipeline: Pipeline): Promise<Contention> {
    const limits = await Promise.all(
      limitsOf(this.#core, pipeline).map((limit) => {
        const known = this.#limits.get(limit.key) ?? this.#limitOf(limit);
        this.#limits.set(limit.key, known);
        return known;
      }),
    );
    const isTriggered = pipeline.after.length > 0 || pipeline.sensors.length > 0;
    const triggeredFrom = isTriggered ? (await this.#started()).beside(pipeline) : Number.POSITIVE_INFINITY;
    return new Contention(
      pipeline.id,
      limits.filter((limit) => limit !== null),
      triggeredFrom,
    );
  }

  async #limitOf({ kind, name, slots, key }: LimitKey): Promise<Limit | null> {
    const isMember = (one: Pipeline) => limitsOf(this.#core, one).some((other) => other.key === key);
    let most = 0;
    for (const one of this.#pipelines) if (isMember(one)) most += one.execution.maxActiveRuns;
    if (most <= slots) return null;
    const starts = await this.#started();
    const members = this.#pipelines.filter(isMember);
    const rivals = members.map((one): Rival => ({ pipelineId: one.id, from: starts.of(one), slots: one.execution.maxActiveRuns }));
    const ids = new Set(members.map(({ id }) => id));
    return {
      matter: matterOf(
        kind,
        name,
        slots,
        starts.activeRuns.filter(({ pipelineId }) => ids.has(pipelineId)),
      ),
      slots,
      rivals: rivals.sort((a, b) => (a.from === b.from ? 0 : a.from < b.from ? -1 : 1)),
    };
  }

  #started(): Promise<Starts> {
    this.#starts ??= this.#core.store.backlog().then((backlog) => new Starts(this.#core, this.#pipelines, backlog, this.#now));
    return this.#starts;
  }
}

function limitsOf(core: Pick<Core, "executors" | "settings">, pipeline: Pipeline): readonly LimitKey[] {
  const { settings } = core;
  const { pool } = pipeline.execution;
  const executor = core.executors.of(pipeline);
  const limits: LimitKey[] = [];
  if (pool !== null) limits.push({ key: `pool ${pool}`, kind: "pool", name: pool, slots: settings.pools.get(pool) ?? 0 });
  if (settings.maxActiveRuns !== null) limits.push({ key: "limit", kind: "limit", name: null, slots: settings.maxActiveRuns });
  if (executor.kind === "local") limits.push({ key: executor, kind: "executor", name: null, slots: executor.concurrency });
  return limits;
}

function matterOf(kind: "pool" | "limit" | "executor", pool: string | null, slots: number, active: Backlog["activeRuns"]): OpenMatter {
  const held = active.slice(0, 3).map(({ id, pipelineId }) => `run ${id} of ${pipelineId}`);
  const more = active.length > 3 ? ` and ${active.length - 3} more` : "";
  const now = active.length === 0 ? "" : ` (${held.join(", ")}${more} ${active.length === 1 ? "has a slot" : "have slots"} now)`;
  const [one, some] = [slots === 1, `${slots} ${slots === 1 ? "slot" : "slots"}`];
  if (kind === "pool")
    return { kind, name: pool, reason: `pool ${pool} has ${some}, and other pipelines may take ${one ? "it" : "them"} first${now}` };
  if (kind === "limit")
    return {
      kind,
      name: null,
      reason: `the scheduler's maxActiveRuns is ${slots}, and other pipelines may take ${one ? "the slot" : "all slots"} first${now}`,
    };
  return {
    kind,
    name: null,
    reason: `its executor runs ${slots} at a time on a node, and other pipelines may use all of its capacity first`,
  };
}

/** Earliest instants at which pipelines may have a run, by themselves. */
class Starts {
  readonly activeRuns: Backlog["activeRuns"];
  readonly #core: Pick<Core, "fireQueue">;
  readonly #byId: ReadonlyMap<string, Pipeline>;
  readonly #busy: ReadonlySet<string>;
  readonly #now: number;
  readonly #known = new Map<string, number>();

  constructor(core: Pick<Core, "fireQueue">, all: readonly Pipeline[], { groups, activeRuns }: Backlog, now: number) {
    this.#core = core;
    this.activeRuns = activeRuns;
    this.#byId = new Map(all.map((one) => [one.id, one]));
    this.#busy = new Set([...groups, ...activeRuns].map(({ pipelineId }) => pipelineId));
    this.#now = now;
  }

  of(pipeline: Pipeline): number {
    const known = this.#known.get(pipeline.id);
    if (known !== undefined) return known;
    this.#known.set(pipeline.id, Number.POSITIVE_INFINITY); // in a circle, the others decide
    const from = this.#busy.has(pipeline.id) ? Number.NEGATIVE_INFINITY : Math.min(this.#fireAt(pipeline), this.beside(pipeline));
    this.#known.set(pipeline.id, from);
    return from;
  }

  /** When something beside its schedule may trigger it. */
  beside({ sensors, after }: Pipeline): number {
    if (sensors.length > 0) return Number.NEGATIVE_INFINITY;
    return Math.min(Number.POSITIVE_INFINITY, ...after.map((id) => this.#upstream(id)));
  }

  #upstream(id: string): number {
    const upstream = this.#byId.get(id);
    return upstream === undefined ? Number.NEGATIVE_INFINITY : this.of(upstream); // another node may have it
  }

  #fireAt({ id, schedule }: Pipeline): number {
    const entry = this.#core.fireQueue.get(id);
    const fireAt = entry === undefined ? schedule.nextAfter(this.#now) : entry.nextFireAt;
    if (fireAt === null) return Number.POSITIVE_INFINITY;
    return entry?.pause == null ? fireAt : Math.max(fireAt, entry.pause.until ?? Number.POSITIVE_INFINITY);
  }
}
