import { access } from "node:fs/promises";
import { HeadgateError } from "../../base/errors.js";
import { checkOptions, type OptionNames } from "../../base/options.js";
import type { Condition } from "../../gate/condition.js";
import { conditionOn, type Health, healthOf, OUTSIDE_OPTIONS, type OutsideConditionOptions } from "../../gate/conditions/outside.js";
import type { ExternalDependency } from "../../gate/dependency.js";
import type { Probe } from "../../ports/probe.js";
import { ADDRESS_OPTIONS, type AddressOptions } from "../shared/address.js";
import { checkFile } from "./file.js";
import { httpProbe } from "./http.js";
import { sqlProbe } from "./sql.js";
import { tcpProbe } from "./tcp.js";

/**
 * Passes when external systems answer: over http or tcp, as a file that can be read, or as a database. One that does not blocks, unless `onError` is `"pass"`.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`
 * @example
 * dependsOn([{ type: "http", url: "https://prices.example/health" }, { type: "file", path: "/mnt/exports/ready" }]);
 */
export function dependsOn(
  dependencies: ExternalDependency | readonly ExternalDependency[],
  options: OutsideConditionOptions & AddressOptions = {},
): Condition {
  checkOptions(options, { ...OUTSIDE_OPTIONS, ...ADDRESS_OPTIONS }, "dependsOn");
  const all = Array.isArray(dependencies) ? (dependencies as readonly ExternalDependency[]) : [dependencies as ExternalDependency];
  if (all.length === 0) throw new HeadgateError("INVALID_ARGUMENT", "dependsOn: must have at least one dependency");
  return conditionOfProbes(
    all.map((one) => dependencyProbe(one, options)),
    options,
  );
}

/** Returns the condition that all of these are well. */
export function conditionOfProbes(probes: readonly Probe<Health>[], options: OutsideConditionOptions): Condition {
  return conditionOn(`depends on ${probes.map(({ name }) => name).join(", ")}`, probes, options, (context) =>
    Promise.all(probes.map((probe) => healthOf(probe, options.onError, context))),
  );
}

const COMMON = { type: true, name: true, timeoutMs: true } as const;
const ANY_DEPENDENCY: OptionNames<ExternalDependency> = {
  ...COMMON,
  url: true,
  status: true,
  host: true,
  port: true,
  path: true,
  query: true,
};
/** Options of each type. */
const DEPENDENCY: { readonly [Type in ExternalDependency["type"]]: OptionNames<ExternalDependency> } = {
  http: { ...COMMON, url: true, status: true } as OptionNames<ExternalDependency>,
  tcp: { ...COMMON, host: true, port: true } as OptionNames<ExternalDependency>,
  file: { ...COMMON, path: true } as OptionNames<ExternalDependency>,
  sql: { ...COMMON, url: true, query: true } as OptionNames<ExternalDependency>,
};

/** @throws HeadgateError `INVALID_ARGUMENT` */
export function dependencyProbe(dependency: ExternalDependency, { allowPrivateNetworks = false }: AddressOptions): Probe<Health> {
  checkOptions(dependency, DEPENDENCY[dependency?.type] ?? ANY_DEPENDENCY, "dependsOn");
  const { name, timeoutMs } = dependency;
  const common = { allowPrivateNetworks, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) };
  const named = (probe: Probe<Health>): Probe<Health> => (name === undefined ? probe : { ...probe, name: `${name} (${probe.name})` });
  switch (dependency.type) {
    case "http":
      return named(
        httpProbe({ ...common, url: dependency.url, ...(dependency.status === undefined ? {} : { status: dependency.status }) }),
      );
    case "tcp":
      return named(tcpProbe({ ...common, host: dependency.host, port: dependency.port }));
    case "sql":
      return named(sqlProbe({ ...common, url: dependency.url, ...(dependency.query === undefined ? {} : { query: dependency.query }) }));
    case "file":
      return named(fileProbe(dependency.path, checkFile(dependency.path, "dependsOn: path"), timeoutMs));
    default: {
      const { type } = dependency as { type?: unknown };
      throw new HeadgateError("INVALID_ARGUMENT", `dependsOn: type ${JSON.stringify(type)} is unknown; allowed: http, tcp, file, sql`);
    }
  }
}

/** Returns a probe of whether a file can be read. */
export function fileProbe(path: string, name: string, timeoutMs: number | undefined): Probe<Health> {
  checkFile(path, "path");
  return { name, ...(timeoutMs === undefined ? {} : { timeoutMs }), measure: () => readable(path) };
}

async function readable(path: string): Promise<Health> {
  try {
    await access(path);
    return { isHealthy: true, reason: "exists" };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { isHealthy: false, reason: `cannot be reached (${code ?? message})` };
  }
}
