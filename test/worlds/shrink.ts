import type { Deed, PipelineSpec, World } from "./spec.js";

/** Plays of a shrink at most. */
const MOST_PLAYS = 80;

/** Drops deeds, pipelines, conditions and hours while a world still fails; returns the smallest that was found. */
export async function shrunk(world: World, stillFails: (world: World) => Promise<boolean>): Promise<World> {
  let smallest = world;
  let plays = 0;
  for (let isSmaller = true; isSmaller && plays < MOST_PLAYS; ) {
    isSmaller = false;
    for (const smaller of smallerThan(smallest)) {
      if (++plays > MOST_PLAYS) break;
      if (!(await stillFails(smaller))) continue;
      smallest = smaller;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

function* smallerThan(world: World): Generator<World> {
  const { pipelines, deeds, from, to } = world;
  const half = Math.floor(deeds.length / 2);
  if (half > 1) for (const kept of [deeds.slice(0, half), deeds.slice(half)]) yield { ...world, deeds: kept };
  for (const { id } of pipelines) if (pipelines.length > 1) yield withoutPipeline(world, id);
  if (world.asks.length > 0) yield { ...world, asks: [] };
  if (to - from > 2 * 3_600_000) yield { ...world, to: from + Math.ceil((to - from) / 2) };
  for (const [index] of deeds.entries()) yield { ...world, deeds: deeds.toSpliced(index, 1) };
  for (const pipeline of pipelines)
    for (const [index] of pipeline.conditions.entries())
      yield withPipeline(world, { ...pipeline, conditions: pipeline.conditions.toSpliced(index, 1) });
}

function withPipeline(world: World, pipeline: PipelineSpec): World {
  return { ...world, pipelines: world.pipelines.map((one) => (one.id === pipeline.id ? pipeline : one)) };
}

function withoutPipeline(world: World, id: string): World {
  const isOf = (deed: Deed) => (deed.kind === "replace" ? deed.pipeline.id === id : "pipelineId" in deed && deed.pipelineId === id);
  return {
    ...world,
    pipelines: world.pipelines
      .filter((one) => one.id !== id)
      .map((one) => ({ ...one, after: one.after.filter((before) => before !== id) })),
    deeds: world.deeds.filter((deed) => !isOf(deed)),
  };
}

/** A world in a few lines. */
export function inWords(world: World): string {
  const iso = (at: number) => new Date(at).toISOString();
  return [
    `${world.theme}, ${iso(world.from)} to ${iso(world.to)}, ${world.nodes} node(s), maxActiveRuns ${world.globalLimit ?? "unlimited"}, misfireThreshold ${world.misfireThreshold} ms`,
    ...world.pipelines.map((one) => `  ${JSON.stringify(one)}`),
    ...world.deeds.map(({ at, ...deed }) => `  ${iso(at)} ${JSON.stringify(deed)}`),
    ...(world.asks.length === 0 ? [] : [`  asked at ${world.asks.map(iso).join(", ")}`]),
  ].join("\n");
}
