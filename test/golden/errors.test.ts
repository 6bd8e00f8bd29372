/**
 * Every error code, with the texts of calls that fail with it, as prose in `errors.txt`: read that file. `npx vitest run test/golden -u` writes it again.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";
import { slackChannel } from "../../src/adapters/alerts/index.js";
import { publicHolidays } from "../../src/adapters/calendars/holidays.js";
import { NO_SCHEDULER } from "../../src/adapters/executors/bullmq/worker.js";
import { commandExecutor } from "../../src/adapters/executors/local/index.js";
import { webhookExecutor } from "../../src/adapters/executors/webhook/webhook.js";
import { watchTriggerFiles } from "../../src/adapters/files/index.js";
import { requestIn } from "../../src/adapters/files/parse-trigger-file.js";
import { fileModified, httpProbe, sqlNumber, tcpProbe } from "../../src/adapters/probes/index.js";
import { fileSensor } from "../../src/adapters/sensors/index.js";
import { loadPeer } from "../../src/adapters/shared/load-peer.js";
import { connect } from "../../src/adapters/shared/sqlite-driver.js";
import { translate } from "../../src/adapters/stores/postgres/errors.js";
import { translated } from "../../src/adapters/stores/sqlite/errors.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import type { ErrorCode } from "../../src/base/errors.js";
import { loadConfig } from "../../src/config/index.js";
import {
  adaptive,
  at,
  condition,
  createScheduler,
  cron,
  definePattern,
  durationMs,
  type Executor,
  every,
  freshnessTarget,
  functionExecutor,
  healthy,
  manual,
  memoryStore,
  type Pipeline,
  type Probe,
  pattern,
  pipeline,
  type RunContext,
  runFailed,
  type SchedulerOptions,
  sensor,
  stale,
} from "../../src/index.js";
import { serve } from "../../src/service/serve.js";
import { fakeClock } from "../../src/testing/index.js";
import { DEFAULT_QUEUE_LIMITS } from "../../src/trigger/queue-limits.js";
import { type Faults, faultyStore, storeIsAway } from "../support/faulty-store.js";
import { harness } from "../support/harness.js";
import { sharedStore } from "../support/shared-store.js";

const root = mkdtempSync(join(tmpdir(), "headgate-errors-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The codes as they are declared: a new one needs a text here. */
const CODES = [...readFileSync("src/base/errors.ts", "utf8").matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, code]) => code as ErrorCode);
const texts = new Map<ErrorCode, string[]>();

/** Masks what differs from machine to machine and from run to run. */
function stable(text: string): string {
  return text
    .replaceAll(root, "<folder>")
    .replaceAll(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, "<id>")
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:<port>")
    .replaceAll(/within \d+ ms of real time/g, "within <n> ms of real time")
    .replaceAll(/\([0-9a-f]{12}…\)/g, "(<hash>…)")
    .replace(/Cannot open database because the directory does not exist|unable to open database file/, "<driver's words>");
}

/** Calls what must fail, and keeps its text under its code. */
async function note(code: ErrorCode, title: string, call: () => unknown): Promise<void> {
  let failure: unknown;
  try {
    failure = await call();
  } catch (error) {
    failure = error;
  }
  expect.soft(failure, `${code}: ${title}`).toMatchObject({ code });
  if ((failure as { code?: unknown } | undefined)?.code !== code) return;
  const of = texts.get(code) ?? [];
  texts.set(code, [...of, `${title}\n${stable((failure as Error).message).replaceAll(/^/gm, "  ")}\n`]);
}

const loose = (value: unknown) => value as never;
const sales = (rest: object = {}) => pipeline({ id: "sales", schedule: every("1h"), run: () => {}, ...rest });

/** The error of the last attempt of a run that fails. */
async function errorOf(rest: object, { advance = "2h", options = {} }: { advance?: string; options?: object } = {}): Promise<unknown> {
  const world = await harness([sales({ schedule: manual(), execution: { retries: 0 }, ...rest })], options);
  await world.scheduler.trigger("sales");
  await world.clock.advance(advance as never);
  const [run] = (await world.scheduler.runs()).items;
  await world.scheduler.stop({ drain: 0 });
  return run?.error;
}

