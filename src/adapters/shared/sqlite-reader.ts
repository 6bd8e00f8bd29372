import type { ChildProcess } from "node:child_process";
import { realpath, stat } from "node:fs/promises";
import { execPath } from "node:process";
import type PQueue from "p-queue";
import { HeadgateError } from "../../base/errors.js";
import { lazyModule } from "../../base/lazy-module.js";
import { isOwnFile } from "./own-files.js";
import type { SqlLimits, SqlRow } from "./sql-source.js";
import { driverModule, unbuilt } from "./sqlite-driver.js";

/** Reads in a thread of the reading process. */
const THREAD = `
const { parentPort } = require("node:worker_threads");
parentPort.on("message", ({ driver, file, sql, values, rows, bytes }) => {
  let connection = null;
  try {
    const library = require(driver);
    connection = driver === "node:sqlite" ? new library.DatabaseSync(file, { readOnly: true }) : new library(file, { readonly: true, fileMustExist: true });
    connection.exec("PRAGMA busy_timeout = 1000; PRAGMA query_only = 1");
    const found = [];
    let size = 0;
    for (const row of connection.prepare(sql).iterate(...values)) {
      for (const value of Object.values(row)) size += typeof value === "string" || value instanceof Uint8Array ? value.length : 8;
      if (size > bytes) throw new Error("the query returns more than " + bytes + " bytes; select fewer columns or rows");
      if (found.push({ ...row }) === rows) break;
    }
    parentPort.postMessage({ rows: found });
  } catch (error) {
    parentPort.postMessage({ error: { message: String(error.message).slice(0, 500), code: typeof error.code === "string" ? error.code : undefined } });
  } finally {
    try { connection?.close(); } catch {}
  }
});
`;

/**
 * The reading process. SQLite's own code cannot be interrupted from JavaScript, so that only a process can be ended: its main thread does nothing but end it at once when the process that started it is gone, and
 * after a while without work.
 */
const SOURCE = `
const { Worker } = require("node:worker_threads");
const thread = new Worker(${JSON.stringify(THREAD)}, { eval: true });
let idle;
const rest = () => { idle = setTimeout(() => process.exit(0), 20000); };
rest();
process.on("message", (task) => { clearTimeout(idle); thread.postMessage(task); });
thread.on("message", (answer) => { process.send(answer); rest(); });
thread.on("error", (error) => process.send({ error: { message: error.message } }, () => process.exit(1)));
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
`;

type Answer = { readonly rows: readonly SqlRow[] } | { readonly error: { readonly message: string; readonly code?: string } };
type Task = Readonly<Record<"driver" | "file" | "sql", string>> &
  Readonly<Record<"rows" | "bytes", number>> & { readonly values: readonly unknown[] };

/** Processes that read at once; queries beyond wait. */
const PROCESSES = 2;
const idle: ChildProcess[] = [];
let queue: PQueue | null = null;

/**
 * Runs one read-only query on a SQLite file, in another process, which is killed when the signal aborts: a query without end holds up nothing here.
 *
 * @throws HeadgateError `ADDRESS_REFUSED` for headgate's own file, `PROBE_FAILED`, `MISSING_PEER`, or the signal's reason
 */
export async function readSqlite(
  file: string,
  { sql, values }: { readonly sql: string; readonly values: readonly unknown[] },
  { rows, bytes }: SqlLimits,
  signal: AbortSignal,
): Promise<readonly SqlRow[]> {
  const path = await realpath(file);
  const refuseOwn = () => {
    if (isOwnFile(path))
      throw new HeadgateError("ADDRESS_REFUSED", "it is headgate's own database, which dependencies, probes and sensors must not read");
  };
  refuseOwn();
  if (!(await stat(path)).isFile()) throw new HeadgateError("PROBE_FAILED", "it is not a file");
  const order: number[] = [];
  const text = sql.replaceAll(/\$(\d+)/g, (_, place: string) => {
    order.push(Number(place) - 1);
    return "?";
  });
  const task: Task = { driver: driverModule(), file: path, sql: text, values: order.map((index) => values[index]), rows, bytes };
  const { default: Queue } = await import("p-queue"); // importing headgate need not load it
  queue ??= new Queue({ concurrency: PROCESSES });
  const found = await queue.add(() => rowsOf(task, signal), { signal });
  refuseOwn(); // it may have become that while it was read
  return found;
}

async function rowsOf(task: Task, signal: AbortSignal): Promise<readonly SqlRow[]> {
  for (;;) {
    signal.throwIfAborted();
    const child = idle.pop() ?? started();
    const answer = await answerOf(child, task, signal);
    if (answer === null) continue; // it had just ended, for lack of work
    if ("error" in answer) throw unbuilt(answer.error) ?? Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return answer.rows;
  }
}

function started(): ChildProcess {
  const child = lazyModule("node:child_process").spawn(execPath, ["-e", SOURCE], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "advanced",
    env: {},
    windowsHide: true,
  });
  child.on("error", () => {}); // heard below while it reads; one that nobody hears would end this process
  return child;
}

function answerOf(child: ChildProcess, task: Task, signal: AbortSignal): Promise<Answer | null> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const end = (isReusable: boolean, settle: () => void) => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener("abort", stop);
      child.off("message", onMessage).off("exit", onExit).off("error", onError);
      if (isReusable && child.connected) {
        child.unref();
        child.channel?.unref();
        idle.push(child);
      } else child.kill("SIGKILL");
      settle();
    };
    const stop = () => end(false, () => reject(signal.reason));
    const onError = (cause: Error) => end(false, () => reject(cause));
    const onMessage = (message: unknown) => end(true, () => resolve(message as Answer));
    const onExit = (code: number | null) =>
      code === 0
        ? end(false, () => resolve(null))
        : end(false, () => reject(new HeadgateError("PROBE_FAILED", `the process that reads SQLite ended (${code ?? "killed"})`)));
    signal.addEventListener("abort", stop, { once: true });
    child.on("message", onMessage).on("exit", onExit).on("error", onError);
    if (child.pid === undefined) return; // it could not be started: its error follows
    child.ref();
    child.channel?.ref();
    child.send(task, (error) => {
      if (error !== null && child.exitCode === 0) end(false, () => resolve(null));
      else if (error !== null) end(false, () => reject(error));
    });
  });
}
