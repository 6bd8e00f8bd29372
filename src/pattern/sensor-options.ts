import { type Duration, durationMs } from "../base/duration.js";
import { checkOneOf, checkOptions, isOptionsObject, type OptionNames, type RefuseOption } from "../base/options.js";
import { shown } from "../base/shown.js";

/** Polling of a sensor. */
export interface Polling {
  /** Polling interval. */
  readonly every: Duration;
  /** When a wait for one event is given up. */
  readonly timeout: Duration;
}

/** Sensor of an event-driven pattern. */
export type SensorOptions =
  | ({ readonly kind: "file"; readonly path: string; readonly pattern: string } & Polling)
  | ({ readonly kind: "http"; readonly endpoint: string; readonly query: Readonly<Record<string, string>> } & Polling)
  | ({ readonly kind: "sql"; readonly query: string } & Polling)
  | { readonly kind: "webhook"; readonly allowedSources: readonly string[] };

const POLLED = { kind: true, every: true, timeout: true } as const;
/** Options of each kind. */
const OPTIONS: { readonly [Kind in SensorOptions["kind"]]: OptionNames<Extract<SensorOptions, { kind: Kind }>> } = {
  file: { ...POLLED, path: true, pattern: true },
  http: { ...POLLED, endpoint: true, query: true },
  sql: { ...POLLED, query: true },
  webhook: { kind: true, allowedSources: true },
};
const TEXTS = { file: ["path", "pattern"], http: ["endpoint"], sql: ["query"], webhook: [] } as const;

/**
 * Refuses what describes no sensor.
 *
 * @throws HeadgateError
 */
export function checkSensorOptions(options: SensorOptions, refuse: RefuseOption): void {
  const within: RefuseOption = (name, problem) => refuse(name === null ? "sensor" : `sensor.${name}`, problem);
  if (!isOptionsObject(options)) throw within(null, `must be an object of options (got ${shown(options)})`);
  const { kind } = options;
  checkOneOf(kind, Object.keys(OPTIONS) as SensorOptions["kind"][], "kind", within);
  checkOptions(options as object, OPTIONS[kind] as OptionNames<object>, "sensor", within);
  const values = options as unknown as Readonly<Record<string, unknown>>;
  for (const name of TEXTS[kind])
    if (typeof values[name] !== "string" || values[name] === "") throw within(name, `must be a string (got ${shown(values[name])})`);
  if (kind === "webhook") {
    const sources = values.allowedSources;
    if (!Array.isArray(sources) || sources.length === 0 || sources.some((one) => typeof one !== "string" || one === ""))
      throw within("allowedSources", "must be an array of at least one name");
    return;
  }
  if (kind === "http" && !isOptionsObject(values.query)) throw within("query", `must be an object of strings (got ${shown(values.query)})`);
  for (const name of ["every", "timeout"]) durationMs(values[name] as Duration, `sensor.${name}`);
}
