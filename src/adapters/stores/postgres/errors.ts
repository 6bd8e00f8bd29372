import { HeadgateError, isError } from "../../../base/errors.js";

/** Errors of the network and of this process's own limits: the server has not answered, and may answer the next time. */
const NETWORK = new Set(
  (
    "EACCES EADDRINUSE EADDRNOTAVAIL EAI_AGAIN EAI_FAIL ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH EMFILE ENETDOWN ENETRESET " +
    "ENETUNREACH ENFILE ENOBUFS ENOENT ENOTCONN ENOTFOUND EPIPE ESHUTDOWN ETIMEDOUT"
  ).split(" "),
);

/** Errors that `pg` itself raises without a code. */
const DRIVER =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Query read timeout|Cannot use a pool after calling end/i;

/**
 * Classes and codes of errors that are not about the data of a statement: connection (08), transaction rollback (40), resources (53), intervention of an operator, also a
 * cancelled statement or a timeout (57), the system (58), internal (XX); a transaction that idled too long, a lock that was not granted in time, and prepared
 * statements that a pooler has lost or that a migration has outdated.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const PASSING = /^(?:08|40|53|57|58|XX)|^(?:25P02|25P03|25P04|55P03|26000|42P05)$/;

/** Classes of errors that come back however often the same data is sent: data (22), constraints (23), program limits (54). */
const ABOUT_DATA = /^(?:22|23|54)/;

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^57014$/, "a statement was cancelled or took too long; check whether the server is overloaded"],
  [/^(?:25P0[234]|55P03)$/, "a transaction waited too long; check whether the server is overloaded or another session holds a lock"],
  [
    /^(?:26000|42P05)$/,
    "prepared statements are lost between transactions; connect to the server directly, or to a pooler in session mode",
  ],
  [/^(?:58|XX)/, "see the server's log"],
];

/** PostgreSQL's errors as ours; what is not known stays what it is. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export function translate(error: unknown): unknown {
  if (error instanceof HeadgateError || !isError(error)) return error;
  const { code = "" } = error as { code?: string };
  const as = (ours: ConstructorParameters<typeof HeadgateError>[0], advice: string) =>
    new HeadgateError(ours, `postgresStore: ${error.message}; ${advice}`, { cause: error, details: { code } });
  if (code === "53100") return as("STORE_FULL", "free space on the server's disk");
  if (code === "25006") return as("STORE_READ_ONLY", "connect to the primary, or let it accept writes");
  if (code === "42501") return as("STORE_READ_ONLY", "grant this role the privileges that it needs on the schema");
  if (/^28/.test(code) || code === "3D000") return as("STORE_UNAVAILABLE", "check the user, password and database in its url");
  const isPassing = PASSING.test(code) || NETWORK.has(code) || DRIVER.test(error.message) || isOutdatedPlan(error);
  if (isPassing) {
    const [, advice] = ADVICE.find(([pattern]) => pattern.test(code)) ?? [];
    return as("STORE_UNAVAILABLE", advice ?? "check that the server is up and has free connections");
  }
  if (ABOUT_DATA.test(code)) return as("STORE_REJECTED", "the database rejected this data");
  return error;
}

/** "cached plan must not change result type": the tables were migrated while a statement was prepared. */
function isOutdatedPlan(error: Error): boolean {
  return (error as { code?: string }).code === "0A000" && /cached plan/i.test(error.message);
}

/** Two transactions met; the same one, tried again, goes through. */
export function isCollision(error: unknown): boolean {
  const { code, details } = error as { code?: string; details?: { code?: unknown } };
  return ["40001", "40P01"].includes(String(details?.code ?? code));
}