/** Serves one answer for as long as a call takes. */
async function serving<T>(status: number, body: string, call: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    return await call(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.close();
  }
}

const signal = new AbortController().signal;
const SILENT = { log: () => {} };

/** Measures with a probe. */
const measured = (probe: Probe<unknown>) => async () => probe.measure({ signal } as never);

/** A probe that measures as it is told. */
const probeOf = (measure: () => Promise<unknown>): Probe<unknown> =>
  ({ name: "warehouse", timeoutMs: 2_000, retries: 0, measure }) as never;

/** Sleeps on the clock of a run. */
const lasting = (length: string) => (context: RunContext<Record<string, unknown>>) => context.clock.sleep(length as never);

/** The error of an attempt that a real executor has run, on the real clock. */
async function realRun(executor: Executor): Promise<unknown> {
  const job = pipeline({ id: "sales", executor, execution: { retries: 0 } });
  const scheduler = createScheduler({ pipelines: [job], logger: SILENT });
  await scheduler.start();
  const { run } = await scheduler.run("sales");
  await scheduler.stop();
  return run?.error;
}

/** The error of an attempt that is posted to a service. */
async function remoteError(url: string): Promise<unknown> {
  const executor = webhookExecutor({
    url,
    secret: `whsec_${Buffer.from("a-secret-of-enough-characters").toString("base64")}`,
    allowPrivateNetworks: true,
  } as never);
  const world = await harness([pipeline({ id: "sales", executor: executor as never, execution: { retries: 0, timeout: "2m" } })], {
    clock: fakeClock("2026-03-02T00:00:00Z", { patience: "1s", onUnsettled: () => {} }),
  });
  const { id } = await world.scheduler.trigger("sales");
  for (let tries = 0; tries < 20; tries++) {
    await world.clock.advance("5s");
    const run = (await world.scheduler.runs()).items.find(({ triggerId }) => triggerId === id);
    if (run?.error != null) {
      await world.scheduler.stop({ drain: 0 });
      return run.error;
    }
  }
  return undefined;
}

/** A call that never ends, and the reason for which it was aborted. */
function endless() {
  let reason: unknown;
  const call = ({ signal: its }: { readonly signal: AbortSignal }) =>
    new Promise<never>((_, reject) =>
      its.addEventListener("abort", () => {
        reason ??= its.reason;
        reject(its.reason);
      }),
    );
  return { call, reason: () => reason };
}

/** A scheduler on a clock that waits for nothing that does not sleep on it. */
const impatient = (pipelines: readonly Pipeline[], options: SchedulerOptions = {}) =>
  harness(pipelines, { clock: fakeClock("2026-03-02T00:00:00Z", { patience: "50ms", onUnsettled: () => {} }), ...options });

/** The reason for which a condition, a probe or a sensor is aborted. */
async function abortOf(rest: (call: ReturnType<typeof endless>["call"]) => object, isStopped = false): Promise<unknown> {
  const { call, reason } = endless();
  const world = await impatient([sales(rest(call as never))]);
  await world.clock.advance(isStopped ? "3m" : "1h1m");
  await world.scheduler.stop({ drain: 0 });
  return reason();
}

/** The error that a channel has failed with. */
async function channelError(): Promise<unknown> {
  const channel = { name: "ops", timeoutMs: 5_000, send: (_: unknown, options: { signal: AbortSignal }) => endless().call(options) };
  const failing = () => {
    throw new Error("no such table: sales");
  };
  const world = await impatient([sales({ run: failing, execution: { retries: 0 }, alertOn: ["failure"] })], {
    monitoring: { channels: [channel as never], rules: [runFailed()] },
  });
  await world.clock.advance("2h");
  await world.scheduler.stop({ drain: 0 });
  return world.heard("channel.failed")[0]?.error;
}

