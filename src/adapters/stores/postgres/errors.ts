import { HeadgateError } from "../../../base/errors.js";

const CONNECTION = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "ENOENT", "EHOSTUNREACH"]);

/** PostgreSQL's errors as ours; what is not known stays what it is. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function translate(error: unknown): unknown {
  if (error instanceof HeadgateError || !(error instanceof Error)) return error;
  const { code = "" } = error as { code?: string };
  const as = (ours: ConstructorParameters<typeof HeadgateError>[0], advice: string) =>
    new HeadgateError(ours, `postgresStore: ${error.message}; ${advice}`, { cause: error, details: { code } });
  if (code === "53100") return as("STORE_FULL", "make room on the server's disk");
  if (code === "25006") return as("STORE_READ_ONLY", "connect to the primary, or let it accept writes");
  if (code === "42501") return as("STORE_READ_ONLY", "grant this role what it needs on the schema");
  if (/^28/.test(code) || code === "3D000") return as("STORE_UNAVAILABLE", "check the user, the password and the database of its address");
  if (
    /^(08|53|57P)/.test(code) ||
    CONNECTION.has(code) ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/i.test(error.message)
  ) {
    return as("STORE_UNAVAILABLE", "is the server up, and does it have connections left?");
  }
  return error;
}

/** Two transactions met; the same one, tried again, goes through. */
export function isCollision(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === "40001" || code === "40P01";
}
