import type { MeasurableProbe } from "../gate/probe.js";

/**
 * The port that measures the outside: health, freshness, system load. Probes with one name are one probe: a value measured
 * for one pipeline is shared with the others for a short time.
 */
export type Probe<T = unknown> = MeasurableProbe<T>;
