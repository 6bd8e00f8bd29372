import pino from "pino";
import { expect, it } from "vitest";
import { pinoLogger } from "../../src/adapters/loggers/pino-logger.js";
import { pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

it("the pino logger writes structured lines with the ids of pipeline, trigger and run, and errors as pino does", async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pinoLogger(pino({ level: "debug" }, { write: (line) => lines.push(JSON.parse(line)) }));
  const load = pipeline({ id: "load", run: ({ log }) => log.info("loaded", { rows: 12 }) });
  const { clock, scheduler } = await harness([load], { logger });
  scheduler.on("run.succeeded", () => {
    throw new Error("a bad listener");
  });
  const { id } = await scheduler.trigger("load");
  await clock.settle();
  expect(lines.find(({ msg }) => msg === "loaded")).toMatchObject({
    level: 30,
    rows: 12,
    pipelineId: "load",
    triggerId: id,
    runId: expect.any(String),
  });
  expect(lines.find(({ level }) => level === 50)).toMatchObject({ err: { type: "Error", message: "a bad listener" } });
  await scheduler.stop();
});
