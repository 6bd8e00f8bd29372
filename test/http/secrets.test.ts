import { afterEach, describe, expect, it } from "vitest";
import { type Service, service } from "../support/service.js";

let running: Service;
afterEach(() => running.close());

describe("a secret in an address that was set at run time", () => {
  it("is shown neither by the settings nor by the audit log, and is not replaced by what is shown", async () => {
    running = await service();
    const { ask, scheduler } = running;
    const url = "https://status.example/health?token=token-of-the-status-page&region=eu";
    const path = "/api/v1/schedule/config";
    const set = await ask("PUT", path, { external_dependencies: [{ type: "http", url }] });
    expect(set.status).toBe(200);
    const shown = set.json.external_dependencies[0].url;
    expect(shown).toBe("https://status.example/health?token=[redacted]&region=eu");
    const read = await ask("GET", path);
    expect(await ask("PUT", path, { external_dependencies: read.json.external_dependencies })).toMatchObject({
      status: 422,
      json: { code: "INVALID_REQUEST", detail: expect.stringContaining("[redacted]") },
    });
    await ask("PUT", path, { schedule_interval_minutes: 90 });
    const audit = await ask("GET", "/api/v1/audit?limit=100");
    expect(JSON.stringify([set.json, read.json, audit.json])).not.toContain("token-of-the-status-page");
    expect((await scheduler.settings.get("sales")).values.externalDependencies).toMatchObject([{ url }]);
    expect((await scheduler.audit.verify()).isIntact).toBe(true);
  });
});
