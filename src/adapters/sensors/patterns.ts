import { join } from "node:path";
import { HeadgateError } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { SensorOptions } from "../../pattern/sensor-options.js";
import type { AnySensor, Sensor } from "../../ports/sensor.js";
import { webhookSensor } from "../../trigger/sensor.js";
import { ADDRESS_OPTIONS, type AddressOptions, AddressRule } from "../shared/address.js";
import { jsonOf, valueAt } from "../shared/json-path.js";
import { ask } from "../shared/request.js";
import { SQL_SOURCE } from "../shared/sql.js";
import type { SqlSource } from "../shared/sql-source.js";
import { fileSensor } from "./file.js";
import { httpSensor } from "./http.js";
import { changedRowsSensor, sqlSensor } from "./sql.js";

/** Options that the patterns leave open. */
export interface PatternSensorOptions extends AddressOptions {
  /** Directory that contains `incoming/` for `data_arrival`. Default: the working directory. */
  directory?: string;
  /** The server that relative addresses of patterns are on, such as `/api/data/status` of `external_api_update`. Default none: those are refused. */
  baseUrl?: string;
  /** Sent with every request to it. Default none. */
  headers?: Readonly<Record<string, string>>;
  /** Table that `database_change` watches, and the column that says when a row was changed (default `updated_at`). */
  database?: SqlSource & { readonly table?: string; readonly column?: string };
}

/**
 * Makes the sensors that the event-driven patterns describe, so that `pattern: "data_arrival"` is all a pipeline has to say. Give a function where pipelines differ.
 *
 * @example
 * createScheduler({ pipelines, sensorFactory: patternSensors({ directory: "/data", baseUrl: "https://api.example" }) });
 */
export function patternSensors(
  options: PatternSensorOptions | ((pipelineId: string) => PatternSensorOptions) = {},
): (described: SensorOptions, pipelineId: string) => AnySensor {
  if (typeof options !== "function") checkPatternSensors(options);
  return (described, pipelineId) => {
    const own = typeof options === "function" ? options(pipelineId) : options;
    if (typeof options === "function") checkPatternSensors(own);
    if (described.kind === "webhook") return webhookSensor({ sources: described.allowedSources });
    const timing = { every: described.every, expectWithin: described.timeout };
    const missing = (what: string) =>
      new HeadgateError("INVALID_PIPELINE", `pipeline ${pipelineId}: its pattern needs ${what} in patternSensors({ … })`, {
        details: { pipelineId, option: "sensors" },
      });
    if (described.kind === "file")
      return fileSensor({ ...timing, path: join(own.directory ?? ".", described.path), pattern: described.pattern });
    if (described.kind === "http") {
      if (own.baseUrl === undefined && !URL.canParse(described.endpoint)) throw missing("baseUrl, the address of the API");
      return updateSensor(described, own, timing);
    }
    const { database, allowPrivateNetworks = false } = own;
    if (database === undefined) throw missing("database, such as { url, table }");
    if (/^\s*(?:select|with)\b/i.test(described.query))
      return sqlSensor({ ...timing, ...sourceOf(database), allowPrivateNetworks, query: described.query });
    if (database.table === undefined) throw missing("database.table, the table whose rows change");
    return changedRowsSensor({ ...timing, ...database, table: database.table, allowPrivateNetworks });
  };
}

function sourceOf(database: SqlSource): SqlSource {
  return "pool" in database ? { pool: database.pool } : { url: database.url };
}

function checkPatternSensors(options: PatternSensorOptions): void {
  checkOptions(options, { ...ADDRESS_OPTIONS, directory: true, baseUrl: true, headers: true, database: true }, "patternSensors");
  if (options.database !== undefined)
    checkOptions(options.database, { ...SQL_SOURCE, table: true, column: true }, "patternSensors: database");
}

/** An API that says whether there is something new, in a field that is named as the check; one that has no such field is looked at for any change. */
function updateSensor(
  { endpoint, query }: Extract<SensorOptions, { kind: "http" }>,
  { baseUrl, headers = {}, allowPrivateNetworks = false }: PatternSensorOptions,
  timing: Pick<Parameters<typeof httpSensor>[0], "every" | "expectWithin">,
): Sensor {
  const url = new URL(endpoint, baseUrl);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const common = { ...timing, url: url.href, headers, allowPrivateNetworks };
  const changed = httpSensor(common);
  const path = query.check;
  if (path === undefined) return changed;
  const rule = new AddressRule(common);
  const flagged = httpSensor({ ...common, watch: { path }, mode: "edge" });
  return {
    ...changed,
    poll: async (look) => {
      const isFlag = typeof look.cursor === "boolean";
      const isUnknown = look.cursor === null;
      if (isUnknown) {
        const { text, status } = await ask({ url: url.href, headers }, rule, look.signal);
        if (status >= 200 && status < 300 && hasField(text, path)) return flagged.poll(look);
        return changed.poll(look);
      }
      return isFlag ? flagged.poll(look) : changed.poll(look);
    },
  };
}

function hasField(text: string, path: string): boolean {
  try {
    return valueAt(jsonOf(text), path) !== undefined;
  } catch (error) {
    if (error instanceof HeadgateError) return false; // no JSON: looked at as it is
    throw error;
  }
}
