#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { argv, exit, stderr, stdout } from "node:process";
import { Command, CommanderError } from "commander";
import { addAsking } from "./commands/asking.js";
import { addFile } from "./commands/file.js";
import { addServe } from "./commands/serve.js";
import { addSimulate } from "./commands/simulate.js";
import { addToken } from "./commands/token.js";
import { EXIT, Output } from "./output.js";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

const program = new Command("headgate")
  .description("Decides when data pipelines run, and can always say why.")
  .version(version)
  .option("--json", "print results and errors as JSON")
  .option("--env <name>", "environment in the configuration file (default: HEADGATE_ENV, else NODE_ENV)")
  .showHelpAfterError("(run headgate --help for usage)")
  .addHelpText(
    "after",
    `
Exit codes: ${EXIT.ok} success; ${EXIT.failed} unexpected error; ${EXIT.invalid} invalid command or configuration; ${EXIT.unavailable} the store, the port or a package is unavailable.
Environment variables: PIPELINE_API_TOKEN (admin token), DATABASE_URL (the store), REDIS_URL, AIRFLOW_BASE_URL (executors), HEADGATE_ENV, NO_COLOR.`,
  )
  .exitOverride();

addServe(program);
addFile(program);
addAsking(program);
addSimulate(program);
addToken(program);
for (const command of program.commands) command.exitOverride();

for (const stream of [stdout, stderr]) {
  stream.on("error", ({ code }: NodeJS.ErrnoException) => {
    if (code !== "EPIPE") process.exitCode = EXIT.failed; // what was printed is lost, as on a full disk: no more reason for a service to end than a reader who has gone
  });
}

try {
  await program.parseAsync(argv);
} catch (error) {
  if (error instanceof CommanderError) exit(error.exitCode === 0 ? EXIT.ok : EXIT.invalid);
  exit(new Output(argv.includes("--json")).fail(error));
}