/** The error of a node whose audit log is put back to an earlier state. */
async function auditChanged(): Promise<unknown> {
  const file = join(root, "audit.db");
  const world = await harness([sales()], { store: sqliteStore({ file }), audit: { headInterval: "10s" } });
  const change = () => world.scheduler.settings.addMaintenance({ start: "03:00", end: "04:00" });
  await change();
  const connection = connect(file);
  const [head] = connection.prepare("SELECT value FROM meta WHERE key = 'audit_head'").all() as { value: string }[];
  await change();
  await world.clock.advance("11s");
  connection.exec("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)");
  connection.prepare("UPDATE meta SET value = ? WHERE key = 'audit_head'").run(head?.value);
  connection.close();
  await change();
  await world.clock.advance("11s");
  await world.scheduler.stop();
  return world.heard("error").find(({ error }) => (error as { code?: string }).code === "AUDIT_CHANGED")?.error;
}

/** What a fake clock that is strict rejects with. */
async function notSettled(): Promise<void> {
  const clock = fakeClock("2026-03-02T00:00:00Z", { patience: "50ms", onUnsettled: "reject" });
  const { scheduler } = await harness([sales({ run: () => new Promise(() => {}) })], { clock });
  await scheduler.trigger("sales");
  try {
    await clock.advance("1h");
  } finally {
    void scheduler.stop({ drain: 0 });
  }
}

function database(): string {
  const path = join(root, "warehouse.db");
  const connection = connect(path);
  connection.exec("CREATE TABLE IF NOT EXISTS t (name TEXT); INSERT INTO t VALUES ('nightly')");
  connection.close();
  return path;
}

