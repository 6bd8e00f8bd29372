import { airflowHealth } from "../../adapters/executors/airflow/airflow.js";
import { commandProbe } from "../../adapters/probes/command.js";
import { conditionOfProbes, dependencyProbe } from "../../adapters/probes/dependency.js";
import { fileModified } from "../../adapters/probes/file.js";
import { httpProbe, httpTimestamp } from "../../adapters/probes/http.js";
import { systemLoad } from "../../adapters/probes/load.js";
import { sqlNumber, sqlProbe, sqlTimestamp } from "../../adapters/probes/sql.js";
import { tcpProbe } from "../../adapters/probes/tcp.js";
import type { Condition } from "../../gate/condition.js";
import { maxPerPeriod, stale, succeeded } from "../../gate/conditions/history.js";
import { allOf, anyOf, not } from "../../gate/conditions/logic.js";
import { dataVolume, type Health, healthy } from "../../gate/conditions/outside.js";
import { businessDay, maintenanceWindow } from "../../gate/conditions/time.js";
import type { ExternalDependency } from "../../gate/dependency.js";
import type { Probe } from "../../ports/probe.js";
import type { Path } from "../diagnostic.js";
import type { ConditionConfig, DependencyConfig, ProbeConfig, StaleConfig } from "../schema/conditions.js";
import { probeOfConnection } from "./connections.js";
import { type BuildContext, camel, OWN_ADDRESSES } from "./context.js";
import { businessDaysOf, windowsOf } from "./schedules.js";

export function conditionsOf(context: BuildContext, path: Path, configs: readonly ConditionConfig[]): readonly Condition[] {
  return configs.flatMap((one, index) => conditionOf(context, [...path, index], one) ?? []);
}

function conditionOf(context: BuildContext, path: Path, config: ConditionConfig): Condition | undefined {
  const at = (name: keyof ConditionConfig): Path => [...path, name];
  const {
    stale: old,
    maintenance_window,
    business_day,
    healthy: health,
    depends_on,
    system_load,
    data_volume,
    succeeded: other,
    max_per_period,
  } = config;
  if (old !== undefined) return staleOf(context, at("stale"), old);
  if (system_load !== undefined) return context.make(at("system_load"), () => systemLoad(camel(system_load)));
  if (depends_on !== undefined) return dependenciesOf(context, at("depends_on"), "length" in depends_on ? depends_on : [depends_on]);
  if (max_per_period !== undefined) return context.make(at("max_per_period"), () => maxPerPeriod(camel(max_per_period)));
  if (maintenance_window !== undefined) {
    const { windows, ...options } = "windows" in maintenance_window ? maintenance_window : { windows: maintenance_window };
    return context.make(at("maintenance_window"), () =>
      maintenanceWindow(windowsOf("length" in windows ? windows : [windows]), camel(options)),
    );
  }
  if (business_day !== undefined) {
    const { on_block, ...days } = business_day;
    return context.make(at("business_day"), () => businessDay({ ...businessDaysOf(days), ...camel({ on_block }) }));
  }
  if (health !== undefined) {
    const { probes, ...options } = health;
    const made = probes.map((one, index) => probeOf(context, [...at("healthy"), "probes", index], one));
    return made.includes(undefined)
      ? undefined
      : context.make(at("healthy"), () => healthy({ probes: made as Probe<Health>[], ...camel(options) }));
  }
  if (data_volume !== undefined) {
    const { source, ...options } = data_volume;
    const { sql, ...common } = source;
    return context.make(at("data_volume"), () =>
      dataVolume({ source: sqlNumber({ ...OWN_ADDRESSES, ...camel(common), ...camel(sql) }), ...camel(options) }),
    );
  }
  if (other !== undefined) {
    const { pipeline, ...options } = other;
    context.checkPipelines([...at("succeeded"), "pipeline"], pipeline);
    return context.make(at("succeeded"), () => succeeded(pipeline, camel(options)));
  }
  const { all_of, any_of, not: inner } = config;
  if (inner !== undefined) {
    const made = conditionOf(context, at("not"), inner);
    return made === undefined ? undefined : not(made);
  }
  const several = all_of ?? any_of ?? [];
  const made = conditionsOf(context, at(all_of === undefined ? "any_of" : "all_of"), several);
  if (made.length < several.length) return undefined;
  return all_of === undefined ? anyOf(...made) : allOf(...made);
}

export function staleOf(context: BuildContext, path: Path, { source, ...options }: StaleConfig): Condition | undefined {
  return context.make(path, () => stale({ ...camel(options), ...(source === undefined ? {} : { source: timestampOf(context, source) }) }));
}

function timestampOf(context: BuildContext, { file, http, sql, ...common }: NonNullable<StaleConfig["source"]>) {
  if (file !== undefined) return fileModified(context.file(file), camel(common));
  if (http !== undefined) return httpTimestamp({ ...OWN_ADDRESSES, ...camel(common), ...camel(http) });
  return sqlTimestamp({ ...OWN_ADDRESSES, ...camel(common), ...camel(sql as NonNullable<typeof sql>) });
}

export function dependenciesOf(context: BuildContext, path: Path, configs: readonly DependencyConfig[]): Condition | undefined {
  const probes = configs.map((one, index) => {
    const at = configs.length === 1 ? path : [...path, index];
    if (one.connection !== undefined) return probeOfConnection(context, at, one);
    const dependency = camel(one.path === undefined ? one : { ...one, path: context.file(one.path) }) as ExternalDependency;
    return context.make(at, () => dependencyProbe(dependency, OWN_ADDRESSES));
  });
  const made = probes.filter((one) => one !== undefined);
  return made.length < configs.length ? undefined : conditionOfProbes(made, {});
}

function probeOf(
  context: BuildContext,
  path: Path,
  { http, tcp, sql, command, airflow, ...common }: ProbeConfig,
): Probe<Health> | undefined {
  const options = camel(common);
  if (http !== undefined) return context.make([...path, "http"], () => httpProbe({ ...OWN_ADDRESSES, ...options, ...camel(http) }));
  if (tcp !== undefined) return context.make([...path, "tcp"], () => tcpProbe({ ...OWN_ADDRESSES, ...options, ...camel(tcp) }));
  if (sql !== undefined) return context.make([...path, "sql"], () => sqlProbe({ ...OWN_ADDRESSES, ...options, ...camel(sql) }));
  if (command !== undefined) {
    const cwd = command.cwd === undefined ? {} : { cwd: context.file(command.cwd) };
    return context.make([...path, "command"], () => commandProbe({ ...options, ...camel(command), ...cwd }));
  }
  return context.make([...path, "airflow"], () => airflowHealth({ ...options, ...baseUrl(context), ...camel(airflow ?? {}) }));
}

export function baseUrl({ env }: BuildContext): { baseUrl?: string } {
  return env.AIRFLOW_BASE_URL === undefined ? {} : { baseUrl: env.AIRFLOW_BASE_URL };
}
