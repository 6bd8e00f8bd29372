import { HeadgateError, quote } from "../base/errors.js";
import type { Pattern } from "./pattern.js";
import { type PatternName, patterns } from "./presets.js";

/** Purpose of a pipeline. */
export type UseCase = "data_warehouse_etl" | "real_time_analytics" | "batch_processing" | "api_sync" | "monitoring";
export type Environment = "production" | "development" | "testing";

const RECOMMENDED: Readonly<Record<Environment, Readonly<Record<UseCase, PatternName>>>> = {
  production: {
    data_warehouse_etl: "production_daily",
    real_time_analytics: "high_frequency",
    batch_processing: "weekend_batch",
    api_sync: "business_hours_only",
    monitoring: "production_hourly",
  },
  development: {
    data_warehouse_etl: "development_frequent",
    real_time_analytics: "development_frequent",
    batch_processing: "manual_only",
    api_sync: "development_frequent",
    monitoring: "development_frequent",
  },
  testing: {
    data_warehouse_etl: "manual_only",
    real_time_analytics: "manual_only",
    batch_processing: "manual_only",
    api_sync: "manual_only",
    monitoring: "manual_only",
  },
};

/**
 * The pattern that suits a use case in an environment.
 *
 * @param environment - default `"production"`
 * @throws HeadgateError `INVALID_ARGUMENT` for an unknown use case or environment
 * @example
 * recommendPattern("real_time_analytics", "production").name; // "high_frequency"
 */
export function recommendPattern(useCase: UseCase, environment: Environment = "production"): Pattern {
  const byUse = Object.hasOwn(RECOMMENDED, environment) ? RECOMMENDED[environment] : undefined;
  if (byUse === undefined) throw unknown("environment", environment, Object.keys(RECOMMENDED));
  const name = Object.hasOwn(byUse, useCase) ? byUse[useCase] : undefined;
  if (name === undefined) throw unknown("use case", useCase, Object.keys(byUse));
  return patterns[name];
}

function unknown(what: string, value: string, allowed: readonly string[]): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `${what} ${quote(value)} is unknown; available: ${allowed.join(", ")}`);
}
