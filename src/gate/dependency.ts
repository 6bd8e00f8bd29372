import { quote } from "../base/errors.js";
import { integerBetween, isInteger } from "../base/options.js";
import { shown } from "../base/shown.js";
import { secretParameters } from "./secret-url.js";

/** An external system that must answer before a pipeline runs, as code and the configuration file name it. */
export type ExternalDependency = {
  /** Name in findings. Default: its address. */
  readonly name?: string;
  /** Time it may take, ms. Default 5,000. */
  readonly timeoutMs?: number;
} & (
  | {
      readonly type: "http";
      readonly url: string;
      /** The status it must answer with. Default: any 2xx. */
      readonly status?: number;
    }
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "file"; readonly path: string }
  /** A database: `postgres://…` or `sqlite:path`, and what it must answer with something that is true. Default `SELECT 1`. */
  | { readonly type: "sql"; readonly url: string; readonly query?: string }
);

/**
 * An external system that must answer before a pipeline runs, as it may be set at run time: by its address over HTTP and TCP; a database, a file, and what needs a secret, by the name of a
 * {@link NamedConnection}.
 */
export type RuntimeDependency = {
  /** Name in findings. Default: its address, or the name of its connection. */
  readonly name?: string;
  /** Time it may take, ms. Default 5,000. */
  readonly timeoutMs?: number;
} & (
  | {
      readonly type: "http";
      /** Without secrets: who may read the settings may read it. */
      readonly url: string;
      /** The status it must answer with. Default: any 2xx. */
      readonly status?: number;
    }
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "http" | "file"; readonly connection: string }
  /** `queryName`: one of the connection's `queries`. Default: its `query`. */
  | { readonly type: "sql"; readonly connection: string; readonly queryName?: string }
);

/** An external system that code or the configuration file declares under a name; dependencies set at run time refer to it by that name, and nobody is shown its address. */
export type NamedConnection =
  | {
      readonly type: "sql";
      /** `postgres://…` or `sqlite:path`. The role should have the right to read what the queries read, and no other. */
      readonly url: string;
      /** Query that must return a true value. Default `SELECT 1`. */
      readonly query?: string;
      /** More queries, by the names that `queryName` may be. */
      readonly queries?: Readonly<Record<string, string>>;
      /** Addresses of this machine and of private networks that its name may lead to. Default all: the address is the host's own. */
      readonly allowPrivateNetworks?: boolean | readonly string[];
    }
  | {
      readonly type: "http";
      readonly url: string;
      readonly headers?: Readonly<Record<string, string>>;
      /** The status it must answer with. Default: any 2xx. */
      readonly status?: number;
      /** Addresses of this machine and of private networks that its name may lead to. Default all: the address is the host's own. */
      readonly allowPrivateNetworks?: boolean | readonly string[];
    }
  /** A file that can be read. */
  | { readonly type: "file"; readonly path: string };

/** Connections by name. */
export type NamedConnections = Readonly<Record<string, NamedConnection>>;

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  http: ["url", "status", "connection"],
  tcp: ["host", "port"],
  file: ["connection"],
  sql: ["connection", "queryName"],
};

/** A dependency whose parts may be anything: it comes from outside, or was kept by another version. */
interface Loose {
  readonly type?: unknown;
  readonly name?: unknown;
  readonly timeoutMs?: unknown;
  readonly url?: unknown;
  readonly status?: unknown;
  readonly host?: unknown;
  readonly port?: unknown;
  readonly connection?: unknown;
  readonly queryName?: unknown;
}

const TIMEOUT = { least: 1, most: 60_000 };
const PORT = { least: 1, most: 65_535 };
const STATUS = { least: 100, most: 599 };

/**
 * Returns why a dependency may not be set at run time, and what to do; `null`: it may. The text names connections, and never what they hold.
 *
 * @param isKept - it is set already: an address with a secret, which an earlier version took, is asked
 */
export function dependencyProblem(dependency: RuntimeDependency, connections: NamedConnections, isKept = false): string | null {
  const { type, name, timeoutMs, ...rest }: Loose = dependency;
  const fields = typeof type === "string" && Object.hasOwn(FIELDS, type) ? FIELDS[type] : undefined;
  if (fields === undefined) return `type ${quote(type)} is unknown; allowed: http, tcp, file, sql`;
  if (name !== undefined && (typeof name !== "string" || name === "" || name.length > 100)) return "name must have 1 to 100 characters";
  if (timeoutMs !== undefined && !isInteger(timeoutMs, TIMEOUT)) return `timeoutMs ${integerBetween(TIMEOUT)} (got ${shown(timeoutMs)})`;
  const foreign = Object.keys(rest).find((field) => !fields.includes(field));
  if (foreign !== undefined && (type === "sql" || type === "file")) return undeclared(type, foreign, connections);
  if (foreign !== undefined) return `${quote(foreign)} is not a field of type ${type}; allowed: ${fields.join(", ")}, name, timeoutMs`;
  if (type === "tcp") return tcpProblem(rest);
  if (type === "http" && rest.connection === undefined) return httpProblem(rest, isKept);
  return connectionProblem(String(type), rest, connections);
}

function tcpProblem({ host, port }: Loose): string | null {
  if (typeof host !== "string" || host === "") return "a tcp dependency needs a host";
  return isInteger(port, PORT) ? null : `port ${integerBetween(PORT)} (got ${shown(port)})`;
}

function httpProblem({ url, status }: Loose, isKept: boolean): string | null {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:")
    return "set url to an http or https address, or connection to the name of a connection";
  if (status !== undefined && !isInteger(status, STATUS)) return `status ${integerBetween(STATUS)} (got ${shown(status)})`;
  const secrets = isKept ? [] : secretParameters(parsed);
  if (secrets.length === 0) return null;
  return `the url contains a secret (${secrets.join(", ")}), which everyone with access to the settings could read: ${advice("http")}`;
}

function connectionProblem(type: string, rest: Loose, connections: NamedConnections): string | null {
  const { connection: name, queryName } = rest;
  if (typeof name !== "string" || name === "") return `connection must be the name of a connection; ${declaredOf(type, connections)}`;
  if (rest.url !== undefined || rest.status !== undefined) return "set either url (and status) or connection, not both";
  const connection = Object.hasOwn(connections, name) ? connections[name] : undefined;
  if (connection === undefined) return `no such connection: ${quote(name)}; ${declaredOf(type, connections)}`;
  if (connection.type !== type)
    return `the connection ${quote(name)} is of type ${connection.type}, not ${type}; ${declaredOf(type, connections)}`;
  if (queryName === undefined || connection.type !== "sql") return null;
  const queries = Object.keys(connection.queries ?? {});
  return typeof queryName === "string" && queries.includes(queryName)
    ? null
    : `the connection ${quote(name)} has no query ${quote(queryName)}; available: ${queries.join(", ") || "none"}`;
}

function undeclared(type: string, field: string, connections: NamedConnections): string {
  return `a ${type} dependency that is set at run time cannot have ${quote(field)}: ${advice(type)}; ${declaredOf(type, connections)}`;
}

function advice(type: string): string {
  return `declare it under connections (of createScheduler, or of the configuration file) and name it, such as { "type": "${type}", "connection": "name" }`;
}

function declaredOf(type: string, connections: NamedConnections): string {
  const names = Object.keys(connections).filter((name) => connections[name]?.type === type);
  return `declared for ${type}: ${names.toSorted().join(", ") || "none"}`;
}
