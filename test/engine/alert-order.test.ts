import { describe, expect, it } from "vitest";
import { type AlertNotification, every, longRunning, pipeline, runFailed } from "../../src/index.js";
import { harness } from "../support/harness.js";

/** A channel that can be out of order, or hang; it writes down what arrives, and when. */
function channel(name: string, clock: () => Date) {
  const state = { isDown: false };
  const got: { readonly at: string; readonly notification: AlertNotification }[] = [];
  const time = (at: number | Date) => new Date(at).toISOString().slice(11, 19);
  const send = async (notification: AlertNotification) => {
    if (state.isDown) throw new Error(`${name} does not answer`);
    got.push({ at: time(clock()), notification });
  };
  const lines = () =>
    got.flatMap(({ notification }) =>
      notification.alerts.map(({ kind, alert, at }) => `${time(at)} ${kind} ${alert.rule} ${alert.pipelineId}`),
    );
  return { state, got, lines, channel: { name, send } };
}

/** A pipeline that fails as long as it is told to, every minute. */
function flaky(id: string) {
  const state = { fails: false };
  const run = () => {
    if (state.fails) throw Object.assign(new Error("no warehouse"), { code: "E_WAREHOUSE" });
  };
  return { state, one: pipeline({ id, schedule: every("1m"), execution: { retries: 0 }, alertOn: ["failure"], run }) };
}

