import { ulidSource } from "../../../src/base/id.js";
import type { EventName, Pipeline, RunContext, Scheduler, Store } from "../../../src/index.js";
import { type FakeClock, fakeClock, readHistory } from "../../../src/testing/index.js";
import { RECORD_EVENTS } from "../../support/record-events.js";
import type { Seen, SeenCall, SeenDecision, SeenDeed, SeenDown, SeenEvent } from "../seen.js";
import type { Deed, PipelineSpec, World } from "../spec.js";
import { type Answers, ask } from "./ask.js";
import { WorldNode } from "./node.js";
import { built } from "./pipelines.js";
import { recordsOf, seenLook } from "./records.js";

/** Where a world is played: each call of `open` makes a store over the same data. */
export interface Place {
  readonly name: string;
  open(): Store;
}

const NODE_EVENTS = [
  ...RECORD_EVENTS,
  "run.unresponsive",
  "run.late_result",
  "schedule.replanned",
  "clock.jumped",
] as const satisfies readonly EventName[];

/** Plays a world on the engine that runs in production, under a clock that is moved by hand, and writes down what is seen. */
export async function play(world: World, place: Place): Promise<Seen> {
  return new Player(world, place).play();
}

class Player {
  readonly #world: World;
  readonly #place: Place;
  readonly #clock: FakeClock;
  readonly #nodes: (WorldNode | null)[] = [];
  readonly #specs = new Map<string, PipelineSpec>();
  readonly #events: SeenEvent[] = [];
  readonly #calls: SeenCall[] = [];
  /** By the id of their record. */
  readonly #looks = new Map<string, SeenDecision[]>();
  readonly #deeds: SeenDeed[] = [];
  readonly #downs: SeenDown[] = [];
  readonly #errors: string[] = [];
  readonly #outages: string[] = [];
  readonly #answers: Answers = { answers: [], upcoming: [] };
  /** Of all nodes, so that ids sort in the order they were made. */
  readonly #newId = ulidSource(() => 0.5);
  #made = 0;

  constructor(world: World, place: Place) {
    this.#world = world;
    this.#place = place;
    this.#clock = fakeClock(world.from, { patience: "20s", onUnsettled: "reject" });
    for (const spec of world.pipelines) this.#specs.set(spec.id, spec);
  }

