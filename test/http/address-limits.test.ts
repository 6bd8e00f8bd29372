import { afterEach, describe, expect, it } from "vitest";
import { addressKey, forwardedAddress } from "../../src/adapters/http/client-address.js";
import { createTriggerApi, type TriggerApi, type TriggerApiOptions } from "../../src/adapters/http/index.js";
import { RateLimiter } from "../../src/adapters/http/rate-limit.js";
import type { Scheduler } from "../../src/index.js";
import { harness } from "../support/harness.js";
import { ADMIN, sales } from "../support/service.js";

const schedulers: Scheduler[] = [];
afterEach(async () => {
  for (const one of schedulers.splice(0)) await one.stop({ drain: 0 });
});

async function made(options: TriggerApiOptions): Promise<{ api: TriggerApi; scheduler: Scheduler }> {
  const { scheduler } = await harness([sales()]);
  schedulers.push(scheduler);
  return { api: createTriggerApi(scheduler, { adminToken: ADMIN, ...options }), scheduler };
}

async function statuses(api: TriggerApi, count: number, path: string, init: RequestInit & { address?: (index: number) => string } = {}) {
  const { address = () => "192.0.2.1", ...rest } = init;
  const found: number[] = [];
  for (let index = 0; index < count; index++)
    found.push((await api.fetch(new Request(`http://x${path}`, rest), { address: address(index) })).status);
  return found;
}

describe("the limit of an address", () => {
  it.each([
    ["an unknown path", "/nothing/here", {}, 404],
    ["a path that is not encoded", "/api/v1/pipelines/%E0%A4%A", {}, 400],
    ["a wrong method", "/api/v1/info", { method: "DELETE" }, 405],
    ["a preflight", "/api/v1/info", { method: "OPTIONS", headers: { origin: "https://ops.example" } }, 204],
    ["a preflight of another origin", "/api/v1/info", { method: "OPTIONS", headers: { origin: "https://evil.example" } }, 405],
    ["a guessed token", "/api/v1/info", { headers: { authorization: "Bearer hg_abcd_guess-guess-guess-guess" } }, 401],
    ["no token", "/api/v1/tokens", { method: "HEAD" }, 401],
    ["a forged signature", "/api/v1/webhooks/shop", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }, 401],
  ])("counts %s", async (_, path, init, status) => {
    const { api } = await made({ addressLimit: { requests: 3, per: "1m" }, cors: ["https://ops.example"] });
    expect(await statuses(api, 5, path, init)).toEqual([status, status, status, 429, 429]);
    expect(await statuses(api, 1, path, { ...init, address: () => "192.0.2.2" })).toEqual([status]);
  });

  it("is looked at before a token is: guesses beyond it read nothing", async () => {
    const { api, scheduler } = await made({ adminToken: null, addressLimit: { requests: 3, per: "1m" } });
    let looked = 0;
    const { holderOf } = scheduler.tokens;
    scheduler.tokens.holderOf = (token) => {
      looked++;
      return holderOf.call(scheduler.tokens, token);
    };
    await statuses(api, 50, "/api/v1/info", { headers: { authorization: "Bearer hg_abcd_guess-guess-guess-guess" } });
    expect(looked).toBe(3);
  });

  it("of /health and /ready is their own, and generous; the store is not asked", async () => {
    const { api, scheduler } = await made({ addressLimit: { requests: 1, per: "1m" } });
    await statuses(api, 1, "/api/v1/info");
    const found = await statuses(api, 6_001, "/health");
    expect([new Set(found.slice(0, 6_000)), found.at(-1)]).toEqual([new Set([200]), 429]);
    expect(await statuses(api, 1, "/ready", { address: () => "192.0.2.2" })).toEqual([200]);
    expect((await scheduler.audit.list({ limit: 10 })).length).toBeLessThanOrEqual(1);
  });

  it("counts a /64 of IPv6 as one, and an IPv4 address however it is written", async () => {
    const { api } = await made({ addressLimit: { requests: 3, per: "1m" } });
    const within = (index: number) => `2001:db8:1:2:${(index * 40503).toString(16).slice(-4)}::${index.toString(16)}`;
    expect(await statuses(api, 5, "/nothing", { address: within })).toEqual([404, 404, 404, 429, 429]);
    const apart = (index: number) => `2001:db8:1:${index.toString(16)}::1`;
    expect(await statuses(api, 2, "/nothing", { address: (index) => apart(index + 10) })).toEqual([404, 404]);
    const written = ["192.0.2.9", "::ffff:192.0.2.9", "::FFFF:c000:209", "0:0:0:0:0:ffff:192.0.2.9"];
    expect(await statuses(api, 4, "/nothing", { address: (index) => written[index] ?? "" })).toEqual([404, 404, 404, 429]);
  });

  it("does not count a proxy's port or brackets as another address", async () => {
    const { api } = await made({ addressLimit: { requests: 2, per: "1m" }, trustProxy: 1 });
    const from = async (forwarded: string) =>
      (await api.fetch(new Request("http://x/nothing", { headers: { "x-forwarded-for": forwarded } }), { address: "10.0.0.1" })).status;
    expect([await from("198.51.100.7:1"), await from("198.51.100.7:2"), await from("198.51.100.7")]).toEqual([404, 404, 429]);
    expect([await from("[2001:db8::1]:1"), await from("[2001:db8::2]:2"), await from("2001:db8::3")]).toEqual([404, 404, 429]);
    expect([await from("unknown"), await from("_hidden"), await from("")]).toEqual([404, 404, 429]); // the proxy's own
  });

  it("keeps no more than 10,000 addresses, and forgets the one that was seen longest ago", async () => {
    const limit = new RateLimiter("address", { requests: 1, perMs: 3_600_000 });
    await limit.count("first");
    for (let index = 0; index < 9_999; index++) await limit.count(`other-${index}`);
    await expect(limit.count("first")).rejects.toMatchObject({ status: 429 });
    await limit.count("one more");
    expect(limit.size).toBe(10_000);
    await expect(limit.count("first")).rejects.toMatchObject({ status: 429 });
    await limit.count("other-0"); // forgotten, and so let in again
    expect(limit.size).toBe(10_000);
  });
});

