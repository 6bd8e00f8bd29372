import { validate } from "@readme/openapi-parser";
import { OpenAPIClientAxios } from "openapi-client-axios";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { ADMIN, type Service, sales, service } from "../support/service.js";

let running: Service;
beforeAll(async () => {
  running = await service([sales()]);
});
afterAll(() => running.close());

describe("the OpenAPI document", () => {
  it("is one by the rules of OpenAPI 3.1, as somebody else checks them", async () => {
    const { json } = await running.ask("GET", "/api/v1/openapi.json");
    expect(json.openapi).toBe("3.1.1");
    const result = await validate(structuredClone(json));
    expect(result).toMatchObject({ valid: true });
  });

  it("names every route, its role and its answers", async () => {
    const { json } = await running.ask("GET", "/api/v1/openapi.json");
    const operations = Object.entries<Record<string, { operationId: string; responses: object }>>(json.paths).flatMap(([path, ways]) =>
      Object.entries(ways).map(([method, { operationId }]) => `${operationId} ${method.toUpperCase()} ${path}`),
    );
    expect(operations.sort()).toEqual(running.api.routes.map(({ id, method, path }) => `${id} ${method} ${path}`).sort());
    expect(json.components.schemas).toMatchObject({
      Trigger: { type: "object" },
      Problem: { type: "object" },
      TriggerRequest: { additionalProperties: false },
    });
    expect(JSON.stringify(json)).not.toContain("#/$defs/");
  });

  it("is enough for a client that somebody else makes of it", async () => {
    const definition = (await running.ask("GET", "/api/v1/openapi.json")).json;
    const api = new OpenAPIClientAxios({
      definition,
      axiosConfigDefaults: { baseURL: running.url, headers: { authorization: `Bearer ${ADMIN}` }, proxy: false },
    });
    const client = await api.init();
    const made = await client.triggerManual?.(
      {},
      { reason: "by a generic client", priority: "high" },
      { headers: { "Idempotency-Key": "generic-1" } },
    );
    expect(made).toMatchObject({ status: 202, data: { reason: "by a generic client", priority: "high" } });
    await running.clock.settle();
    expect((await client.getTriggerStatus?.({ id: made?.data.id }))?.data.run.status).toBe("succeeded");
    expect((await client.listRuns?.({ id: "sales", limit: 1 }))?.data.items).toHaveLength(1);
    expect((await client.putScheduleConfig?.({}, { schedule_interval_minutes: 30 }))?.data.schedule_interval_minutes).toBe(30);
    expect((await client.listUpcoming?.({ id: "sales", count: 2 }))?.data.items).toHaveLength(2);
  });

  it("describes what is really answered", async () => {
    const { scheduler, clock, ask } = running;
    await scheduler.trigger("sales");
    await clock.settle();
    const id = (await scheduler.triggers()).items[0]?.id;
    const run = (await scheduler.runs()).items[0]?.id;
    for (const path of [
      "/health",
      "/ready",
      "/api/v1/info",
      `/api/v1/trigger/status/${id}`,
      "/api/v1/triggers/pending",
      "/api/v1/schedule/config",
      "/api/v1/schedule/maintenance",
      "/api/v1/pipeline/status",
      "/api/v1/pipelines",
      "/api/v1/pipelines/sales",
      "/api/v1/pipelines/sales/runs",
      "/api/v1/pipelines/sales/triggers",
      "/api/v1/pipelines/sales/decisions",
      "/api/v1/pipelines/sales/upcoming",
      "/api/v1/pipelines/sales/explain",
      `/api/v1/runs/${run}`,
      "/api/v1/tokens",
      "/api/v1/audit",
      "/api/v1/audit/verify",
    ]) {
      const { status, json } = await ask("GET", path);
      const route = running.api.routes.find(
        (one) => one.method === "GET" && new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
      );
      const schema = route?.answers[status]?.schema;
      expect(schema, `${status} ${path}`).toBeDefined();
      const strict = schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema;
      expect(strict?.safeParse(json).error?.issues, path).toBeUndefined();
    }
  });
});
