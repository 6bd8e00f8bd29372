import { describe, expect, it, vi } from "vitest";
import { consoleLogger, pipeline } from "../../src/index.js";
import { logEvents } from "../../src/service/events-log.js";
import { fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";

describe("the text log", () => {
  it("has the time in every line, and all lines in one stream and in order", () => {
    const clock = fakeClock(START);
    const lines: string[] = [];
    const spies = (["log", "info", "warn", "debug"] as const).map((name) => vi.spyOn(console, name).mockImplementation(() => {}));
    const error = vi.spyOn(console, "error").mockImplementation((line: string) => void lines.push(line));
    const logger = consoleLogger({ level: "info", clock });
    logger.log("info", "run started", { pipelineId: "sales" });
    logger.log("warn", "run tries again", {});
    logger.log("error", "run failed", { error: new Error("no warehouse") });
    logger.log("debug", "left out", {});
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    error.mockRestore();
    for (const spy of spies) spy.mockRestore();
    expect(lines).toEqual([
      '2026-03-02T00:00:00.000Z [headgate] info: run started {"pipelineId":"sales"}',
      "2026-03-02T00:00:00.000Z [headgate] warn: run tries again",
      expect.stringMatching(/^2026-03-02T00:00:00.000Z \[headgate\] error: run failed\n {2}Error: no warehouse\n/),
    ]);
  });
});

describe("the log of a service", () => {
  it("says who cancelled a run and why, as no error and without the error of an earlier attempt", async () => {
    const failing = pipeline({
      id: "sales",
      execution: { retries: 3, retryDelay: "5m" },
      run: () => {
        throw new Error("no warehouse");
      },
    });
    const { clock, scheduler } = await harness([failing]);
    const lines: [string, string, unknown][] = [];
    logEvents(scheduler, { log: (level, message, fields) => void lines.push([level, message, fields]) });
    const { id } = await scheduler.trigger("sales");
    await clock.advance("1s");
    await scheduler.cancel(id, { user: "ana", reason: "the warehouse is down" });
    await clock.advance("1s");
    const [level, message, fields] = lines.at(-1) ?? [];
    expect([level, message]).toEqual(["info", "run cancelled by ana"]);
    expect(fields).toMatchObject({ pipelineId: "sales", triggerId: id, user: "ana", reason: "the warehouse is down" });
    expect(fields).not.toHaveProperty("error");
    await scheduler
      .trigger("sales", { notBefore: "2027-01-01T00:00:00Z" })
      .then((waiting) => scheduler.cancel(waiting.id, { user: "ana" }));
    expect(lines.at(-1)?.slice(0, 2)).toEqual(["info", "trigger cancelled before it ran"]);
    const { items } = await scheduler.runs();
    expect(items[0]).toMatchObject({ status: "cancelled", cancelRequest: { user: "ana", reason: "the warehouse is down" } });
    await scheduler.stop();
  });
});
