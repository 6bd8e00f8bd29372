export type LogLevel = "debug" | "info" | "warn" | "error";

/** The port for logs: structured, never a secret among the fields. Must not throw; what it throws is dropped. */
export interface Logger {
  log(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void;
}
