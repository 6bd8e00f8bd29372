import { afterEach, describe, expect, it } from "vitest";
import { airflowExecutor, airflowHealth } from "../../src/adapters/executors/airflow/index.js";
import { every, HeadgateError, healthy, memoryStore, type Pipeline, pipeline } from "../../src/index.js";
import { type ContractWork, describeExecutor, fakeClock } from "../../src/testing/index.js";
import { harness, START } from "../support/harness.js";
import { AirflowDouble } from "./airflow-double.js";

const open = new Set<AirflowDouble>();
afterEach(async () => {
  for (const one of open) {
    expect(one.problems).toEqual([]);
    await one.close();
  }
  open.clear();
});
async function double() {
  const made = await new AirflowDouble().start();
  open.add(made);
  return made;
}
const login = { username: "headgate", password: "pw" };

for (const apiVersion of [2, 1] as const)
  describeExecutor(
    `airflowExecutor, API v${apiVersion},`,
    async () => {
      const airflow = await double();
      const starts = new Map<string, number>();
      airflow.onRun = (run) => {
        const id = run.id.replace(/^headgate__/, "").replace(/-\d+$/, "");
        starts.set(id, (starts.get(id) ?? 0) + 1);
        const { work, ms = 0 } = run.body.conf as unknown as ContractWork;
        run.state = "running";
        const end = () => {
          if (run.state === "running") run.state = work === "fail" || work === "final" ? "failed" : "success";
        };
        setTimeout(end, work === "slow" ? ms : 20);
      };
      const values = (output: unknown) => {
        const { dag_id, dag_run_id } = output as { dag_id: string; dag_run_id: string };
        return (airflow.runs.get(`${dag_id}/${dag_run_id}`)?.body.conf as { value?: unknown } | undefined)?.value;
      };
      return {
        executor: airflowExecutor({ baseUrl: airflow.url, apiVersion, ...login, pollInterval: "20ms" }),
        valueIn: values,
        startsOf: (runId) => starts.get(runId) ?? 0,
      };
    },
    {
      describe,
      // Airflow's API tells only that a DAG run failed: whether another attempt is worth it and what was wrong stand in its logs
      it: (title, body) => (/is not worth another|reports a failure, which/.test(title) ? undefined : it(title, body)),
    },
  );

