import { stderr, stdout } from "node:process";
import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../adapters/clocks/system-clock.js";
import { consoleLogger } from "../../adapters/loggers/console-logger.js";
import { jsonLogger } from "../../adapters/loggers/json-logger.js";
import { HeadgateError } from "../../base/errors.js";
import { serve } from "../../service/serve.js";
import { globalsOf, outputOf } from "../globals.js";
import { EXIT, paint } from "../output.js";
import { whenNpxIsGone } from "../parent.js";

export function addServe(program: Command): void {
  program
    .command("serve")
    .description(
      "run the scheduler, HTTP API, trigger files, sensors and alerts from one configuration file; without one, run an example with SQLite in this directory",
    )
    .argument("[file]", "configuration file (default: schedule_config.yaml, if it exists)")
    .option("--host <address>", "address to listen on, overriding the file (default: 127.0.0.1)")
    .option("--port <number>", "port to listen on, overriding the file (default: 5000)", portOf)
    .option("--no-watch", "do not apply changes to the file while running")
    .action(async (file: string | undefined, options: { host?: string; port?: number; watch: boolean }, command: Command) => {
      const { isJson } = outputOf(command);
      const signals = endSignals();
      const starting = serve({
        signal: signals.first,
        ...globalsOf(command),
        ...options,
        ...(file === undefined ? {} : { file }),
        logger: ({ logging: { level, format } }) =>
          isJson || (format ?? (stdout.isTTY ? "text" : "json")) === "json"
            ? jsonLogger({ level, clock: systemClock() })
            : consoleLogger({ level, clock: systemClock() }),
        onToken: (token) => stderr.write(`\n${paint(stderr, "green", "An admin token, shown only once:")} ${token}\n\n`),
      });
      const service = await starting.catch((error: unknown) => {
        if (signals.first.aborted && error instanceof HeadgateError && error.code === "SCHEDULER_STOPPED") return null; // as it was asked to
        throw error;
      });
      if (service === null) return;
      if (!signals.first.aborted)
        await new Promise<void>((resolve) => signals.first.addEventListener("abort", () => resolve(), { once: true }));
      await service.stop();
    });
}

/** Aborts with the first SIGTERM or SIGINT, or when the `npx` that started it is gone, which is heeded from here on, also while it starts; a second one does not wait for what is running. */
function endSignals(): { readonly first: AbortSignal } {
  const controller = new AbortController();
  const end = () => {
    if (controller.signal.aborted) process.exit(EXIT.failed);
    controller.abort();
  };
  process.on("SIGTERM", end).on("SIGINT", end);
  whenNpxIsGone(() => {
    if (!controller.signal.aborted) end();
  });
  return { first: controller.signal };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("must be a number from 0 to 65535");
  return port;
}
