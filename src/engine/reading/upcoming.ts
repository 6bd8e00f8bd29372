import { Heap, type HeapEntry } from "../../base/heap.js";
import { epochMs } from "../../base/instant.js";
import { checkInteger, checkOptions, invalidArgument } from "../../base/options.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import { chosenPipelines, SELECTION_OPTIONS, selectionOf } from "../../pipeline/selection.js";
import type { UpcomingFire, UpcomingFireOptions } from "../../ports/scheduler-api/upcoming.js";
import type { PipelineState } from "../../ports/store.js";
import type { Core } from "../context/core.js";
import { unknownPipeline } from "../context/errors.js";
import type { GateEvaluator } from "../gating/gate-evaluator.js";
import { SharedLimits } from "./contention.js";
import type { Surroundings } from "./explain-future.js";
import { Projection } from "./projection.js";
import { nextFireOf, projectionState } from "./projection-state.js";

interface Next extends HeapEntry {
  readonly pipeline: Pipeline;
}

/** A fire time of a pipeline, epoch ms. */
export interface Fire {
  readonly pipeline: Pipeline;
  readonly at: number;
}

const STATES_AT_ONCE = 5_000;
const PROJECTED_AT_ONCE = 8;

/**
 * Merges the fire times of pipelines, soonest first, from where the store has their schedules, with what becomes of each.
 *
 * @throws HeadgateError `UNKNOWN_PIPELINE`, `INVALID_ARGUMENT`, `INVALID_INSTANT`
 */
export async function upcomingFires(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  gates: GateEvaluator,
  surroundings: Surroundings,
  options: UpcomingFireOptions,
  now: number,
): Promise<readonly UpcomingFire[]> {
  checkOptions(options, { ...SELECTION_OPTIONS, from: true, until: true, count: true }, "upcoming");
  const { from: since, until: end, count = 10 } = options;
  checkInteger(count, { least: 1, most: 10_000 }, "count", invalidArgument("upcoming"));
  const from = Math.max(now, since === undefined ? now : epochMs(since, "from"));
  const until = end === undefined ? Number.POSITIVE_INFINITY : epochMs(end, "until");
  const { pipelines, isStarted } = surroundings;
  const ids = chosenPipelines(selectionOf(options), () => pipelines, invalidArgument("upcoming"));
  const chosen = ids === null ? null : new Set(ids);
  const wanted = chosen === null ? pipelines : pipelines.filter(({ id }) => chosen.has(id));
  const known = new Set(wanted.map(({ id }) => id));
  const unknown = ids?.find((id) => !known.has(id));
  if (unknown !== undefined) throw unknownPipeline(unknown);
  const states = await statesOf(core, wanted);
  const fires = mergedFires(wanted, (one) => nextFireOf(states.get(one.id) ?? null, one, isStarted, now), { from, until, count });
  return projected(core, gates, surroundings, states, fires, now);
}

async function statesOf({ store }: Pick<Core, "store">, pipelines: readonly Pipeline[]): Promise<ReadonlyMap<string, PipelineState>> {
  const found = new Map<string, PipelineState>();
  for (let start = 0; start < pipelines.length; start += STATES_AT_ONCE) {
    const some = pipelines.slice(start, start + STATES_AT_ONCE).map(({ id }) => id);
    for (const state of await store.states(some)) if (state !== null) found.set(state.id, state);
  }
  return found;
}

/**
 * Merges fire times of pipelines, soonest first.
 *
 * @param nextFireAt - where a pipeline's schedule goes on; `null` when it does not
 */
export function mergedFires(
  pipelines: readonly Pipeline[],
  nextFireAt: (pipeline: Pipeline) => number | null,
  { from, until, count }: { from: number; until: number; count: number },
): readonly Fire[] {
  const soonest = new Heap<Next>();
  for (const pipeline of pipelines) {
    const planned = nextFireAt(pipeline);
    const at = planned === null || planned > from ? planned : pipeline.schedule.nextAfter(from);
    if (at !== null) soonest.set({ heapIndex: -1, heapKey: 0, pipeline }, at);
  }
  const found: Fire[] = [];
  for (let next = soonest.peek(); next !== undefined && next.heapKey < until && found.length < count; next = soonest.peek()) {
    found.push({ pipeline: next.pipeline, at: next.heapKey });
    const at = next.pipeline.schedule.nextAfter(next.heapKey);
    if (at === null) soonest.remove(next);
    else soonest.set(next, at);
  }
  return found;
}

async function projected(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  gates: GateEvaluator,
  { pipelines, isStarted, isAdapting }: Surroundings,
  states: ReadonlyMap<string, PipelineState>,
  fires: readonly Fire[],
  now: number,
): Promise<readonly UpcomingFire[]> {
  const global = await core.store.globalPause();
  const limits = new SharedLimits(core, pipelines, now);
  const firesOf = new Map<Pipeline, number[]>();
  for (const { pipeline, at } of fires) {
    const known = firesOf.get(pipeline);
    if (known === undefined) firesOf.set(pipeline, [at]);
    else known.push(at);
  }
  const found = new Map<string, UpcomingFire>();
  const keyOf = (id: string, at: number) => `${at} ${id}`;
  const project = async (pipeline: Pipeline, wanted: readonly number[]) => {
    const last = wanted.at(-1) as number;
    const state = await projectionState(core, pipeline, states.get(pipeline.id) ?? null, global, isStarted, now);
    const projection = new Projection(core, gates, state, await limits.of(pipeline), isAdapting(pipeline.id), wanted[0] as number);
    for (const { at, what, answer, reason, dependsOn } of await projection.advance(last))
      if (what === "fire") found.set(keyOf(pipeline.id, at), { pipelineId: pipeline.id, fireAt: new Date(at), answer, reason, dependsOn });
  };
  const work = [...firesOf];
  for (let start = 0; start < work.length; start += PROJECTED_AT_ONCE)
    await Promise.all(work.slice(start, start + PROJECTED_AT_ONCE).map(([pipeline, wanted]) => project(pipeline, wanted)));
  return fires.flatMap(({ pipeline, at }) => found.get(keyOf(pipeline.id, at)) ?? []);
}