describe("the texts of errors", () => {
  it("about arguments and definitions", async () => {
    await note("INVALID_ARGUMENT", "An unknown option", () => cron("0 2 * * *", loose({ timezone: "Europe/Berlin" })));
    await note("INVALID_ARGUMENT", "Options that are not an object", () => stale(loose("2h")));
    await note("INVALID_ARGUMENT", "No instants", () => at());
    await note("INVALID_ARGUMENT", "A condition without a name", () => condition("", () => true));
    await note("INVALID_ARGUMENT", "A sensor without a function", () => sensor("new files", loose(null)));
    await note("INVALID_ARGUMENT", "A tuner that is none", () => adaptive({ base: "1h", min: "15m", max: "4h", tuner: loose("faster") }));
    await note("INVALID_ARGUMENT", "A share beyond one", () => freshnessTarget({ maxAge: "1h", share: 2 }));
    await note("INVALID_ARGUMENT", "A command line in place of a program", () => commandExecutor({ command: "python etl.py > etl.log" }));
    await note("INVALID_ARGUMENT", "A webhook executor without a secret", () =>
      webhookExecutor({ url: "https://etl.example/run", secret: "short" }),
    );
    await note("INVALID_ARGUMENT", "A place without holidays", () => publicHolidays({ country: "XX" }));
    await note("INVALID_DURATION", "Text that is no duration", () => durationMs("soon" as never));
    await note("INVALID_DURATION", "A negative interval", () => every(-1));
    await note("INVALID_INSTANT", "Text that is no instant", () => at("tomorrow"));
    await note("INVALID_CRON", "A minute out of range", () => cron("61 * * * *"));
    await note("INVALID_CRON", "Too few fields", () => cron("0 2 *"));
    await note("INVALID_CRON", "A date that never comes", () => cron("0 0 30 2 *"));
    await note("INVALID_CRON", "An unknown name", () => cron("@often"));
    await note("INVALID_TIME_ZONE", "An abbreviation", () => cron("0 2 * * *", { timeZone: "CEST" }));
    await note("INVALID_PATTERN", "Two schedules", () =>
      definePattern("both", loose({ description: "Too much", cron: "0 2 * * *", interval: "1h" })),
    );
    await note("INVALID_PATTERN", "No schedule", () => definePattern("empty", loose({ description: "Nothing" })));
    await note("UNKNOWN_PATTERN", "A misspelt name", () => pattern(loose("production_dayly")));
    await note("INVALID_PIPELINE", "An id with spaces", () => sales({ id: "daily sales" }));
    await note("INVALID_PIPELINE", "No function", () => sales({ run: "etl" }));
    await note("INVALID_PIPELINE", "Retries that are none", () => sales({ execution: { retries: -1 } }));
    await note("INVALID_PIPELINE", "Following itself", () => sales({ after: "sales" }));
    await note("INVALID_PIPELINE", "A cycle", () => harness([sales({ after: "b" }), sales({ id: "b", after: "sales" })]));
    await note("INVALID_PIPELINE", "An unknown executor", () => harness([sales({ executor: "spark" })]));
    await note("DUPLICATE_PIPELINE", "Two with one id", () => harness([sales(), sales()]));
    await note("UNKNOWN_POOL", "A pool without slots", () => harness([sales({ execution: { pool: "warehouse" } })]));
  });

  it("about requests", async () => {
    const { z } = await import("zod");
    const typed = sales({ parameters: z.object({ day: z.string().default("today") }) });
    const { scheduler, clock } = await harness([typed]);
    await note("UNKNOWN_PIPELINE", "A misspelt id", () => scheduler.trigger("sale"));
    await note("INVALID_ARGUMENT", "Something else than an id", () => scheduler.trigger(loose(7)));
    await note("INVALID_PARAMETERS", "A number in place of text", () => scheduler.trigger("sales", loose({ parameters: { day: 7 } })));
    await note("NOT_FOUND", "A trigger to cancel", () => scheduler.cancel("01KJP0Y9M0G000000080000002"));
    await note("NOT_FOUND", "A trigger to wait for", () => scheduler.waitFor("01KJP0Y9M0G000000080000002"));
    await note("NOT_FOUND", "A silence to end", () => scheduler.alerts.unsilence("01KJP0Y9M0G000000080000002"));
    await note("NOT_FOUND", "A token to revoke", () => scheduler.tokens.revoke("ci"));
    await note("NOT_FOUND", "A node to dismiss", () => scheduler.nodes.dismiss("node-9"));
    await scheduler.trigger("sales", { idempotencyKey: "fix-4711" });
    await note("IDEMPOTENCY_CONFLICT", "A key with other parameters", () =>
      scheduler.trigger("sales", loose({ idempotencyKey: "fix-4711", parameters: { day: "monday" } })),
    );
    await note("PRECONDITION_FAILED", "Settings that another changed", () =>
      scheduler.settings.change("sales", { maxActiveRuns: 2 }, { ifVersion: "0a1b2c" }),
    );
    await clock.advance("1m");
    const [run] = (await scheduler.runs()).items;
    await note("ALREADY_FINISHED", "A run that has ended", () => scheduler.cancel(run?.id ?? ""));
    await note("ALREADY_FINISHED", "A fire time that has passed", () => scheduler.skip("sales", { at: "2026-03-02T00:00:00Z" }));
    await note("ALREADY_FINISHED", "A retry of a run that has ended", () => scheduler.retryNow(run?.id ?? ""));
    const busy = await harness([sales({ execution: { retries: 0 }, run: ({ clock: time }: RunContext) => time.sleep("1h") })]);
    await busy.scheduler.trigger("sales");
    await busy.clock.advance("1s");
    const [going] = (await busy.scheduler.runs()).items;
    await note("NOT_FINISHED", "A run that is to be repeated", () => busy.scheduler.rerun(going?.id ?? ""));
    await note("NOT_RETRYING", "A run whose attempt is to be brought forward", () => busy.scheduler.retryNow(going?.id ?? ""));
    await busy.scheduler.stop({ drain: 0 });
    await note("TOO_MANY", "A backfill of years", () => scheduler.backfill("sales", { from: "2000-01-01", to: "2026-01-01" }));
    await scheduler.pause("sales", { reason: "warehouse is moving", user: "ana" });
    await note("PAUSED", "An immediate trigger", () => scheduler.trigger("sales", { kind: "immediate" }));
    await scheduler.stop();
    await note("SCHEDULER_STOPPED", "A stopped scheduler", () => scheduler.trigger("sales"));
    const watched = await harness([sales()], {
      store: sharedStore(),
      monitoring: { channels: [{ name: "ops", send: async () => {} }], every: "5s" },
    });
    await watched.clock.advance("1m");
    await note("NODE_ACTIVE", "A node that is running", () => watched.scheduler.nodes.dismiss("node-1"));
    await watched.scheduler.stop();
    const full = await harness([sales({ schedule: undefined })]);
    await full.scheduler.pause();
    const most = { count: 1, bytes: 1_000 };
    for (const scope of ["pipeline", "token", "total"])
      await note("QUEUE_FULL", `One trigger more than may wait: ${scope}`, async () => {
        const limits = { ...DEFAULT_QUEUE_LIMITS, reserved: { count: 0, bytes: 0 }, [scope]: most };
        for (const _ of [1, 2]) await full.scheduler.host.trigger("sales", {}, { requestedBy: "ci", limits });
      });
    await full.scheduler.stop();
  });

  it("about runs", async () => {
    await note("RUN_TIMED_OUT", "An attempt", () => errorOf({ execution: { retries: 0, timeout: "20m" }, run: lasting("1h") }));
    await note("RUN_TIMED_OUT", "A run with its retries", () =>
      errorOf({
        execution: { retries: 5, retryDelay: "10m", timeout: "1h", totalTimeout: "90s" },
        run: lasting("1h"),
      }),
    );
    await note("RUN_CANCELLED", "By a person", async () => {
      const world = await harness([sales({ run: lasting("1h") })]);
      await world.scheduler.trigger("sales");
      await world.clock.advance("1m");
      const [run] = (await world.scheduler.runs()).items;
      await world.scheduler.cancel(run?.id ?? "", { user: "ana", reason: "wrong month" });
      await world.clock.advance("1m");
      const error = (await world.scheduler.getRun(run?.id ?? ""))?.error;
      await world.scheduler.stop();
      return error;
    });
    await note("RUN_LOST", "A node that died", async () => {
      const store = memoryStore();
      const faults: Faults = {};
      const clock = fakeClock("2026-03-02T00:00:00Z");
      const job = () => sales({ execution: { retries: 0 }, run: lasting("5h") });
      const [dying, left] = [
        await harness([job()], { store: faultyStore(store, faults), clock, node: "node-1" }),
        await harness([job()], { store, clock, node: "node-2" }),
      ];
      await dying.scheduler.trigger("sales");
      await clock.advance("1s");
      faults.before = storeIsAway;
      await clock.advance("5m");
      const [run] = (await left.scheduler.runs()).items;
      faults.before = null;
      await left.scheduler.stop({ drain: 0 });
      await dying.scheduler.stop({ drain: 0 });
      return run?.attempts[0]?.error;
    });
    await note("RUN_UNRESPONSIVE", "A run that ignores its signal", async () => {
      const run = { runId: "01KJP0Y9M0G000000080000002", pipelineId: "sales", call: () => new Promise(() => {}) };
      const clock = { setTimer: (_: number, fire: () => void) => fire() };
      const control = { clock, graceMs: 10_000, signal, onAbort: (listener: () => void) => listener() };
      return functionExecutor().execute(run as never, control as never);
    });
    await note("COMMAND_FAILED", "A program that fails", () =>
      realRun(commandExecutor({ command: process.execPath, args: ["-e", "console.error('no such table: sales'); process.exit(3)"] })),
    );
    await note("COMMAND_FAILED", "A program that is not there", () => realRun(commandExecutor({ command: "headgate-no-such-program" })));
    await note("COMMAND_FAILED", "Output that is not JSON", () =>
      realRun(commandExecutor({ command: process.execPath, args: ["-e", "console.log('done')"], output: "json" })),
    );
    await note("NO_SCHEDULER", "A BullMQ worker", () => NO_SCHEDULER.trigger("sales"));
    await note("EXECUTOR_UNAVAILABLE", "A service that is down", () => remoteError("http://127.0.0.1:9/run"));
    await note("REMOTE_RUN_FAILED", "A job that fails elsewhere", () =>
      errorOf({
        run: undefined,
        executor: {
          kind: "remote",
          name: "spark",
          pollMs: 1_000,
          submit: async () => "job-1",
          poll: async () => ({ status: "failed", error: { message: "no such table: sales" } }),
          cancel: async () => {},
        },
      }),
    );
  });

  it("about conditions, probes, sensors, channels and files", async () => {
    await note("CONDITION_TIMED_OUT", "A condition without an end", () =>
      abortOf((call) => ({ conditions: [condition("slow", call, { timeout: "2s" })] })),
    );
    await note("PROBE_TIMED_OUT", "A probe without an end", () =>
      abortOf((call) => ({ conditions: [healthy({ probes: [probeOf(call as never) as never] })] })),
    );
    await note(
      "PROBE_FAILED",
      "A server that is down",
      measured(httpProbe({ url: "http://127.0.0.1:9/health", allowPrivateNetworks: true }) as never),
    );
    await note(
      "PROBE_FAILED",
      "A port that is closed",
      measured(tcpProbe({ host: "127.0.0.1", port: 9, allowPrivateNetworks: true }) as never),
    );
    await note("PROBE_FAILED", "A path through a file", measured(fileModified(join(database(), "missing.csv")) as never));
    await note(
      "PROBE_FAILED",
      "A query without a number",
      measured(sqlNumber({ url: `sqlite:${database()}`, query: "SELECT name FROM t" }) as never),
    );
    await note("ADDRESS_REFUSED", "An address in a private network", measured(httpProbe({ url: "http://127.0.0.1:9/health" }) as never));
    await note("SENSOR_FAILED", "A directory that is not there", async () => {
      const world = await harness([sales({ schedule: manual(), sensors: [fileSensor({ path: join(root, "missing") })] })], {
        clock: fakeClock("2026-03-02T00:00:00Z", { patience: "60s" }), // reads a directory in real time
      });
      while (world.heard("sensor.failed").length === 0) await world.clock.advance("1m");
      await world.scheduler.stop();
      return world.heard("sensor.failed")[0]?.error;
    });
    await note("SENSOR_TIMED_OUT", "A sensor without an end", () =>
      abortOf((call) => ({ sensors: [sensor("slow", call, { timeout: "5s" })] })),
    );
    await note("SENSOR_STOPPED", "A sensor whose scheduler stops", () =>
      abortOf((call) => ({ sensors: [sensor("slow", call, { timeout: "1h" })] }), true),
    );
    await note("CHANNEL_FAILED", "Slack refuses the message", () =>
      serving(404, "no_team", (url) =>
        slackChannel({ url: `${url}services/T/B/x`, allowPrivateNetworks: true } as never).send(
          { id: "1", at: new Date(0), severity: "info", subject: "s", text: "t", alerts: [], insteadOf: null },
          { signal } as never,
        ),
      ),
    );
    await note("CHANNEL_TIMED_OUT", "A channel without an end", () => channelError());
    await note("BAD_TRIGGER_FILE", "An empty file", () => requestIn(Buffer.from(""), "a.json"));
    await note("BAD_TRIGGER_FILE", "A file that is not JSON", () => requestIn(Buffer.from('{ "pipeline": sales }'), "a.json"));
    await note("BAD_TRIGGER_FILE", "An unknown field", () => requestIn(Buffer.from('{ "pipelin": "sales" }'), "a.json"));
    await note("BAD_TRIGGER_FILE", "Two names", () => requestIn(Buffer.from('{ "pipeline": "a", "dag_id": "b" }'), "a.json"));
    await note("UNSAFE_DIRECTORY", "A work directory that everyone can write to", async () => {
      const open = join(root, "drop");
      mkdirSync(join(open, ".claimed"), { recursive: true });
      chmodSync(join(open, ".claimed"), 0o777);
      const { scheduler } = await harness([sales()]);
      try {
        await (await watchTriggerFiles(scheduler, { directory: open, polling: "1s" })).close();
      } finally {
        await scheduler.stop();
      }
    });
  });

  it("about stores, the audit log, packages and configuration", async () => {
    const file = join(root, "headgate.db");
    const of = (path: string) => sqliteStore({ file: path });
    const opened = async (path: string) => {
      const store = of(path);
      try {
        await store.open();
      } finally {
        await store.close();
      }
    };
    await note("STORE_UNAVAILABLE", "A file whose directory is missing", () => opened(join(root, "missing/headgate.db")));
    await opened(file);
    const newer = join(root, "newer.db");
    writeFileSync(newer, readFileSync(file));
    const connection = connect(newer);
    connection.exec("PRAGMA user_version = 99");
    connection.close();
    await note("STORE_INCOMPATIBLE", "A store of a newer version", () => opened(newer));
    const broken = join(root, "broken.db");
    writeFileSync(broken, "this is no database, but it is long enough to be read as one ".repeat(20));
    await note("STORE_CORRUPT", "A file that is no database", () => opened(broken));
    for (const [code, sqlite] of [
      ["STORE_FULL", { code: "SQLITE_FULL", message: "database or disk is full" }],
      ["STORE_READ_ONLY", { code: "SQLITE_READONLY", message: "attempt to write a readonly database" }],
      ["STORE_REJECTED", { code: "SQLITE_TOOBIG", message: "string or blob too big" }],
    ] as const)
      await note(code, "SQLite says so", async () => {
        translated("headgate.db", () => {
          throw Object.assign(new Error(sqlite.message), { code: sqlite.code });
        });
      });
    for (const [code, postgres] of [
      ["STORE_FULL", { code: "53100", message: "could not extend file: No space left on device" }],
      ["STORE_READ_ONLY", { code: "25006", message: "cannot execute INSERT in a read-only transaction" }],
      ["STORE_READ_ONLY", { code: "42501", message: "permission denied for table triggers" }],
      ["STORE_UNAVAILABLE", { code: "28P01", message: 'password authentication failed for user "headgate"' }],
      ["STORE_UNAVAILABLE", { code: "ECONNREFUSED", message: "connect ECONNREFUSED 10.0.0.7:5432" }],
      ["STORE_UNAVAILABLE", { code: "57014", message: "canceling statement due to statement timeout" }],
      ["STORE_UNAVAILABLE", { code: "55P03", message: "canceling statement due to lock timeout" }],
      ["STORE_REJECTED", { code: "22P05", message: "unsupported Unicode escape sequence" }],
    ] as const)
      await note(code, "PostgreSQL says so", async () => {
        throw translate(Object.assign(new Error(postgres.message), { code: postgres.code }));
      });
    await note("AUDIT_KEY_UNKNOWN", "A log that is sealed with another key", async () => {
      const store = memoryStore();
      const first = await harness([sales()], { store, audit: { key: "a".repeat(32) } });
      await first.scheduler.pause("sales", { user: "ana" });
      await first.scheduler.stop();
      await harness([sales()], { store, clock: first.clock, audit: { key: "b".repeat(32) } });
    });
    await note("AUDIT_CHANGED", "A record that is gone", () => auditChanged());
    await note("MISSING_PEER", "A package that is not installed", () => loadPeer("headgate-no-such-package", "the example needs"));
    await note("INVALID_CONFIG", "A file with problems", () =>
      loadConfig("schedule_config.yaml", {
        text: "pipelines:\n  sales:\n    schedul: { cron: 0 2 * * * }\n    execution: { retries: -1 }\n    executor: { command: { command: echo } }\n",
      } as never),
    );
    await note("PORT_UNAVAILABLE", "A port that is in use", async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => taken.once("listening", resolve));
      const path = join(root, "schedule_config.yaml");
      writeFileSync(
        path,
        'store: { url: "memory:" }\npipelines:\n  a: { schedule: { every: 1h }, executor: { command: { command: echo } } }\n',
      );
      const { port } = taken.address() as AddressInfo;
      try {
        await serve({ file: path, host: "127.0.0.1", port, watch: false, logger: () => SILENT, onToken: () => {} });
      } finally {
        taken.close();
      }
    });
    await note("NOT_SETTLED", "Work that a fake clock waits for in vain", () => notSettled());
  });

  it("are all in the golden file", async () => {
    expect(CODES.filter((code) => !texts.has(code))).toEqual([]);
    const sections = CODES.map((code) => `## ${code}\n\n${(texts.get(code) ?? []).join("\n")}`);
    const text = `Every error code with texts that calls fail with: written by test/golden/errors.test.ts, to be read as prose.\n\n${sections.join("\n")}`;
    await expect(text).toMatchFileSnapshot("errors.txt");
  });
});
