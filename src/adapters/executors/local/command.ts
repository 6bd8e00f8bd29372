import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { env, kill, platform } from "node:process";
import type { Readable, Writable } from "node:stream";
import PQueue from "p-queue";
import { HeadgateError, NonRetryableError } from "../../../base/errors.js";
import { checkInteger, checkOptions, invalidArgument } from "../../../base/options.js";
import type { LocalExecutor, RunControl, RunRequest } from "../../../ports/executor.js";
import type { PrintedOutput } from "../../../run/run.js";
import { secretsOfNamed } from "../../../run/secret-forms.js";
import { triggerView } from "../../../trigger/view.js";
import { jsonProblemOf } from "../../shared/json-syntax.js";
import { Watchdog } from "./watchdog.js";

/** The run that a command executes. */
export interface CommandRun {
  readonly runId: string;
  readonly pipelineId: string;
  readonly attempt: number;
  readonly scheduledFor: Date | null;
  /** The span of time that it is for; `null` when nothing was scheduled. */
  readonly interval: { readonly start: Date; readonly end: Date } | null;
  readonly parameters: unknown;
}

/** Options of {@link commandExecutor}. */
export interface CommandExecutorOptions {
  /** A program; no shell reads it. */
  command: string;
  /** Its arguments, or a function that makes them of the run. Default none. */
  args?: readonly string[] | ((run: CommandRun) => readonly string[]);
  /** The directory that it runs in. Default: this process's. */
  cwd?: string;
  /** Variables of this process that are passed on in its environment. Default PATH, HOME, LANG and TZ. */
  envFrom?: readonly string[];
  /** Variables of its own. Their values, and those of `envFrom`, are kept out of outputs, errors and logs, if they have 6 characters or more and are no usual words. It also finds HEADGATE_RUN_ID, HEADGATE_PIPELINE, HEADGATE_ATTEMPT, and of a fire time HEADGATE_SCHEDULED_FOR, HEADGATE_INTERVAL_START and HEADGATE_INTERVAL_END. Default none. */
  env?: Readonly<Record<string, string>>;
  /** Bytes kept of the end of each of its two outputs when it succeeds. Default 16 KiB; 45,000 at most. Of one that fails, is cancelled or timed out the first 300 and last 1,000 bytes of stdout and the first 500 and last 2,000 of stderr are kept with the attempt, as `error.output`. */
  outputLimit?: number;
  /** The run's output: `"text"`, `{ exit_code, stdout, stderr }`; or `"json"`, what it writes to stdout, which must be JSON. Default `"text"`. */
  output?: "text" | "json";
  /** Exit codes after which it is not tried again. Default none. */
  finalExitCodes?: readonly number[];
  /** Programs at once. Default: as many as there are processors. */
  concurrency?: number;
}

const KEPT = ["PATH", "HOME", "LANG", "TZ", "SystemRoot"];
const DEFAULT_LIMIT = 16_384;
const LARGEST_LIMIT = 45_000;
/** Bytes that are kept of the outputs of a program that failed. Together with the message they fit into what lists of runs show. */
const SHOWN = { stdout: { first: 300, last: 1_000 }, stderr: { first: 500, last: 2_000 } };
const BEGINNING = 500;
/** Bytes of a stream's end that are held while a program runs, so that a short output is held as a whole. */
const LEAST_HELD = 2_500;

/**
 * Runs a program for each run, which gets the parameters as JSON on its standard input. Exit code 0 is success. On timeout or cancellation its whole process group gets SIGTERM, and SIGKILL when half the grace has passed; when
 * this process dies, however, a watchdog does the same.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 * @example
 * pipeline({ id: "dbt", schedule: cron("0 3 * * *"), executor: commandExecutor({ command: "dbt", args: ["build"], cwd: "/srv/dbt", envFrom: ["PATH", "DBT_PROFILES_DIR"] }) });
 */
export function commandExecutor(options: CommandExecutorOptions): LocalExecutor {
  checkOptions(
    options,
    {
      command: true,
      args: true,
      cwd: true,
      envFrom: true,
      env: true,
      outputLimit: true,
      output: true,
      finalExitCodes: true,
      concurrency: true,
    },
    "commandExecutor",
  );
  const { command, concurrency = Math.max(1, cpus().length), outputLimit = DEFAULT_LIMIT, output = "text" } = options;
  if (typeof command !== "string" || command === "" || command.includes("\0")) throw bad("command: must be the path or name of a program");
  if (/\s[-|>&;]/.test(command))
    throw bad(
      `command: ${JSON.stringify(command.slice(0, 60))} looks like a shell command line; pass the program alone, and its arguments as args`,
    );
  if (typeof options.args !== "function") checkArgs(options.args ?? []);
  checkInteger(concurrency, { least: 1 }, "concurrency", invalidArgument("commandExecutor"));
  checkInteger(outputLimit, { least: 1, most: LARGEST_LIMIT }, "outputLimit", invalidArgument("commandExecutor"));
  if (output !== "text" && output !== "json") throw bad("output must be text or json");
  const queue = new PQueue({ concurrency });
  const watchdog = new Watchdog();
  return {
    kind: "local",
    secrets: secretsOfNamed({ ...Object.fromEntries((options.envFrom ?? []).map((name) => [name, env[name]])), ...options.env }),
    concurrency,
    execute: (run, control) => queue.add(() => carriedOut(run, control, options, outputLimit, watchdog)),
    close: async () => watchdog.close(),
  };
}

