import { afterEach, describe, expect, it } from "vitest";
import { pipeline } from "../../src/index.js";
import { type Service, service } from "../support/service.js";

let made: Service;
afterEach(() => made.close());

describe("the error of a run over HTTP", () => {
  it("has its stack and its causes, for those who may read runs", async () => {
    const failing = pipeline({
      id: "failing",
      execution: { retries: 1, retryDelay: "1m" },
      run: () => {
        throw new Error("no prices", { cause: new RangeError("too few rows") });
      },
    });
    made = await service([failing], {
      tokens: [{ id: "reader", token: "a-token-of-somebody-who-reads", role: "viewer", pipelines: ["failing"] }],
    });
    expect((await made.ask("POST", "/api/v1/trigger/manual", { pipeline: "failing" })).status).toBe(202);
    await made.clock.advance("2m");
    const error = {
      message: "no prices",
      code: null,
      stack: expect.stringMatching(/^Error: no prices\n {4}at .*run-errors\.test\.ts:\d+/),
      cause: { message: "too few rows", code: "RangeError", stack: expect.stringContaining("run-errors.test.ts") },
    };
    const reader = { authorization: "Bearer a-token-of-somebody-who-reads" };
    const { items } = (await made.ask("GET", "/api/v1/pipelines/failing/runs", undefined, reader)).json;
    expect(items).toMatchObject([{ status: "failed", error, attempts: [{ error }] }]);
    expect((await made.ask("GET", `/api/v1/runs/${items[0].id}`, undefined, reader)).json).toMatchObject({ error, attempts: [{ error }] });
    expect((await made.ask("GET", "/api/v1/pipelines/failing/explain?at=2026-03-02T00:00:00Z", undefined, reader)).json).toMatchObject({
      run: { error },
    });
    expect((await made.ask("GET", `/api/v1/runs/${items[0].id}`, undefined, { authorization: "" })).status).toBe(401);
  });
});
