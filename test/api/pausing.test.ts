import { expect, test } from "vitest";
import { every, pipeline } from "../../src/index.js";
import { harness } from "../support/harness.js";

const sales = () => pipeline({ id: "sales", schedule: every("1h"), run: () => {} });
const stock = () => pipeline({ id: "stock", schedule: every("1h"), run: () => {} });

/** JavaScript hands over what TypeScript would refuse. */
type Loose = (...args: unknown[]) => Promise<unknown>;

test("pause and resume take a pipeline's id, as all other methods do", async () => {
  const { scheduler, heard } = await harness([sales(), stock()]);
  await scheduler.pause("sales", { reason: "warehouse is moving", user: "ana", duration: "2h" });
  expect((await scheduler.getPipelineStatus("sales")).pause).toMatchObject({ reason: "warehouse is moving", user: "ana" });
  expect((await scheduler.getPipelineStatus("stock")).pause).toBeNull();
  expect(scheduler.status().pause).toBeNull();
  expect(heard("paused")).toMatchObject([{ pipelineId: "sales", reason: "warehouse is moving" }]);
  expect(await scheduler.resume("stock")).toBe(false);
  expect(await scheduler.resume("sales", { user: "ana" })).toBe(true);
  expect(heard("resumed")).toMatchObject([{ pipelineId: "sales", user: "ana" }]);
  await scheduler.stop();
});

test("pause and resume take options, with a pipeline or for the whole scheduler", async () => {
  const { scheduler, heard } = await harness([sales(), stock()]);
  await scheduler.pause({ pipelineId: "sales", user: "ana" });
  await scheduler.pause({ reason: "maintenance" });
  await scheduler.pause();
  expect(heard("paused").map(({ pipelineId }) => pipelineId)).toEqual(["sales", null, null]);
  expect(await scheduler.resume({ pipelineId: "sales" })).toBe(true);
  expect(await scheduler.resume()).toBe(true);
  await scheduler.stop();
});

test("what pauses neither one pipeline nor clearly everything is refused, and pauses nothing", async () => {
  const { scheduler } = await harness([sales(), stock()]);
  const [pause, resume] = [scheduler.pause.bind(scheduler) as Loose, scheduler.resume.bind(scheduler) as Loose];
  for (const method of [pause, resume]) {
    await expect(method("sale")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    await expect(method("")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    for (const wrong of [null, 7, true, ["sales"], sales(), { pipelineId: undefined }, { pipelineId: null }, { pipeline: "sales" }])
      await expect(method(wrong)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(method("sales", { pipelineId: "stock" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(method("sales", "reason")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(method({ reason: "x" }, { user: "ana" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(method(undefined, { user: "ana" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  await expect(pause({ pipeline: "sales" })).rejects.toThrow('pipeline: unknown option; did you mean "pipelineId"?');
  await expect(pause(["sales"])).rejects.toThrow('pause("sales")');
  expect(scheduler.status().pause).toBeNull();
  expect((await scheduler.getPipelineStatus("sales")).pause).toBeNull();
  await scheduler.stop();
});

test("methods that take a pipeline or an id refuse anything else in its place", async () => {
  const { scheduler } = await harness([sales()]);
  const loose = scheduler as unknown as Record<string, Loose>;
  const refused = async (call: () => unknown) => {
    const error: unknown = await Promise.resolve()
      .then(call)
      .then(
        () => "nothing was thrown",
        (thrown: unknown) => thrown,
      );
    expect(error).toMatchObject({ name: "HeadgateError" });
  };
  const takesPipelines = ["trigger", "run", "backfill"];
  const takesIds = [
    "explain",
    "getPipelineStatus",
    "recheck",
    "retire",
    "rerun",
    "retryNow",
    "skip",
    "unskip",
    "remove",
    "cancel",
    "getTrigger",
    "getRun",
    "waitFor",
    "has",
    "getPipeline",
  ];
  const wrong = [null, 7, {}, ["sales"], new Map()];
  for (const method of [...takesPipelines, ...takesIds]) for (const one of wrong) await refused(() => loose[method]?.call(scheduler, one));
  for (const method of takesIds) await refused(() => loose[method]?.call(scheduler, sales()));
  await refused(() => loose.add?.call(scheduler, "sales"));
  await refused(() => loose.add?.call(scheduler, { id: "raw", schedule: every("1h"), run: () => {} }));
  await refused(() => loose.add?.call(scheduler, [sales()]));
  await refused(() => loose.replace?.call(scheduler, null));
  await scheduler.stop();
});
