import { spawn } from "node:child_process";
import { env, kill, platform } from "node:process";
import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Health } from "../../gate/conditions/outside.js";
import { PROBE_OPTIONS, type ProbeOptions, policyOf } from "../../gate/probe.js";
import type { Probe } from "../../ports/probe.js";

/** Options of {@link commandProbe}. */
export interface CommandProbeOptions extends ProbeOptions {
  /** A program; no shell reads it. */
  command: string;
  /** Its arguments. Default none. */
  args?: readonly string[];
  /** Environment variables in addition to PATH, HOME, LANG and TZ. Default none. */
  env?: Readonly<Record<string, string>>;
  /** The directory that it runs in. Default: this process's. */
  cwd?: string;
}

const KEPT = ["PATH", "HOME", "LANG", "TZ", "SystemRoot"];

/**
 * Returns true if a program ends well (exit code 0). What it writes is not looked at, since it may hold secrets. With its timeout it is killed, and what it has started.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * healthy({ probes: [commandProbe({ command: "pg_isready", args: ["-h", "db.example"] })] });
 */
export function commandProbe(options: CommandProbeOptions): Probe<Health> {
  checkOptions(options, { ...PROBE_OPTIONS, command: true, args: true, env: true, cwd: true }, "commandProbe");
  const { command, args = [], cwd } = options;
  if (typeof command !== "string" || command === "" || command.includes("\0"))
    throw new HeadgateError("INVALID_ARGUMENT", "commandProbe: command must be the path or name of a program");
  if (!Array.isArray(args) || args.some((one) => typeof one !== "string" || one.includes("\0")))
    throw new HeadgateError("INVALID_ARGUMENT", "commandProbe: args must be an array of strings");
  const environment = Object.fromEntries(KEPT.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  return {
    name: options.name ?? `command ${JSON.stringify([command, ...args])}`.slice(0, 300),
    ...policyOf(options, "commandProbe"),
    measure: ({ signal }) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const isGroup = platform !== "win32";
        const child = spawn(command, args, {
          stdio: "ignore",
          detached: isGroup, // its own process group, so that all of it can be killed
          env: { ...environment, ...options.env },
          ...(cwd === undefined ? {} : { cwd }),
        });
        const stop = () => {
          reject(signal.reason);
          if (child.pid === undefined) return;
          try {
            if (isGroup) kill(-child.pid, "SIGKILL");
            else child.kill("SIGKILL");
          } catch {
            // it has ended meanwhile
          }
        };
        signal.addEventListener("abort", stop, { once: true });
        child.on("error", (cause: NodeJS.ErrnoException) =>
          reject(new HeadgateError("PROBE_FAILED", `cannot be started (${cause.code ?? cause.message})`, { cause })),
        );
        child.once("close", (code, killedBy) => {
          signal.removeEventListener("abort", stop);
          const reason = code === null ? `was killed by ${killedBy}` : `exited with ${code}`;
          resolve({ isHealthy: code === 0, reason, evidence: { exit_code: code } });
        });
      }),
  };
}
