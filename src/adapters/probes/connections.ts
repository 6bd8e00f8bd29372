import { HeadgateError, messageOf, quote } from "../../base/errors.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import type { Condition } from "../../gate/condition.js";
import type { Health } from "../../gate/conditions/outside.js";
import { dependencyProblem, type NamedConnection, type NamedConnections, type RuntimeDependency } from "../../gate/dependency.js";
import type { DependencyFactory } from "../../ports/dependency.js";
import type { Probe } from "../../ports/probe.js";
import { type AddressOptions, AddressRule } from "../shared/address.js";
import { conditionOfProbes, dependencyProbe, fileProbe } from "./dependency.js";
import { httpProbe } from "./http.js";
import { sqlProbe } from "./sql.js";

const ANY_CONNECTION: OptionNames<NamedConnection> = {
  type: true,
  url: true,
  query: true,
  queries: true,
  allowPrivateNetworks: true,
  headers: true,
  status: true,
  path: true,
};
/** Options of each type. */
const CONNECTION: { readonly [Type in NamedConnection["type"]]: OptionNames<NamedConnection> } = {
  sql: { type: true, url: true, query: true, queries: true, allowPrivateNetworks: true } as OptionNames<NamedConnection>,
  http: { type: true, url: true, headers: true, status: true, allowPrivateNetworks: true } as OptionNames<NamedConnection>,
  file: { type: true, path: true } as OptionNames<NamedConnection>,
};
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Parts of a dependency that say how it is queried. */
interface Asked {
  readonly name?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly queryName?: string | undefined;
}

/**
 * Makes conditions of dependencies that are set at run time. Databases and files are only asked by the names of connections.
 *
 * @param options - which addresses those of type `http` and `tcp` may have
 * @throws HeadgateError `INVALID_ARGUMENT` for a connection that cannot be made; no message quotes its url
 */
export function dependencyFactory(connections: NamedConnections, options: AddressOptions, where: string): DependencyFactory {
  for (const [name, connection] of Object.entries(connections)) checkConnection(name, connection, where);
  const made = { ...connections };
  const rule = new AddressRule(options);
  return {
    connections: made,
    addressProblem: (dependency) => {
      const host = hostOf(dependency);
      if (host === null || rule.isOpen) return null;
      try {
        rule.check(/(^|\.)localhost$/i.test(host) ? "127.0.0.1" : host);
        return null;
      } catch (error) {
        return `${messageOf(error)}; or declare it under connections and name it`;
      }
    },
    conditionOf: (dependency) => {
      try {
        const problem = dependencyProblem(dependency, made, true);
        return problem === null ? conditionOfProbes([probeOf(dependency, made, options)], {}) : blocking(dependency, problem);
      } catch (error) {
        if (error instanceof HeadgateError) return blocking(dependency, error.message);
        throw error;
      }
    },
  };
}

/** @throws HeadgateError `INVALID_ARGUMENT` */
export function checkConnection(name: string, connection: NamedConnection, where: string): void {
  const bad = (problem: string) => new HeadgateError("INVALID_ARGUMENT", `${where}: connections: ${quote(name)}: ${problem}`);
  const allowed = CONNECTION[connection?.type] ?? ANY_CONNECTION;
  checkOptions(connection, allowed, where, (option, problem) => bad(option === null ? problem : `${option}: ${problem}`));
  if (!NAME.test(name))
    throw bad("the name must have 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit");
  try {
    connectionProbe(name, connection);
    if (connection.type === "sql")
      for (const queryName of Object.keys(connection.queries ?? {})) connectionProbe(name, connection, { queryName });
  } catch (error) {
    if (error instanceof HeadgateError) throw bad(error.message);
    throw error;
  }
}

/** Returns a probe of a connection. Findings show its name, and neither address nor query. */
export function connectionProbe(name: string, connection: NamedConnection, { name: own, timeoutMs, queryName }: Asked = {}): Probe<Health> {
  const place = `connection ${name}${queryName === undefined ? "" : ` (${queryName})`}`;
  const common = { name: own === undefined ? place : `${own} (${place})`, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) };
  switch (connection.type) {
    case "file":
      return fileProbe(connection.path, common.name, timeoutMs);
    case "http": {
      const { url, headers, status, allowPrivateNetworks = true } = connection;
      const probe = httpProbe({
        ...common,
        url,
        allowPrivateNetworks,
        ...(headers === undefined ? {} : { headers }),
        ...(status === undefined ? {} : { status }),
      });
      return withoutAddress(probe);
    }
    case "sql": {
      const { url, queries = {}, allowPrivateNetworks = true } = connection;
      const query = queryName === undefined ? (connection.query ?? "SELECT 1") : queries[queryName];
      return sqlProbe({ ...common, url, query: query ?? "", allowPrivateNetworks });
    }
    default: {
      const { type } = connection as { type?: unknown };
      throw new HeadgateError("INVALID_ARGUMENT", `type ${quote(type)} is unknown; allowed: sql, http, file`);
    }
  }
}

function probeOf(dependency: RuntimeDependency, connections: NamedConnections, options: AddressOptions): Probe<Health> {
  if ("url" in dependency || "host" in dependency) return dependencyProbe(dependency, options);
  return connectionProbe(dependency.connection, connections[dependency.connection] as NamedConnection, dependency);
}

/** Evidence of HTTP has the address. */
function withoutAddress(probe: Probe<Health>): Probe<Health> {
  return {
    ...probe,
    measure: async (options) => {
      const { evidence: { address: _, ...evidence } = {}, ...health } = await probe.measure(options);
      return { ...health, evidence };
    },
  };
}

/** Something that is set, and cannot be asked: kept by an earlier version, say, or its connection is declared no more. */
function blocking(dependency: RuntimeDependency, problem: string): Condition {
  const { type, name } = dependency;
  const shown = name ?? ("connection" in dependency ? `connection ${dependency.connection}` : `an external system (${String(type)})`);
  return {
    name: `depends on ${shown}`,
    needs: "time",
    evaluate: () => ({
      result: "block",
      reason: `${shown} cannot be checked: ${problem}; or reset external_dependencies to null`,
      evidence: { type: String(type) },
    }),
  };
}

/** The host of a dependency that is given by its address; `null` for one that names a connection. */
function hostOf(dependency: RuntimeDependency): string | null {
  if ("host" in dependency) return dependency.host;
  return "url" in dependency && typeof dependency.url === "string" && URL.canParse(dependency.url)
    ? new URL(dependency.url).hostname
    : null;
}