  async play(): Promise<Seen> {
    const world = this.#world;
    for (let node = 0; node < world.nodes; node++) await this.#start(node);
    for (const { at, act } of this.#acts()) {
      if (at >= world.to) break;
      await this.#clock.advanceTo(at);
      await act();
      await this.#clock.settle();
    }
    // a node notices within these that the clock has gone past the end of the world
    const noticedBy = world.theme === "steps" ? this.#clock.now() + world.timerTrust + world.lease : world.to;
    await this.#clock.advanceTo(Math.max(world.to, noticedBy));
    const reader = this.#someone() ?? (await this.#start(0)).scheduler;
    const endedAt = this.#clock.now();
    const records = await recordsOf(reader, this.#looks);
    await ask(reader, this.#world, endedAt, this.#answers, records);
    const histories = new Map<string, string>();
    for (const { id } of world.pipelines) histories.set(id, JSON.stringify(await readHistory(reader, { pipelineId: id })));
    const events = [...this.#events];
    const calls = [...this.#calls];
    await this.#stopAll();
    return {
      store: this.#place.name,
      ...records,
      events,
      calls,
      deeds: this.#deeds,
      ...this.#answers,
      downs: this.#downs,
      errors: this.#errors,
      outages: this.#outages,
      histories,
      endedAt,
    };
  }

  #acts(): { readonly at: number; act(): Promise<void> }[] {
    const acts: { at: number; act(): Promise<void> }[] = [];
    for (const deed of this.#world.deeds) {
      if (deed.kind === "down") acts.push(...this.#down(deed));
      else acts.push({ at: deed.at, act: () => this.#do(deed) });
    }
    for (const at of this.#world.asks) acts.push({ at, act: () => this.#ask() });
    return acts.sort((a, b) => a.at - b.at);
  }

  async #start(index: number): Promise<WorldNode> {
    const node = new WorldNode({
      world: this.#world,
      name: `node-${index}-${this.#made++}`,
      pipelines: [...this.#specs.values()].map((spec) => this.#built(spec)),
      store: this.#place.open(),
      clock: this.#clock,
      newId: this.#newId,
    });
    node.listen(NODE_EVENTS, (name, event) => this.#events.push(eventOf(name, event, this.#clock.now())));
    node.scheduler.on("decision", ({ decision }) => {
      const known = this.#looks.get(decision.id);
      if (known === undefined) this.#looks.set(decision.id, [seenLook(decision)]);
      else known.push(seenLook(decision));
    });
    node.scheduler.on("store.unavailable", ({ error }) => this.#outages.push(`the store was not to be had: ${error.message}`));
    node.scheduler.on("error", ({ error, where }) => this.#errors.push(`${where}: ${error.stack ?? error.message}`));
    this.#nodes[index] = node;
    await node.scheduler.start();
    await this.#clock.settle();
    return node;
  }

  #built(spec: PipelineSpec): Pipeline {
    return built(spec, this.#world.seed, ({ pipelineId, runId, attempt, clock }: RunContext<unknown>) =>
      this.#calls.push({ at: clock.now(), pipelineId, runId, attempt }),
    );
  }

  /** A scheduler that is up. */
  #someone(): Scheduler | null {
    return this.#nodes.find((node) => node !== null && node !== undefined)?.scheduler ?? null;
  }

  #down({ at, node: index, how, length }: Extract<Deed, { kind: "down" }>) {
    const end = async () => {
      const node = this.#nodes[index];
      if (node === null || node === undefined) return;
      this.#nodes[index] = null;
      this.#downs.push({ node: index, from: this.#clock.now(), until: this.#clock.now() + length, how });
      if (how === "kill") node.kill();
      else await this.#stopped(node);
    };
    const begin = async () => {
      if (this.#nodes[index] === null) await this.#start(index);
    };
    return [
      { at, act: end },
      { at: at + length, act: begin },
    ];
  }

  async #stopped(node: WorldNode): Promise<void> {
    await node.scheduler.stop({ drain: 0 });
  }

  async #stopAll(): Promise<void> {
    for (const node of this.#nodes) if (node !== null && node !== undefined) await this.#stopped(node);
  }

  async #do(deed: Exclude<Deed, { kind: "down" }>): Promise<void> {
    const at = this.#clock.now();
    if (deed.kind === "jump") {
      this.#clock.jump(deed.by);
      this.#deeds.push({ deed, at, refused: null, ids: [] });
      return;
    }
    const scheduler = this.#someone();
    if (scheduler === null) return;
    try {
      const ids = await this.#act(scheduler, deed);
      this.#deeds.push({ deed, at, refused: ids === null ? "NOTHING" : null, ids: ids ?? [] });
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      this.#deeds.push({ deed, at, refused: code, ids: [] });
    }
  }

  /** Ids of what was concerned; `null`: there was nothing to do it to. */
  async #act(scheduler: Scheduler, deed: Exclude<Deed, { kind: "down" | "jump" }>): Promise<string[] | null> {
    const who = { user: "ana", reason: `deed of ${deed.at}` };
    switch (deed.kind) {
      case "trigger": {
        const kind = deed.as === "forced" ? "immediate" : deed.as;
        const { id } = await scheduler.trigger(deed.pipelineId, {
          ...who,
          ...(deed.key === null ? {} : { reason: "under a key" }),
          kind,
          force: deed.as === "forced",
          ...(deed.priority === null ? {} : { priority: deed.priority }),
          ...(deed.notBefore === null ? {} : { notBefore: deed.notBefore }),
          ...(deed.key === null ? {} : { idempotencyKey: deed.key }),
        });
        return [id];
      }
      case "backfill":
        return (await scheduler.backfill(deed.pipelineId, { ...who, from: deed.from, to: deed.to })).map(({ id }) => id);
      case "pause":
        await scheduler.pause({
          ...who,
          ...(deed.pipelineId === null ? {} : { pipelineId: deed.pipelineId }),
          ...(deed.duration === null ? {} : { duration: deed.duration }),
        });
        return [];
      case "resume":
        return (await scheduler.resume(deed.pipelineId === null ? {} : { pipelineId: deed.pipelineId })) ? [] : null;
      case "cancel": {
        const status = deed.what === "run" ? (["running"] as const) : (["pending", "held"] as const);
        const [found] = (await scheduler.triggers({ pipelineId: deed.pipelineId, status, limit: 1 })).items;
        if (found === undefined) return null;
        await scheduler.cancel(found.id, who);
        return [found.id];
      }
      case "recheck":
        await (deed.pipelineId === null ? scheduler.recheck() : scheduler.recheck(deed.pipelineId));
        return [];
      case "replace":
        this.#specs.set(deed.pipeline.id, deed.pipeline);
        await scheduler.replace(this.#built(deed.pipeline));
        return [];
    }
  }

  async #ask(): Promise<void> {
    const scheduler = this.#someone();
    if (scheduler !== null) await ask(scheduler, this.#world, this.#clock.now(), this.#answers, null);
  }
}

interface Told {
  readonly trigger?: { readonly id: string; readonly pipelineId: string };
  readonly run?: { readonly id: string; readonly pipelineId: string };
  readonly decision?: { readonly id: string; readonly pipelineId: string };
  readonly pipelineId?: string;
  readonly runId?: string;
}

function eventOf(name: EventName, event: unknown, at: number): SeenEvent {
  const { trigger, run, decision, pipelineId, runId } = event as Told;
  const subject = name === "decision" ? decision : (run ?? trigger);
  return { at, name, pipelineId: subject?.pipelineId ?? pipelineId ?? null, id: subject?.id ?? runId ?? null };
}
