import { stdout } from "node:process";
import type { Command } from "commander";
import { systemClock } from "../../adapters/clocks/system-clock.js";
import { consoleLogger } from "../../adapters/loggers/console-logger.js";
import { stackText } from "../../base/error-facts.js";
import { epochMs } from "../../base/instant.js";
import type { LoadedConfig } from "../../config/load.js";
import { mergedFires } from "../../engine/reading/upcoming.js";
import { createScheduler } from "../../entry/create-scheduler.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { Scheduler } from "../../ports/scheduler-api/scheduler.js";
import type { UpcomingFire } from "../../ports/scheduler-api/upcoming.js";
import { loadedFor } from "../../service/config-source.js";
import { checkPipeline, globalsOf, outputOf, wholeOf } from "../globals.js";
import { paint, tableOf } from "../output.js";

/** Commands that ask what will be, or why something was. */
export function addAsking(program: Command): void {
  program
    .command("next")
    .description("list the next fire times of all pipelines or one, soonest first, with their expected outcomes")
    .argument("[pipeline]")
    .option("--count <number>", "how many fire times to list", wholeOf, 10)
    .option("--from <instant>", "list fire times after this instant (default: now); for a past instant, those of the schedule alone")
    .option("--file <path>", "configuration file (default: schedule_config.yaml, if it exists)")
    .action(
      async (pipelineId: string | undefined, { count, from, file }: { count: number; from?: string; file?: string }, command: Command) => {
        const { config } = loadedFor({ ...globalsOf(command), ...(file === undefined ? {} : { file }) });
        checkPipeline(pipelineId, config.scheduler.pipelines);
        const now = systemClock().now();
        const after = from === undefined ? now : epochMs(from, "--from");
        const items: readonly Item[] =
          after < now
            ? ruled(config.scheduler.pipelines, pipelineId, after, count)
            : await answering(config, async (scheduler) =>
                (await scheduler.upcoming({ count, from: after, ...(pipelineId === undefined ? {} : { pipelineId }) })).map(itemOf),
              );
        outputOf(command).tell({ items }, () => tableOfItems(items));
      },
    );

  program
    .command("explain")
    .description("explain why a pipeline ran, did not run or is waiting, at a past or future instant (default: now)")
    .argument("<pipeline>")
    .option("--at <instant>", "instant to explain")
    .option("--file <path>", "configuration file (default: schedule_config.yaml, if it exists)")
    .action(async (pipelineId: string, { at, file }: { at?: string; file?: string }, command: Command) => {
      const { config } = loadedFor({ ...globalsOf(command), ...(file === undefined ? {} : { file }) });
      checkPipeline(pipelineId, config.scheduler.pipelines);
      const found = await answering(config, (scheduler) => scheduler.explain(pipelineId, at));
      const { answer, text, trigger, run, decisions, findings, dependsOn, nextFireAt } = found;
      const shown = { pipeline: pipelineId, at: found.at, answer, text, trigger, run, decisions, findings, dependsOn, nextFireAt };
      outputOf(command).tell(shown, () =>
        [
          paint(stdout, "bold", answer),
          text,
          ...(run?.error?.stack === undefined && run?.error?.cause === undefined ? [] : [stackText(run.error)]),
          ...(nextFireAt === null ? [] : [`next fire time: ${nextFireAt.toISOString()}`]),
        ].join("\n"),
      );
    });
}

/** Runs a query on a scheduler that is not started, with the file's store open. */
async function answering<T>(config: LoadedConfig, ask: (scheduler: Scheduler) => Promise<T>): Promise<T> {
  const scheduler = createScheduler({ ...config.scheduler, logger: consoleLogger({ level: "warn" }) }); // standard output is the answer's
  const { store } = config.scheduler;
  await store?.open();
  try {
    return await ask(scheduler);
  } finally {
    await store?.close();
  }
}

interface Item {
  readonly pipeline: string;
  readonly at: string;
  readonly answer?: UpcomingFire["answer"];
  readonly reason?: string;
  readonly dependsOn?: UpcomingFire["dependsOn"];
}

function itemOf({ pipelineId, fireAt, answer, reason, dependsOn }: UpcomingFire): Item {
  return { pipeline: pipelineId, at: fireAt.toISOString(), answer, reason, dependsOn };
}

/** Fire times that may have passed: what became of them, `headgate explain` answers. */
function ruled(pipelines: readonly Pipeline[], pipelineId: string | undefined, after: number, count: number): readonly Item[] {
  const wanted = pipelines.filter(({ id }) => pipelineId === undefined || id === pipelineId);
  const fires = mergedFires(wanted, ({ schedule }) => schedule.nextAfter(after), { from: after, until: Number.POSITIVE_INFINITY, count });
  return fires.map(({ pipeline, at }) => ({ pipeline: pipeline.id, at: new Date(at).toISOString() }));
}

function tableOfItems(items: readonly Item[]): string {
  if (items.length === 0) return "no pipeline has a schedule";
  if (items.every(({ answer }) => answer === undefined))
    return tableOf(
      ["at", "pipeline"],
      items.map(({ at, pipeline }) => [at, pipeline]),
    );
  return tableOf(
    ["at", "pipeline", "answer", "why"],
    items.map(({ at, pipeline, answer = "", reason = "" }) => [at, pipeline, answer, answer === "will_run" ? "" : reason]),
  );
}
