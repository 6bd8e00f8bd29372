import { stderr, stdout } from "node:process";
import { styleText } from "node:util";
import { HeadgateError } from "../base/errors.js";
import { ConfigError } from "../config/diagnostic.js";

/** Exit codes of commands. */
export const EXIT = {
  /** It did what was asked. */
  ok: 0,
  /** Something went wrong that should not: a bug, or a machine in trouble. */
  failed: 1,
  /** Invalid arguments or configuration. */
  invalid: 2,
  /** Something that it needs cannot be reached or used: the store, the port, a package. */
  unavailable: 3,
} as const;

/** Says what a command has to say: for people, or (with `--json`) as one JSON value. */
export class Output {
  readonly isJson: boolean;

  constructor(isJson: boolean) {
    this.isJson = isJson;
  }

  /** The result. */
  tell(value: unknown, text: () => string): void {
    stdout.write(`${this.isJson ? JSON.stringify(value, null, 2) : text()}\n`);
  }

  /** An error, on standard error; gives the exit code. */
  fail(error: unknown): number {
    const code = codeOf(error);
    if (this.isJson) stderr.write(`${JSON.stringify({ error: shapeOf(error) }, null, 2)}\n`);
    else if (error instanceof HeadgateError) stderr.write(`${paint(stderr, "red", "error")}: ${error.message}\n`);
    else stderr.write(`${paint(stderr, "red", "error")}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return code;
  }
}

/** Colour for terminals only, and for nobody who has set NO_COLOR. @see https://no-color.org */
export function paint(
  stream: { readonly isTTY?: boolean },
  colour: "red" | "green" | "yellow" | "cyan" | "dim" | "bold",
  text: string,
): string {
  return stream.isTTY === true && !process.env.NO_COLOR ? styleText(colour, text) : text;
}

/** Columns, each as wide as its widest cell. */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd();
  return [paint(stdout, "bold", line(head)), ...rows.map(line)].join("\n");
}

function codeOf(error: unknown): number {
  if (!(error instanceof HeadgateError)) return EXIT.failed;
  if (error.code.startsWith("STORE_") || error.code === "MISSING_PEER" || error.code === "PORT_UNAVAILABLE") return EXIT.unavailable;
  return EXIT.invalid;
}

function shapeOf(error: unknown): object {
  if (error instanceof ConfigError) return { code: error.code, message: error.message, problems: error.problems };
  if (error instanceof HeadgateError) return { code: error.code, message: error.message };
  return { code: "FAILED", message: error instanceof Error ? error.message : String(error) };
}
