import assert from "node:assert/strict";
import { test } from "node:test";
import { createScheduler, every, pipeline } from "../../src/index.ts";
import { fakeClock } from "../../src/testing/index.ts";

test("a schedule under node:test", async () => {
  const clock = fakeClock("2026-01-01T00:00:00Z");
  const scheduler = createScheduler({ pipelines: [pipeline({ id: "a", schedule: every("1h"), run: () => {} })], clock });
  await scheduler.start();
  await clock.advance("5h");
  assert.equal((await scheduler.runs({ status: "succeeded" })).items.length, 5);
  await scheduler.stop();
});
