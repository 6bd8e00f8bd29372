import { stdout } from "node:process";
import type { Command } from "commander";
import { systemClock } from "../adapters/clocks/system-clock.js";
import { consoleLogger } from "../adapters/loggers/console-logger.js";
import { stackText } from "../base/error-facts.js";
import { epochMs } from "../base/instant.js";
import { createScheduler } from "../create-scheduler.js";
import { upcomingFires } from "../engine/upcoming.js";
import { loadedFor } from "../service/loaded.js";
import { checkPipeline, globalsOf, outputOf, wholeOf } from "./globals.js";
import { paint, tableOf } from "./output.js";

/** Commands that ask what will be, or why something was. */
export function addAsking(program: Command): void {
  program
    .command("next")
    .description("the next fire times, soonest first, of all pipelines or one")
    .argument("[pipeline]")
    .option("--count <number>", "how many", wholeOf, 10)
    .option("--from <instant>", "from when on (default: now)")
    .option("--file <path>", "the configuration (default: schedule_config.yaml, if it is there)")
    .action((pipelineId: string | undefined, { count, from, file }: { count: number; from?: string; file?: string }, command: Command) => {
      const { config } = loadedFor({ ...globalsOf(command), ...(file === undefined ? {} : { file }) });
      const { pipelines } = config.scheduler;
      checkPipeline(pipelineId, pipelines);
      const now = from === undefined ? systemClock().now() : epochMs(from, "--from");
      const fires = upcomingFires(pipelines, { count, ...(pipelineId === undefined ? {} : { pipelineId }) }, now);
      const items = fires.map((one) => ({ pipeline: one.pipelineId, at: one.fireAt.toISOString() }));
      outputOf(command).tell({ items }, () =>
        items.length === 0
          ? "nothing fires by itself"
          : tableOf(
              ["at", "pipeline"],
              items.map(({ at, pipeline }) => [at, pipeline]),
            ),
      );
    });

  program
    .command("explain")
    .description("why a pipeline ran, did not run, or waits, at an instant past or future (default: now)")
    .argument("<pipeline>")
    .option("--at <instant>")
    .option("--file <path>", "the configuration (default: schedule_config.yaml, if it is there)")
    .action(async (pipelineId: string, { at, file }: { at?: string; file?: string }, command: Command) => {
      const { config } = loadedFor({ ...globalsOf(command), ...(file === undefined ? {} : { file }) });
      checkPipeline(pipelineId, config.scheduler.pipelines);
      const scheduler = createScheduler({ ...config.scheduler, logger: consoleLogger({ level: "warn" }) }); // standard output is the answer's
      const { store } = config.scheduler;
      await store?.open();
      try {
        const found = await scheduler.explain(pipelineId, at);
        const { answer, text, trigger, run, decisions, findings, nextFireAt } = found;
        outputOf(command).tell({ pipeline: pipelineId, at: found.at, answer, text, trigger, run, decisions, findings, nextFireAt }, () =>
          [
            paint(stdout, "bold", answer),
            text,
            ...(run?.error?.stack === undefined && run?.error?.cause === undefined ? [] : [stackText(run.error)]),
            ...(nextFireAt === null ? [] : [`next fire time: ${nextFireAt.toISOString()}`]),
          ].join("\n"),
        );
      } finally {
        await store?.close();
      }
    });
}