describe("an address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["fe80::1:2:3:4%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["2001:DB8:0:1:2:3:4:5", "2001:db8:0:1::/64"],
    ["2001:db8::", "2001:db8:0:0::/64"],
    ["2001:db8::2:3:4:5:6", "2001:db8:0:2::/64"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
    ["2001:db8:1:2:3::192.0.2.1", "2001:db8:1:2::/64"],
    ["nonsense", "nonsense"],
  ])("%s is counted as %s", (address, key) => expect(addressKey(address)).toBe(key));

  it.each(["", "x", "1.2.3", "1.2.3.4.5:6", "[::1", "999.1.1.1", "unknown"])("%j in X-Forwarded-For is none", (text) =>
    expect(forwardedAddress(text)).toBeNull(),
  );
});

it("an unknown path costs no more than a known one", async () => {
  const { api } = await made({ addressLimit: null });
  const costOf = async (path: string) => {
    for (let index = 0; index < 500; index++)
      await api.answer({ method: "GET", url: path, header: () => null, bytes: async () => new Uint8Array() });
    const before = process.cpuUsage();
    for (let index = 0; index < 2_000; index++)
      await api.answer({ method: "GET", url: path, header: () => null, bytes: async () => new Uint8Array() });
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 2_000;
  };
  const known = await costOf("/health");
  const unknown = await costOf("/api/v1/pipelines/sales/nothing/here");
  expect(unknown).toBeLessThan(Math.max(known * 10, 100)); // µs; 163 to 368 when patterns were compiled each time
});
