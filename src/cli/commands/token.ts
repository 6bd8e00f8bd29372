import { stdout } from "node:process";
import type { Command } from "commander";
import { consoleLogger } from "../../adapters/loggers/console-logger.js";
import { createScheduler } from "../../entry/create-scheduler.js";
import type { Role } from "../../ports/scheduler-api/tokens.js";
import { loadedFor } from "../../service/config-source.js";
import { globalsOf, outputOf } from "../globals.js";
import { paint } from "../output.js";

interface TokenFlags {
  readonly role: Role;
  readonly pipeline?: readonly string[];
  readonly expiresIn?: string;
  readonly description?: string;
  readonly user?: string;
  readonly actsForOthers?: boolean;
  readonly file?: string;
}

/** Tokens, in the store of the configuration: they count at once, on all nodes. */
export function addToken(program: Command): void {
  const token = program.command("token").description("manage tokens for the HTTP API");
  token
    .command("create")
    .description("create a token; its secret is shown once")
    .requiredOption("--role <role>", "viewer, operator or admin")
    .option("--pipeline <id...>", "limit the token to these pipelines")
    .option("--expires-in <duration>", "lifetime, such as 90d (default: never expires)")
    .option("--description <text>", "purpose of the token")
    .option("--user <name>", "user name recorded for its holder (default: the token's id)")
    .option("--acts-for-others", "let its holder act as any user, named in the field user of requests")
    .option("--file <path>", "configuration file (default: schedule_config.yaml, if it exists)")
    .action(async ({ role, pipeline, expiresIn, description, user, actsForOthers, file }: TokenFlags, command: Command) => {
      const { config } = loadedFor({ ...globalsOf(command), ...(file === undefined ? {} : { file }) });
      const scheduler = createScheduler({ ...config.scheduler, logger: consoleLogger({ level: "warn" }) }); // standard output is the answer's
      const { store } = config.scheduler;
      await store?.open();
      try {
        await scheduler.audit.open();
        const made = await scheduler.tokens.issue({
          role,
          createdBy: "headgate token create",
          actsForOthers: actsForOthers === true,
          ...(user === undefined ? {} : { user }),
          ...(pipeline === undefined ? {} : { pipelines: pipeline }),
          ...(expiresIn === undefined ? {} : { expiresIn }),
          ...(description === undefined ? {} : { description }),
        });
        outputOf(command).tell(made, () => `${made.token}\n${paint(stdout, "dim", `${made.role} ${made.id}; it will not be shown again`)}`);
      } finally {
        await store?.close();
      }
    });
  for (const one of token.commands) one.exitOverride();
}
