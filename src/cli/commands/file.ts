import { existsSync, writeFileSync } from "node:fs";
import { stdout } from "node:process";
import type { Command } from "commander";
import { HeadgateError } from "../../base/errors.js";
import { ConfigError, type ConfigProblem } from "../../config/diagnostic.js";
import { configSchema } from "../../config/json-schema.js";
import { loadConfig } from "../../config/load.js";
import { type MissingPackage, missingPackageLine } from "../../config/missing-packages.js";
import { environmentsOf } from "../../config/read.js";
import { USUAL_FILE } from "../../service/config-source.js";
import { STARTING_FILE } from "../../service/template.js";
import { globalsOf, outputOf } from "../globals.js";
import { EXIT, paint } from "../output.js";

/** Commands about the file itself. */
export function addFile(program: Command): void {
  program
    .command("validate")
    .description("check a configuration in all its environments (or in one: --env)")
    .argument("[file]", "configuration file", USUAL_FILE)
    .action((file: string, _, command: Command) => {
      const output = outputOf(command);
      const { environment } = globalsOf(command);
      const names = environment === undefined ? [...new Set(["development", ...environmentsOf(file)])] : [environment];
      const problems: ConfigProblem[] = [];
      const pipelines: Record<string, number> = {};
      const missing = new Map<string, MissingPackage>();
      for (const name of names) {
        try {
          const config = loadConfig(file, { environment: name });
          pipelines[config.environment] = config.scheduler.pipelines.length;
          for (const one of config.missingPackages) missing.set(missingPackageLine(one), one);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          problems.push(...error.problems.filter((one) => !problems.some((known) => JSON.stringify(known) === JSON.stringify(one))));
        }
      }
      if (problems.length > 0 && !output.isJson) throw new ConfigError(problems);
      if (problems.length > 0) process.exitCode = EXIT.invalid;
      else if (missing.size > 0) process.exitCode = EXIT.unavailable;
      const missing_packages = [...missing.values()];
      output.tell(
        { valid: problems.length === 0, file, environments: Object.keys(pipelines), pipelines, problems, missing_packages },
        () => {
          const counts = Object.entries(pipelines).map(([name, count]) => `${name} (${count} ${count === 1 ? "pipeline" : "pipelines"})`);
          const lines = [...missing.keys()].map((line) => `\n${paint(stdout, "yellow", "missing")}: ${line}`);
          return `${paint(stdout, "green", "valid")}: ${file}: ${counts.join(", ")}${lines.join("")}`;
        },
      );
    });

  program
    .command("schema")
    .description("print the JSON Schema of the configuration, for editors and validators")
    .action(() => {
      stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`);
    });

  program
    .command("init")
    .description("write a commented starter configuration")
    .argument("[file]", "file to write", USUAL_FILE)
    .option("--force", "overwrite an existing file")
    .action((file: string, { force = false }: { force?: boolean }, command: Command) => {
      if (!force && existsSync(file))
        throw new HeadgateError("INVALID_ARGUMENT", `${file} already exists; choose another name, or use --force`);
      writeFileSync(file, STARTING_FILE);
      outputOf(command).tell({ file }, () => `wrote ${file}; next: headgate validate ${file} && headgate serve ${file}`);
    });
}