describe("notifications of one alert", () => {
  it("arrive in the order in which it happened after an outage of their channel, with the times of what they report", async () => {
    let now = () => new Date(0);
    const mail = channel("mail", () => now());
    const [sales, stock] = [flaky("sales"), flaky("stock")];
    const { clock, scheduler } = await harness([sales.one, stock.one], {
      monitoring: { channels: [mail.channel], rules: [runFailed()], routes: [{ channels: ["mail"], groupBy: "none" }], every: "5s" },
    });
    now = () => new Date(clock.now());
    mail.state.isDown = true;
    sales.state.fails = true;
    await clock.advance("4m"); // fires at 00:01:05; the delivery is tried less and less often
    sales.state.fails = false;
    stock.state.fails = true;
    await clock.advance("2m");
    mail.state.isDown = false;
    await clock.advance("15m");
    expect(mail.lines().filter((line) => line.endsWith("sales"))).toEqual([
      "00:01:05 fired run_failed sales",
      "00:05:05 resolved run_failed sales",
    ]);
    const about = mail.got.filter(({ notification }) => notification.alerts.some(({ alert }) => alert.pipelineId === "sales"));
    expect(about).toHaveLength(1);
    expect(about[0]?.notification).toMatchObject({
      at: new Date("2026-03-02T00:05:05Z"),
      subject: expect.stringMatching(/^\[headgate\] RESOLVED run_failed sales: over after 4m \(was: /),
    });
    expect(about[0]?.notification.text).toMatch(
      /^CRITICAL run_failed sales: [^\n]*\n {2}at 2026-03-02T00:01:05Z\n[\s\S]*\nRESOLVED run_failed sales: /,
    );
    await scheduler.stop();
  });

  it("go on in order on a channel that fails now and then", async () => {
    let count = 0;
    const seen: string[] = [];
    const job = flaky("sales");
    const mail = {
      name: "mail",
      send: async ({ alerts }: AlertNotification) => {
        if (count++ % 3 !== 2) throw new Error("try again");
        seen.push(...alerts.map(({ kind }) => kind));
      },
    };
    const { clock, scheduler } = await harness([job.one], { monitoring: { channels: [mail], rules: [runFailed()], every: "5s" } });
    for (let n = 0; n < 6; n++) {
      job.state.fails = n % 2 === 0;
      await clock.advance("1m");
    }
    job.state.fails = false;
    await clock.advance("30m");
    expect(seen).toEqual(["fired", "resolved", "fired", "resolved", "fired", "resolved"]);
    await scheduler.stop();
  });

  it("have a new id when more is sent with what a receiver may have seen already", async () => {
    const ids: string[] = [];
    const job = flaky("sales");
    let isDown = true;
    const hook = {
      name: "hook",
      send: async ({ id, alerts }: AlertNotification) => {
        ids.push(`${id} ${alerts.length}`);
        if (isDown) throw new Error("no answer, though it may have taken it");
      },
    };
    const { clock, scheduler } = await harness([job.one], { monitoring: { channels: [hook], rules: [runFailed()], every: "5s" } });
    job.state.fails = true;
    await clock.advance("1m30s");
    job.state.fails = false;
    await clock.advance("2m");
    isDown = false;
    await clock.advance("15m");
    const idsOf = (count: number) => [...new Set(ids.filter((one) => one.endsWith(` ${count}`)).map((one) => one.split(" ")[0]))];
    expect([idsOf(1).length, idsOf(2).length]).toEqual([1, 1]);
    expect(idsOf(1)).not.toEqual(idsOf(2));
    await scheduler.stop();
  });
});

describe("an alert", () => {
  it("carries the run that failed, its error, attempt and trigger, and a link", async () => {
    const mail = channel("mail", () => new Date(0));
    const failing = pipeline({
      id: "sales",
      execution: { retries: 1, retryDelay: "10s" },
      alertOn: ["failure"],
      run: () => {
        throw Object.assign(new Error("no warehouse"), { code: "E_WAREHOUSE" });
      },
    });
    const { clock, scheduler } = await harness([failing], {
      monitoring: { channels: [mail.channel], rules: [runFailed()], every: "5s", baseUrl: "https://headgate.example/jobs/" },
    });
    const { id: triggerId } = await scheduler.trigger("sales", { user: "ana", reason: "prices corrected" });
    await clock.advance("30s");
    const [run] = (await scheduler.runs()).items;
    const { notification } = mail.got[0] as (typeof mail.got)[number];
    expect(notification.alerts).toMatchObject([
      {
        link: `https://headgate.example/jobs/api/v1/runs/${run?.id}`,
        alert: {
          run: {
            id: run?.id,
            status: "failed",
            attempt: 2,
            error: { message: "no warehouse", code: "E_WAREHOUSE" },
            trigger: { id: triggerId, kind: "manual", user: "ana", reason: "prices corrected" },
          },
        },
      },
    ]);
    expect(notification.text.split("\n")).toEqual([
      "CRITICAL run_failed sales: the last run failed, at 2026-03-02T00:00:10.000Z",
      "  at 2026-03-02T00:00:15Z",
      `  run ${run?.id}: failed, attempt 2, started 2026-03-02T00:00:00Z; manual trigger ${triggerId} by ana (prices corrected)`,
      "  error: no warehouse (E_WAREHOUSE)",
      `  https://headgate.example/jobs/api/v1/runs/${run?.id}`,
    ]);
    expect(await scheduler.alerts.list()).toMatchObject([{ run: { id: run?.id, startedAt: new Date("2026-03-02T00:00:00Z") } }]);
    await scheduler.stop();
  });

  it("says when it is resolved for how long it had been so, and what was found last", async () => {
    const mail = channel("mail", () => new Date(0));
    const slow = pipeline({ id: "slow", run: ({ clock }) => clock.sleep("20s") });
    const { clock, scheduler } = await harness([slow], {
      monitoring: { channels: [mail.channel], rules: [longRunning({ limit: "5s" })], every: "2s" },
    });
    await scheduler.trigger("slow");
    await clock.advance("30s");
    const [fired, resolved] = mail.got.map(({ notification }) => notification);
    expect(fired?.subject).toBe("[headgate] WARNING long_running slow: a run has been active for 6s, over 5s");
    expect(fired?.alerts[0]?.alert.run).toMatchObject({ status: "running", attempt: 1, error: null });
    expect(resolved?.subject).toBe("[headgate] RESOLVED long_running slow: over after 16s (was: a run has been active for 20s, over 5s)");
    await scheduler.stop();
  });

  it("names the pipelines when there are several", async () => {
    const mail = channel("mail", () => new Date(0));
    const jobs = ["a", "b", "c", "d"].map(flaky);
    for (const { state } of jobs) state.fails = true;
    const { clock, scheduler } = await harness(
      jobs.map(({ one }) => one),
      { monitoring: { channels: [mail.channel], rules: [runFailed()], every: "5s" } },
    );
    await clock.advance("70s");
    expect(mail.got[0]?.notification.subject).toBe("[headgate] 4 alerts: run_failed (a, b, c and 1 more)");
    await scheduler.stop();
  });

  it.each(["ftp://x", "https://user:pw@x", "https://x?y=1", "nonsense", 5])("refuses %s as the address of links", async (baseUrl) => {
    await expect(harness([], { monitoring: { baseUrl: baseUrl as string } })).rejects.toThrow(/monitoring\.baseUrl: must be an http/);
  });
});
