import { type Command, InvalidArgumentError } from "commander";
import { HeadgateError } from "../base/errors.js";
import { integerBetween } from "../base/options.js";
import { Output } from "./output.js";

/** Returns the options that every command accepts. */
export function globalsOf(command: Command): { environment?: string } {
  const { env } = command.optsWithGlobals<{ env?: string }>();
  return env === undefined ? {} : { environment: env };
}

export function outputOf(command: Command): Output {
  return new Output(command.optsWithGlobals<{ json?: boolean }>().json === true);
}

export function wholeOf(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) < 1) throw new InvalidArgumentError(integerBetween({ least: 1 }));
  return Number(text);
}

/** @throws HeadgateError `UNKNOWN_PIPELINE` */
export function checkPipeline(id: string | undefined, pipelines: readonly { readonly id: string }[]): void {
  if (id === undefined || pipelines.some((one) => one.id === id)) return;
  throw new HeadgateError(
    "UNKNOWN_PIPELINE",
    `no such pipeline: ${JSON.stringify(id)}; available: ${pipelines.map((one) => one.id).join(", ")}`,
  );
}