async function carriedOut(
  run: RunRequest,
  control: RunControl,
  options: CommandExecutorOptions,
  limit: number,
  watchdog: Watchdog,
): Promise<unknown> {
  const parameters = await run.parameters();
  const { runId, pipelineId, attempt, trigger } = run;
  const scheduledFor = trigger.scheduledFor === null ? null : new Date(trigger.scheduledFor);
  const { interval } = triggerView(trigger);
  const { args = [] } = options;
  const made = typeof args === "function" ? args({ runId, pipelineId, attempt, scheduledFor, interval, parameters }) : args;
  checkArgs(made);
  control.signal.throwIfAborted();
  const from = options.envFrom ?? KEPT;
  const environment = Object.fromEntries(from.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  const about = {
    HEADGATE_RUN_ID: runId,
    HEADGATE_PIPELINE: pipelineId,
    HEADGATE_ATTEMPT: String(attempt),
    ...(scheduledFor === null ? {} : { HEADGATE_SCHEDULED_FOR: scheduledFor.toISOString() }),
    ...(interval === null
      ? {}
      : { HEADGATE_INTERVAL_START: interval.start.toISOString(), HEADGATE_INTERVAL_END: interval.end.toISOString() }),
  };
  const child = spawn(options.command, made, {
    stdio: ["pipe", "pipe", "pipe"],
    detached: platform !== "win32", // its own process group, so that all of it can be ended
    env: { ...environment, ...about, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const { pid } = child;
  if (pid === undefined) throw await notStarted(child, options);
  try {
    watchdog.add(pid);
    return resultOf(await ended(child, JSON.stringify(parameters), control, limit), options);
  } finally {
    watchdog.remove(pid);
  }
}

/** Says why a program could not be started. Without file descriptors it has none of its streams. */
async function notStarted(child: Child, { command, cwd }: CommandExecutorOptions): Promise<HeadgateError> {
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as Writable | Readable | undefined)?.on("error", () => {});
  const [cause] = (await once(child, "spawn").catch((error: unknown) => [error])) as [NodeJS.ErrnoException];
  const code = cause.code ?? cause.message;
  const where = cwd === undefined ? "" : ` in ${cwd}`;
  return new HeadgateError("COMMAND_FAILED", `${command} cannot be started${where} (${code})${adviceFor(code, command, cwd)}`, { cause });
}

function adviceFor(code: string, command: string, cwd: string | undefined): string {
  if (cwd !== undefined && !existsSync(cwd)) return ": the directory (cwd) does not exist";
  if (code === "ENOENT") return command.includes("/") ? ": no such file" : ": not found in the PATH of the service";
  return code === "EACCES" ? ": it is not executable" : "";
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  /** As it was written, for what must be JSON. */
  readonly json: string;
  /** Without secrets, as everything that is cut short must be. */
  readonly stdout: string;
  readonly stderr: string;
  /** The beginning and the end of both, for when it failed. */
  readonly printed: PrintedOutput;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function ended(child: Child, input: string, control: RunControl, limit: number): Promise<Ended> {
  const { clock, graceMs } = control;
  return new Promise((resolve, reject) => {
    const [stdout, stderr] = [new Tail(child.stdout, limit), new Tail(child.stderr, limit)];
    const printed = () => ({ stdout: stdout.ends(SHOWN.stdout, control.redact), stderr: stderr.ends(SHOWN.stderr, control.redact) });
    const timers: (() => void)[] = [];
    const settle = (end: () => void) => {
      for (const stop of timers) stop();
      end();
    };
    control.onAbort(() => {
      signalGroup(child, "SIGTERM");
      timers.push(clock.setTimer(graceMs / 2, () => signalGroup(child, "SIGKILL")));
      timers.push(
        clock.setTimer(graceMs, () => {
          const problem = `program ${child.pid} had not exited ${graceMs} ms after it was asked to`;
          settle(() => reject(new HeadgateError("RUN_UNRESPONSIVE", problem, { cause: control.signal.reason, details: printed() })));
        }),
      );
    });
    child.on("error", (cause) =>
      settle(() => reject(new HeadgateError("COMMAND_FAILED", `was interrupted (${cause.message})`, { cause }))),
    );
    child.once("exit", () => signalGroup(child, "SIGKILL")); // what it has left behind, if anything
    child.once("close", (code, signal) =>
      settle(() =>
        resolve({
          code,
          signal,
          json: stdout.text(),
          stdout: stdout.text(control.redact),
          stderr: stderr.text(control.redact),
          printed: printed(),
        }),
      ),
    );
    child.stdin.on("error", () => {}); // a program need not read its input
    child.stdin.end(input);
  });
}

function signalGroup({ pid }: Child, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    kill(platform === "win32" ? pid : -pid, signal);
  } catch {
    // all of it has ended
  }
}

/** The end of what a stream brings, and its beginning. */
class Tail {
  readonly #limit: number;
  #beginning: Buffer = Buffer.alloc(0);
  #total = 0;
  #chunks: Buffer[] = [];
  #size = 0;
  #dropped = 0;

  constructor(stream: Readable, limit: number) {
    this.#limit = limit;
    stream.on("data", (chunk: Buffer) => this.#add(chunk));
    stream.on("error", () => {}); // the rest of it is lost; how the program ended says its exit
  }

  text(redact?: RunControl["redact"]): string {
    const all = Buffer.concat(this.#chunks);
    const start = characterFrom(all, Math.max(0, all.length - this.#limit));
    const dropped = this.#dropped + start;
    const kept = all.subarray(start).toString("utf8");
    const text = redact === undefined ? kept : redact(kept, dropped > 0 ? "start" : undefined);
    return `${dropped > 0 ? `… (${dropped} bytes before this)\n` : ""}${text}`;
  }

  /** All of it if it is short, else its beginning and its end. */
  ends({ first, last }: { readonly first: number; readonly last: number }, redact: RunControl["redact"]): string {
    const all = Buffer.concat(this.#chunks);
    if (this.#total <= first + last) return redact(all.toString("utf8"));
    const start = characterFrom(all, Math.max(0, all.length - last));
    const head = this.#beginning.subarray(0, characterUntil(this.#beginning, first));
    const left = this.#total - head.length - (all.length - start);
    const [beginning, end] = [redact(head.toString("utf8"), "end"), redact(all.subarray(start).toString("utf8"), "start")];
    return `${beginning}\n… (${left} bytes omitted)\n${end}`;
  }

  #add(chunk: Buffer): void {
    this.#total += chunk.length;
    if (this.#beginning.length < BEGINNING)
      this.#beginning = Buffer.concat([this.#beginning, chunk.subarray(0, BEGINNING - this.#beginning.length)]);
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#chunks.length > 1 && this.#size - (this.#chunks[0] as Buffer).length >= Math.max(this.#limit, LEAST_HELD)) {
      const first = this.#chunks.shift() as Buffer;
      this.#size -= first.length;
      this.#dropped += first.length;
    }
  }
}

/** The first position from one on that is not within a character. */
function characterFrom(bytes: Buffer, from: number): number {
  let at = from;
  while (at > 0 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return at;
}

/** The last position up to one that is not within a character. */
function characterUntil(bytes: Buffer, until: number): number {
  let at = Math.min(until, bytes.length);
  while (at > 0 && at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--;
  return at;
}

function resultOf(
  { code, signal, json, stdout, stderr, printed }: Ended,
  { output = "text", finalExitCodes = [] }: CommandExecutorOptions,
): unknown {
  if (code !== 0) {
    const why = (stderr.trim() || stdout.trim()).split("\n").slice(-3).join("\n").slice(-500);
    const message = `${code === null ? `was killed by ${signal}` : `exited with ${code}`}${why === "" ? "" : `: ${why}`}`;
    const details = { exitCode: code, ...printed };
    throw code !== null && finalExitCodes.includes(code)
      ? Object.assign(new NonRetryableError(message), { details })
      : new HeadgateError("COMMAND_FAILED", message, { details });
  }
  if (output === "text") return { exit_code: 0, stdout, stderr };
  try {
    return JSON.parse(json);
  } catch {
    throw new HeadgateError("COMMAND_FAILED", `succeeded, but its output is not JSON: ${jsonProblemOf(json)}`, { details: { ...printed } });
  }
}

function checkArgs(args: readonly string[]): void {
  if (!Array.isArray(args) || args.some((one) => typeof one !== "string" || one.includes("\0")))
    throw bad("args must be an array of strings");
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `commandExecutor: ${problem}`);
}
