import { HeadgateError, quote } from "../../base/errors.js";

/** Parts of the url of a PostgreSQL database, checked: all that a client is configured with. */
export interface PostgresTarget {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** `null`: none, and none is looked for elsewhere. */
  readonly password: string | null;
  /** `null`: the connection is not encrypted. */
  readonly tls: { readonly rejectUnauthorized: boolean } | null;
  /** The search path; `null`: the role's own. */
  readonly schema: string | null;
}

const PARAMETERS = ["schema", "sslmode"];
const TLS: Readonly<Record<string, PostgresTarget["tls"]>> = {
  disable: null,
  "no-verify": { rejectUnauthorized: false },
  require: { rejectUnauthorized: true },
  "verify-ca": { rejectUnauthorized: true },
  "verify-full": { rejectUnauthorized: true },
};

/**
 * Returns the parts of `postgres://user:password@host:port/database?schema=…&sslmode=…`. Everything else that a driver would take from a url (`host`, `options`, `sslrootcert`, …) is refused: it can lead
 * elsewhere than the url seems to, read files, or undo what protects the database.
 *
 * @param allowsSocket - whether the host may be the directory of a Unix socket (`postgres://user@%2Fvar%2Frun%2Fpostgresql/database`)
 * @throws HeadgateError `INVALID_ARGUMENT`; no message quotes the url
 */
export function postgresTarget(url: string, allowsSocket: boolean, where: string): PostgresTarget {
  const bad = (problem: string) => new HeadgateError("INVALID_ARGUMENT", `${where}: url: ${problem}`);
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url)) throw bad("must be one such as postgres://user@host/database");
  const parsed = new URL(url);
  const decoded = (text: string, part: string) => {
    try {
      const value = decodeURIComponent(text);
      if (!value.includes("\0")) return value;
    } catch {
      // the same as for a NUL
    }
    throw bad(`the ${part} is not valid percent-encoding`);
  };
  if (parsed.hash !== "") throw bad("write # as %23");
  const user = decoded(parsed.username, "user");
  if (user === "") throw bad("name the user: postgres://user@host/database");
  const database = decoded(parsed.pathname.replace(/^\//, ""), "database");
  if (database.includes("/")) throw bad("has a path of several parts; the database is one name");
  for (const [name] of parsed.searchParams) {
    if (!PARAMETERS.includes(name)) throw bad(`the parameter ${quote(name)} is not allowed; allowed: ${PARAMETERS.join(", ")}`);
    if (parsed.searchParams.getAll(name).length > 1) throw bad(`the parameter ${name} appears twice`);
  }
  const mode = parsed.searchParams.get("sslmode") ?? "disable";
  const tls = Object.hasOwn(TLS, mode) ? TLS[mode] : undefined;
  if (tls === undefined) throw bad(`sslmode ${quote(mode)} is unknown; allowed: ${Object.keys(TLS).join(", ")}`);
  const schema = parsed.searchParams.get("schema");
  if (schema !== null && !/^[^\0"]{1,63}$/.test(schema)) throw bad(`schema ${quote(schema)} is not a name`);
  return {
    host: hostOf(parsed, decoded, allowsSocket, bad),
    port: parsed.port === "" ? 5432 : Number(parsed.port),
    database: database === "" ? user : database,
    user,
    password: parsed.password === "" ? null : decoded(parsed.password, "password"),
    tls,
    schema,
  };
}

function hostOf(
  { hostname }: URL,
  decoded: (text: string, part: string) => string,
  allowsSocket: boolean,
  bad: (problem: string) => HeadgateError,
): string {
  const host = decoded(hostname, "host").replace(/^\[|\]$/g, "");
  if (host === "") throw bad("name the host: postgres://user@host/database");
  if (host.startsWith("/")) {
    if (allowsSocket) return host;
    throw bad("is a Unix socket, which requires allowPrivateNetworks: true");
  }
  if (/^[A-Za-z0-9._:-]{1,253}$/.test(host)) return host;
  throw bad(`the host ${quote(host)} is neither a name nor an address`);
}
