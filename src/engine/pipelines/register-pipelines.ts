import { HeadgateError } from "../../base/errors.js";
import { shown } from "../../base/shown.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { PipelineRegistration } from "../../ports/store.js";
import type { Core } from "../context/core.js";

/** Pipelines that are planned and compared between two turns of the event loop, and written in one transaction. */
const PIPELINES_AT_ONCE = 1_000;

/**
 * Checks pipelines against each other and against the scheduler's pools.
 *
 * @throws HeadgateError `DUPLICATE_PIPELINE`, `UNKNOWN_POOL`, `INVALID_PIPELINE` for pipelines that follow each other in a circle
 */
export function checkPipelines(
  core: Pick<Core, "executors" | "fireQueue" | "logger" | "settings">,
  added: readonly Pipeline[],
  replaces: boolean,
): void {
  const { fireQueue, settings, logger } = core;
  const byId = new Map<string, Pipeline>();
  for (const one of added) {
    if (typeof one?.run !== "function" || one.gate === undefined) {
      throw new HeadgateError("INVALID_PIPELINE", `must be a pipeline made by pipeline({ … }) (got ${shown(one)})`);
    }
    if (byId.has(one.id) || (!replaces && fireQueue.has(one.id))) {
      throw new HeadgateError("DUPLICATE_PIPELINE", `two pipelines have the id ${one.id}; ids must be unique`, {
        details: { pipelineId: one.id },
      });
    }
    byId.set(one.id, one);
    const { pool } = one.execution;
    if (pool !== null && !settings.pools.has(pool)) {
      throw new HeadgateError(
        "UNKNOWN_POOL",
        `pipeline ${one.id}: pool ${JSON.stringify(pool)} is unknown; declare it in createScheduler({ pools })`,
        { details: { pipelineId: one.id, pool } },
      );
    }
  }
  for (const { id, executor } of added) {
    if (typeof executor !== "string" || core.executors.names.includes(executor)) continue;
    const names = core.executors.names.join(", ") || "none";
    throw new HeadgateError(
      "INVALID_PIPELINE",
      `pipeline ${id}: executor ${JSON.stringify(executor)} is unknown; createScheduler({ executors }) has ${names}`,
      {
        details: { pipelineId: id, option: "executor" },
      },
    );
  }
  const find = (id: string) => byId.get(id) ?? fireQueue.get(id)?.pipeline;
  for (const one of added) {
    for (const upstream of one.after) {
      if (find(upstream) === undefined)
        logger.log("warn", `pipeline ${one.id} follows ${upstream}, which is not registered`, { pipelineId: one.id });
    }
    if (one.after.length > 0) refuseCircle(one, find);
  }
}

function refuseCircle(start: Pipeline, find: (id: string) => Pipeline | undefined): void {
  const seen = new Set<string>();
  const walk = (one: Pipeline, path: readonly string[]): void => {
    for (const upstream of one.after) {
      if (upstream === start.id) {
        throw new HeadgateError(
          "INVALID_PIPELINE",
          `pipelines depend on each other in a cycle: ${[...path, upstream].reverse().join(" → ")}`,
          {
            details: { pipelineId: start.id },
          },
        );
      }
      if (seen.has(upstream)) continue;
      seen.add(upstream);
      const next = find(upstream);
      if (next !== undefined) walk(next, [...path, upstream]);
    }
  };
  walk(start, [start.id]);
}

/**
 * Registers pipelines in the store and takes over the state of their schedules. A call that is interrupted is completed by the next one: the store writes only what is different.
 *
 * @param applied - some of the pipelines as they are to be registered
 */
export async function registerPipelines(
  core: Pick<Core, "clock" | "fireQueue" | "store">,
  pipelines: readonly Pipeline[],
  applied: (some: readonly Pipeline[]) => readonly Pipeline[] = (some) => some,
): Promise<void> {
  const { fireQueue, store, clock } = core;
  for (let from = 0; from < pipelines.length; from += PIPELINES_AT_ONCE) {
    if (from > 0) await clock.yield?.();
    const some = applied(pipelines.slice(from, from + PIPELINES_AT_ONCE));
    const now = clock.now();
    const registrations = some.map((one) => registrationOf(one, now));
    const states = await store.register(registrations, now);
    for (const [index, one] of some.entries()) {
      const entry = fireQueue.put(one);
      entry.addedAt ??= now;
      fireQueue.sync(entry, states[index] ?? null, now);
      if (entry.nextFireAt === registrations[index]?.nextFireAt) entry.checkedFireAt = entry.nextFireAt;
    }
  }
}

function registrationOf({ id, schedule, execution }: Pipeline, now: number): PipelineRegistration {
  const { maxActiveRuns, overlap, pool } = execution;
  return { id, scheduleKey: schedule.key, nextFireAt: schedule.nextAfter(now), maxActiveRuns, overlap, pool };
}
