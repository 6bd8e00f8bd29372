import { checkConnection, connectionProbe } from "../../adapters/probes/connections.js";
import type { Health } from "../../gate/conditions/outside.js";
import type { NamedConnection, NamedConnections } from "../../gate/dependency.js";
import type { Probe } from "../../ports/probe.js";
import type { Path } from "../diagnostic.js";
import type { DependencyConfig } from "../schema/conditions.js";
import type { ConnectionConfig } from "../schema/connections.js";
import type { BuildContext } from "./context.js";

/** Returns the connections of the file, by name; those that cannot be made are problems. */
export function connectionsOf(context: BuildContext): NamedConnections {
  const entries = Object.entries(context.config.connections ?? {}).flatMap(([name, config]) => {
    const path = ["connections", name];
    const connection = connectionOf(context, path, config);
    const made = context.make(path, () => {
      checkConnection(name, connection, "file");
      return connection;
    });
    return made === undefined ? [] : [[name, made] as const];
  });
  return Object.fromEntries(entries);
}

/** Returns the probe of a dependency that names a connection; `undefined` when there is no such one, which is a problem. */
export function probeOfConnection(
  context: BuildContext,
  path: Path,
  { type, connection: name = "", query_name: queryName, name: own, timeout_ms: timeoutMs }: DependencyConfig,
): Probe<Health> | undefined {
  if (!context.checkName([...path, "connection"], "connection", name, context.names("connections"))) return undefined;
  const connection = context.connections[name];
  if (connection === undefined) return undefined; // it is a problem of its own
  if (connection.type !== type) {
    context.refuse([...path, "connection"], `the connection ${name} has the type ${connection.type}`);
    return undefined;
  }
  const queries = connection.type === "sql" ? Object.keys(connection.queries ?? {}) : [];
  if (queryName !== undefined && !context.checkName([...path, "query_name"], `query of ${name}`, queryName, queries)) return undefined;
  return context.make(path, () => connectionProbe(name, connection, { name: own, timeoutMs, queryName }));
}

function connectionOf(context: BuildContext, path: Path, config: ConnectionConfig): NamedConnection {
  if (config.type === "file") return { type: "file", path: context.file(config.path ?? "") };
  const url = urlOf(context, [...path, "url"], config.url ?? "");
  const common = config.allow_private_networks === undefined ? {} : { allowPrivateNetworks: config.allow_private_networks };
  if (config.type === "http") {
    const { headers, status } = config;
    return { type: "http", url, ...common, ...(headers === undefined ? {} : { headers }), ...(status === undefined ? {} : { status }) };
  }
  const { query, queries } = config;
  return { type: "sql", url, ...common, ...(query === undefined ? {} : { query }), ...(queries === undefined ? {} : { queries }) };
}

/** An address with a password or parameters is a secret as a whole, and so is its password. */
function urlOf(context: BuildContext, path: Path, value: string): string {
  const url = context.text(path, value);
  const sqlite = /^sqlite:(?!\/)(.+)$/.exec(url)?.[1];
  if (sqlite !== undefined) return `sqlite:${context.file(sqlite)}`;
  if (!URL.canParse(url)) return url;
  const { username, password, search } = new URL(url);
  if (`${username}${password}${search}` !== "") context.secrets.add(url);
  if (password !== "") context.secrets.add(decodedOr(password));
  return url;
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // refused when the connection is checked
  }
}
