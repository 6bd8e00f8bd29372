import { stderr, stdout } from "node:process";
import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../adapters/clocks/system-clock.js";
import { consoleLogger } from "../adapters/loggers/console-logger.js";
import { jsonLogger } from "../adapters/loggers/json-logger.js";
import { serve } from "../service/serve.js";
import { globalsOf, outputOf } from "./globals.js";
import { EXIT, paint } from "./output.js";

export function addServe(program: Command): void {
  program
    .command("serve")
    .description(
      "run scheduler, HTTP API, trigger files, sensors and alerts from one file; without one, an example on SQLite in this directory",
    )
    .argument("[file]", "the configuration (default: schedule_config.yaml, if it is there)")
    .option("--host <address>", "where to listen, instead of the file's (default 127.0.0.1)")
    .option("--port <number>", "instead of the file's (default 5000)", portOf)
    .option("--no-watch", "do not take over changes of the file")
    .action(async (file: string | undefined, options: { host?: string; port?: number; watch: boolean }, command: Command) => {
      const { isJson } = outputOf(command);
      const service = await serve({
        ...globalsOf(command),
        ...options,
        ...(file === undefined ? {} : { file }),
        logger: ({ logging: { level, format } }) =>
          isJson || (format ?? (stdout.isTTY ? "text" : "json")) === "json"
            ? jsonLogger({ level, clock: systemClock() })
            : consoleLogger({ level }),
        onToken: (token) => stderr.write(`\n${paint(stderr, "green", "An admin token, told only now:")} ${token}\n\n`),
      });
      await ended(() => service.stop());
    });
}

/** Until a signal ends it; a second one does not wait for what is under way. */
function ended(stop: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let isStopping = false;
    const end = () => {
      if (isStopping) process.exit(EXIT.failed);
      isStopping = true;
      stop().then(resolve, reject);
    };
    process.on("SIGTERM", end).on("SIGINT", end);
  });
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("must be a number from 0 to 65535");
  return port;
}
