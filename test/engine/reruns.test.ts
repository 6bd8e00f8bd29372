import { describe, expect, it } from "vitest";
import { z } from "zod";
import { cron, manual, pipeline, type RunContext } from "../../src/index.js";
import { harness, timeOf } from "../support/harness.js";
import { places } from "../support/stores.js";

const { memory, sqlite, postgres } = await places();

const BY = { reason: "prices corrected", user: "ana" };

describe("rerun", () => {
  it("repeats a run with its parameters, names it, and is audited", async () => {
    const got: unknown[] = [];
    const sales = pipeline({
      id: "sales",
      schedule: manual(),
      parameters: z.object({ region: z.string().default("all") }),
      run: ({ parameters }) => {
        got.push(parameters);
      },
    });
    const { scheduler, clock } = await harness([sales]);
    const first = await scheduler.run("sales", { parameters: { region: "eu" } });
    const again = await scheduler.rerun(first.run?.id ?? "", BY);
    expect(again).toMatchObject({ kind: "manual", rerunOf: first.run?.id, parameters: { region: "eu" }, scheduledFor: null, ...BY });
    await clock.settle();
    expect(got).toEqual([{ region: "eu" }, { region: "eu" }]);
    expect((await scheduler.getTrigger(again.id))?.status).toBe("succeeded");
    const keyed = await Promise.all([1, 2].map(() => scheduler.rerun(first.run?.id ?? "", { idempotencyKey: "once" })));
    expect(keyed[0]?.id).toBe(keyed[1]?.id);
    await scheduler.rerun(first.run?.id ?? "", { user: "ben", caller: { token: "t1" } });
    const [audited] = await scheduler.audit.list({ limit: 1 });
    expect(audited).toMatchObject({ action: "trigger", user: "ben", after: { rerunOf: first.run?.id } });
    await scheduler.stop();
  });

  it("of a scheduled run is a backfill of its fire time and of its span, also twice", async () => {
    const seen: string[] = [];
    const hourly = pipeline({
      id: "hourly",
      schedule: cron("0 * * * *"),
      execution: { retries: 0 },
      run: ({ trigger, interval }) => {
        seen.push(`${trigger.kind} ${timeOf(trigger.scheduledFor)} ${timeOf(interval?.start ?? null)}-${timeOf(interval?.end ?? null)}`);
        if (seen.length === 2) throw new Error("down");
      },
    });
    const { scheduler, clock } = await harness([hourly]);
    await clock.advance("2h");
    const [failed] = (await scheduler.runs({ status: "failed" })).items;
    await scheduler.rerun(failed?.id ?? "", BY);
    await scheduler.rerun(failed?.id ?? "");
    await clock.advance("1h");
    expect(seen).toEqual([
      "scheduled 01:00:00 00:00:00-01:00:00",
      "scheduled 02:00:00 01:00:00-02:00:00",
      "backfill 02:00:00 01:00:00-02:00:00",
      "backfill 02:00:00 01:00:00-02:00:00",
      "scheduled 03:00:00 02:00:00-03:00:00",
    ]);
    const explained = await scheduler.explain("hourly", "2026-03-02T02:00:00Z");
    expect(explained.text).toContain("it was also backfilled at 2026-03-02T02:00:00Z");
    await scheduler.stop();
  });

  it("refuses what has not ended, what is unknown, and parameters that are no longer taken", async () => {
    const { scheduler, clock } = await harness([
      pipeline({ id: "slow", schedule: manual(), run: ({ clock }) => clock.sleep("1h") }),
      pipeline({ id: "strict", schedule: manual(), parameters: z.object({ n: z.number() }), run: () => {} }),
    ]);
    await scheduler.trigger("slow");
    await clock.advance("1m");
    const [run] = (await scheduler.runs()).items;
    await expect(scheduler.rerun(run?.id ?? "")).rejects.toMatchObject({
      code: "NOT_FINISHED",
      message: `run ${run?.id} has not ended (running); wait for it, or cancel it first`,
    });
    await expect(scheduler.rerun("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    const strict = await scheduler.run("strict", { parameters: { n: 1 } });
    await scheduler.replace(pipeline({ id: "strict", schedule: manual(), parameters: z.object({ n: z.string() }), run: () => {} }));
    await expect(scheduler.rerun(strict.run?.id ?? "")).rejects.toMatchObject({ code: "INVALID_PARAMETERS" });
    await scheduler.remove("strict");
    await expect(scheduler.rerun(strict.run?.id ?? "")).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
    expect((await scheduler.triggers()).items).toHaveLength(2);
    await scheduler.stop({ drain: 0 });
  });
});

describe("rerun of a run with large parameters", () => {
  it.each([memory, sqlite, ...postgres])("finds them where %s keeps them apart", async (_, place) => {
    const big = pipeline({ id: "big", schedule: manual(), run: ({ parameters }) => String(parameters.text).length });
    const { scheduler } = await harness([big], { store: place()() });
    const first = await scheduler.run("big", { parameters: { text: "x".repeat(100_000) } });
    const again = await scheduler.waitFor((await scheduler.rerun(first.run?.id ?? "")).id);
    expect(again.run?.output).toBe(100_000);
    await scheduler.stop();
  });
});

describe("retryNow", () => {
  const failing = (fails: number) => {
    let attempts = 0;
    return pipeline({
      id: "flaky",
      schedule: manual(),
      execution: { retries: 3, retryDelay: "1h", backoff: "fixed" },
      run: () => {
        if (++attempts <= fails) throw new Error("warehouse is down");
      },
    });
  };

  it("starts the next attempt at once, and is audited with what was to be", async () => {
    const { scheduler, clock, heard } = await harness([failing(1)]);
    await scheduler.trigger("flaky");
    await clock.settle();
    const [run] = (await scheduler.runs()).items;
    expect(run).toMatchObject({ status: "retrying", attempt: 1 });
    await clock.advance("10m");
    const retried = await scheduler.retryNow(run?.id ?? "", { user: "ana", reason: "it is back" });
    expect(retried.retryAt).toEqual(new Date("2026-03-02T00:10:00Z"));
    await clock.settle();
    expect(await scheduler.getRun(run?.id ?? "")).toMatchObject({
      status: "succeeded",
      attempt: 2,
      endedAt: new Date("2026-03-02T00:10:00Z"),
    });
    expect(heard("run.retrying").map(({ run: { retryAt } }) => timeOf(retryAt))).toEqual(["01:00:00"]); // an attempt has ended badly once, and is counted once
    const [audited] = await scheduler.audit.list({ limit: 1 });
    expect(audited).toMatchObject({ action: "retry", user: "ana", ids: [run?.id], after: { retryAt: "2026-03-02T00:10:00.000Z" } });
    await expect(scheduler.retryNow(run?.id ?? "")).rejects.toMatchObject({ code: "ALREADY_FINISHED" });
    await scheduler.stop();
  });

  it("waits for the end of a pause, and refuses a run whose attempt has not ended", async () => {
    const { scheduler, clock } = await harness([
      failing(1),
      pipeline({ id: "slow", schedule: manual(), run: ({ clock }) => clock.sleep("5h") }),
    ]);
    await scheduler.trigger("flaky");
    await scheduler.trigger("slow");
    await clock.settle();
    const [slow, flaky] = (await scheduler.runs()).items;
    await expect(scheduler.retryNow(slow?.id ?? "")).rejects.toMatchObject({
      code: "NOT_RETRYING",
      message: `run ${slow?.id} is running: attempt 1 has not ended`,
    });
    await expect(scheduler.retryNow("nothing")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await scheduler.pause("flaky");
    await scheduler.retryNow(flaky?.id ?? "");
    await clock.advance("1m");
    expect((await scheduler.getRun(flaky?.id ?? ""))?.status).toBe("retrying");
    await scheduler.resume("flaky");
    await clock.settle();
    expect((await scheduler.getRun(flaky?.id ?? ""))?.status).toBe("succeeded");
    await scheduler.stop({ drain: 0 });
  });
});

describe("the span of time that a run is for", () => {
  const spans: string[] = [];
  const note = ({ trigger, interval }: Pick<RunContext<unknown>, "trigger" | "interval">) => {
    spans.push(`${trigger.kind} ${interval === null ? "-" : `${timeOf(interval.start)}-${timeOf(interval.end)}`}`);
  };

  it("goes from fire time to fire time without a gap: through drops, skips, pauses, catchup and backfills", async () => {
    spans.length = 0;
    const { scheduler, clock } = await harness([
      pipeline({ id: "a", schedule: cron("0 * * * *"), execution: { catchup: "all", overlap: "queue" }, run: note }),
    ]);
    await scheduler.skip("a", { at: "2026-03-02T02:00:00Z" });
    await clock.advance("3h30m");
    await scheduler.pause("a");
    await clock.advance("2h");
    await scheduler.resume("a");
    await clock.settle();
    await scheduler.trigger("a");
    await scheduler.backfill("a", { from: "2026-03-01T22:00:00Z", to: "2026-03-02T00:30:00Z" });
    await clock.settle();
    expect(spans.toSorted()).toEqual([
      "backfill 21:00:00-22:00:00",
      "backfill 22:00:00-23:00:00",
      "backfill 23:00:00-00:00:00",
      "manual -",
      "scheduled 00:00:00-01:00:00",
      "scheduled 02:00:00-03:00:00",
      "scheduled 03:00:00-04:00:00",
      "scheduled 04:00:00-05:00:00",
    ]);
    await scheduler.stop();
  });

  it("goes on where the old schedule ended when it is replaced", async () => {
    spans.length = 0;
    const { scheduler, clock } = await harness([pipeline({ id: "a", schedule: cron("0 * * * *"), run: note })]);
    await clock.advance("2h10m");
    await scheduler.replace(pipeline({ id: "a", schedule: cron("45 * * * *"), run: note }));
    await clock.advance("2h");
    expect(spans.slice(2)).toEqual(["scheduled 02:00:00-02:45:00", "scheduled 02:45:00-03:45:00"]);
    await scheduler.stop();
  });
});
