import { describe, expect, it } from "vitest";
import type { Session } from "../../src/adapters/stores/sql/database.js";
import { open } from "../../src/adapters/stores/sql/lines.js";
import { Usage } from "../../src/adapters/stores/sql/usage.js";
import { DIALECT } from "../../src/adapters/stores/sqlite/dialect.js";
import { HeadgateError } from "../../src/index.js";

describe("a claim whose connection breaks while it puts triggers back into the open line", () => {
  it("fails with the first error, and leaves no rejection that nobody handles", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    const away = () => new HeadgateError("STORE_UNAVAILABLE", "the connection is gone");
    const session = { dialect: DIALECT, query: async () => Promise.reject(away()) } as unknown as Session;
    const line = { key: "pipeline:a", pipeline: { id: "a", maxActiveRuns: 1, isPaused: false }, pool: null } as const;
    const used = { usage: new Usage(), lines: [line], isTimeUp: true, isPaused: false, hasRetries: false };
    const request = { limit: 1, pools: new Map<string, number>(), globalLimit: null } as unknown as Parameters<typeof open>[2];
    await expect(open(session, used, request, 50, 0)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});
