import { expect, it } from "vitest";
import { createTriggerApi } from "../../src/adapters/http/index.js";
import { HeadgateError, pipeline, type RemoteExecutor } from "../../src/index.js";
import { harness } from "../support/harness.js";

it("a run shows while it runs that its executor cannot be reached, and no longer once it can", async () => {
  const state = { isReachable: false, isDone: false };
  const check = () => {
    if (!state.isReachable)
      throw new HeadgateError("EXECUTOR_UNAVAILABLE", "connect ECONNREFUSED https://ana:hunter2-of-ana@engine.example");
  };
  const engine: RemoteExecutor = {
    kind: "remote",
    name: "engine",
    pollMs: 5_000,
    submit: async () => {
      check();
      return { id: 1 };
    },
    poll: async () => {
      check();
      return state.isDone ? { status: "succeeded" } : { status: "running" };
    },
    cancel: async () => {},
  };
  const { clock, scheduler } = await harness([pipeline({ id: "sales", executor: engine })]);
  const api = createTriggerApi(scheduler, { adminToken: "an-admin-token-of-16" });
  const shown = async () => {
    const { items } = await scheduler.runs();
    const request = new Request(`http://x/api/v1/runs/${items[0]?.id}`, { headers: { authorization: "Bearer an-admin-token-of-16" } });
    const body = (await (await api.fetch(request)).json()) as { status: string; error: { message: string; code: string } | null };
    expect(items[0]?.error).toEqual(body.error);
    return body;
  };
  const unreachable = (what: string) => ({
    status: "running",
    error: {
      code: "EXECUTOR_UNAVAILABLE",
      message: `engine ${what}, it will be retried: connect ECONNREFUSED https://ana:[redacted]@engine.example`,
    },
  });
  await scheduler.trigger("sales");
  await clock.advance("30s");
  expect(await shown()).toMatchObject(unreachable("cannot be reached"));
  state.isReachable = true;
  await clock.advance("2m");
  expect(await shown()).toMatchObject({ status: "running", error: null });
  state.isReachable = false;
  await clock.advance("30s");
  expect(await shown()).toMatchObject(unreachable("cannot be queried"));
  Object.assign(state, { isReachable: true, isDone: true });
  await clock.advance("2m");
  expect(await shown()).toMatchObject({ status: "succeeded", error: null });
  await scheduler.stop();
});