async function running(airflow: AirflowDouble, options: object = {}, rest: object = {}, more: object = {}) {
  const executor = airflowExecutor({ baseUrl: airflow.url, ...login, pollInterval: "10s", ...options });
  const daily: Pipeline = pipeline({ id: "daily", executor, execution: { retries: 1, retryDelay: "1m", timeout: "1h" }, ...rest });
  return harness([daily], { clock: fakeClock(START, { patience: 5_000 }), ...more });
}
/** Lets real connections do what the clock does not wait for. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const until = async (is: () => boolean) => {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("a DAG run", () => {
  it("has an id of the run and the attempt, the fire time as its logical date, parameters as conf, and a note", async () => {
    const airflow = await double();
    const { clock, scheduler } = await running(airflow, {}, { schedule: every("1h"), alertOn: [] });
    await clock.advance("1h");
    const { id } = await scheduler.trigger("daily", { user: "ana", reason: "prices corrected", parameters: { day: "2026-03-01" } });
    await until(() => airflow.runs.size === 1);
    const [run] = (await scheduler.runs()).items;
    expect([...airflow.runs.values()][0]?.body).toEqual({
      dag_run_id: `headgate__${run?.id}-1`,
      logical_date: "2026-03-02T01:00:00.000Z",
      conf: {},
      note: `headgate run ${run?.id}, attempt 1`,
    });
    for (const one of airflow.runs.values()) one.state = "success";
    await clock.advance("1m");
    await until(() => airflow.runs.size === 2);
    expect([...airflow.runs.values()][1]?.body).toMatchObject({
      logical_date: null,
      conf: { day: "2026-03-01" },
      note: expect.stringContaining("ana; prices corrected"),
    });
    for (const one of airflow.runs.values()) one.state = "failed";
    await clock.advance("30s");
    expect(await scheduler.getTrigger(id)).toMatchObject({ status: "running" }); // another attempt is due
    await scheduler.stop();
  });

  it("is tried again after 401 with a new token, after 429, 5xx, a dropped connection, no answer in time, and triggered once though its answer was lost", async () => {
    const airflow = await double();
    airflow.mischief = [429, 503, "drop", "hang", "drop_after"];
    const { clock, scheduler, heard } = await running(airflow);
    await scheduler.trigger("daily");
    await until(() => airflow.tokens.size === 1);
    airflow.tokens.clear();
    for (let n = 0; n < 100 && airflow.runs.size === 0; n++) {
      await clock.advance("5s");
      await pause();
    }
    expect(airflow.runs.size).toBe(1);
    for (const one of airflow.runs.values()) one.state = "success";
    for (let n = 0; n < 100 && heard("run.succeeded").length === 0; n++) {
      await clock.advance("5s");
      await pause();
    }
    expect(heard("run.succeeded").length).toBe(1);
    expect(airflow.runs.size).toBe(1);
    expect(airflow.made).toBeGreaterThanOrEqual(2);
    await scheduler.stop();
  });

  it("of a DAG that is not there, or that Airflow refuses, is not tried again", async () => {
    const airflow = await double();
    const { clock, scheduler, heard } = await running(airflow, { dagId: "nothing" });
    await scheduler.trigger("daily");
    await clock.advance("10m");
    expect(heard("run.failed")[0]?.run).toMatchObject({ attempt: 1, error: { message: expect.stringContaining("no DAG nothing") } });
    await scheduler.stop();
    const refusing = await running(airflow);
    airflow.mischief = [422];
    await refusing.scheduler.trigger("daily");
    await refusing.clock.advance("10m");
    expect(refusing.heard("run.failed")[0]?.run).toMatchObject({
      attempt: 1,
      error: { message: "Airflow rejected the DAG run: mischief" },
    });
    await refusing.scheduler.stop();
  });

  it("whose logical date another DAG run has goes without one", async () => {
    const airflow = await double();
    airflow.runs.set("daily/manual", {
      dagId: "daily",
      id: "manual",
      body: { logical_date: "2026-03-02T01:00:00.000Z" },
      state: "success",
    });
    const { clock, scheduler } = await running(airflow, {}, { schedule: every("1h") });
    await clock.advance("1h");
    await until(() => airflow.runs.size === 2);
    expect([...airflow.runs.values()][1]?.body).toMatchObject({ logical_date: null });
    await scheduler.stop();
  });

  it("that somebody has deleted is lost, and triggered again; wrong credentials fail the attempt", async () => {
    const airflow = await double();
    const { clock, scheduler, heard } = await running(airflow);
    await scheduler.trigger("daily");
    await until(() => airflow.runs.size === 1);
    airflow.runs.clear();
    await clock.advance("30s");
    expect(heard("run.lost").length).toBe(1);
    await clock.advance("2m");
    expect([...airflow.runs.keys()][0]).toMatch(/-2$/);
    await scheduler.stop();
    const locked = await running(airflow, { password: "wrong" }, { execution: { retries: 0 } });
    await locked.scheduler.trigger("daily");
    await locked.clock.advance("1m");
    expect(locked.heard("run.failed")[0]?.run.error).toMatchObject({
      message: expect.stringContaining("no token (401): Invalid credentials"),
    });
    expect(JSON.stringify(locked.told)).not.toContain("wrong");
    await locked.scheduler.stop();
  });

  it("that does not answer in time is left, and ended in Airflow when it is cancelled", async () => {
    const airflow = await double();
    const { clock, scheduler, heard } = await running(airflow, {}, { execution: { retries: 0, timeout: "10m" } });
    const { id } = await scheduler.trigger("daily");
    await until(() => airflow.runs.size === 1);
    await clock.advance("20s");
    await scheduler.cancel(id, { user: "ana" });
    await until(() => heard("run.cancelled").length === 1);
    expect([...airflow.runs.values()][0]?.state).toBe("failed");
    await scheduler.stop();
  });

  it("goes on over a change of nodes: another goes on watching with the same reference", async () => {
    const airflow = await double();
    const store = memoryStore();
    const first = await running(airflow, {}, {}, { store, node: "n1" });
    await first.scheduler.trigger("daily");
    await until(() => airflow.runs.size === 1);
    await first.clock.advance("11s");
    await first.scheduler.stop();
    const second = await running(airflow, {}, {}, { store, node: "n2", clock: fakeClock(first.clock.now(), { patience: 5_000 }) });
    const playUntil = async (is: () => boolean) => {
      for (let n = 0; n < 100 && !is(); n++) {
        await second.clock.advance("5s");
        await pause();
      }
    };
    await playUntil(() => second.heard("run.adopted").length === 1);
    for (const one of airflow.runs.values()) one.state = "success";
    await playUntil(() => second.heard("run.succeeded").length === 1);
    expect(second.heard("run.adopted").length).toBe(1);
    expect(second.heard("run.succeeded")[0]?.run).toMatchObject({ attempt: 1, output: { dag_id: "daily" } });
    expect(airflow.runs.size).toBe(1);
    await second.scheduler.stop();
  });
});

describe("Airflow's health", () => {
  it("is that of its database and scheduler", async () => {
    const airflow = await double();
    const measured = (options: object = {}) =>
      airflowHealth({ baseUrl: airflow.url, ...options }).measure({ signal: new AbortController().signal, now: 0 });
    expect(await measured()).toMatchObject({ isHealthy: true, evidence: { scheduler: "healthy" } });
    expect(await measured({ apiVersion: 1 })).toMatchObject({ isHealthy: true });
    airflow.health = { metadatabase: { status: "healthy" }, scheduler: { status: "unhealthy" } };
    expect(await measured()).toMatchObject({ isHealthy: false, reason: "scheduler not healthy" });
    expect(healthy({ probes: [airflowHealth({ baseUrl: airflow.url })] }).name).toBe("healthy");
  });

  it("and the executor say what is wrong with their options", () => {
    expect(() => airflowExecutor({})).toThrow(/AIRFLOW_BASE_URL/);
    expect(() => airflowExecutor({ baseUrl: "ftp://x" })).toThrow(HeadgateError);
    expect(() => airflowExecutor({ baseUrl: "http://x", username: "a" })).toThrow(/username and password/);
    expect(() => airflowExecutor({ baseUrl: "http://x", apiVersion: 3 as never })).toThrow(/1 or 2/);
  });
});
