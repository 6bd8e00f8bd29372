import { HeadgateError, quote } from "../../base/errors.js";
import { checkOptions } from "../../base/options.js";
import type { Sensor, SensorPollContext, SensorPollResult } from "../../ports/sensor.js";
import { type RunSummary, SENSOR_TIMING, type SensorTiming, timingOf } from "../../trigger/sensor.js";

/** Statuses of finished runs. */
export type Ended = "succeeded" | "failed" | "timed_out" | "cancelled";

/** Options of {@link pipelineSensor}. */
export interface PipelineSensorOptions extends SensorTiming {
  /** The pipeline whose runs are looked at. */
  pipeline: string;
  /** Statuses that trigger. Default `"succeeded"`. */
  status?: Ended | readonly Ended[];
  /** Default: made of the pipeline and the status. */
  name?: string;
}

/** Runs up to `until` have all ended; reported ones after it are listed. */
interface Cursor {
  readonly until: string;
  /** Named so by 0.1.0, whose cursors are kept. */
  readonly told: readonly string[];
}

const PAGE = 200;
const PAGES = 50;
const ENDED: ReadonlySet<string> = new Set<Ended>(["succeeded", "failed", "timed_out", "cancelled"]);

/**
 * Raises a trigger for every run of another pipeline that ends as said, with the parameters `{ pipeline, run_id, status, output }`: a clean-up after failures, say. For
 * successes, `after` of a pipeline does so at once, without looking. Runs that had ended before the very first look are passed over.
 *
 * @throws HeadgateError `INVALID_ARGUMENT`, `INVALID_DURATION`
 * @example
 * pipeline({ id: "clean-up", sensors: [pipelineSensor({ pipeline: "import", status: ["failed", "timed_out"] })], run: () => cleanUp() });
 */
export function pipelineSensor(options: PipelineSensorOptions): Sensor {
  checkOptions(options, { ...SENSOR_TIMING, pipeline: true, status: true, name: true }, "pipelineSensor");
  const { pipeline } = options;
  if (typeof pipeline !== "string" || pipeline === "") throw bad("pipeline: must be a pipeline's id");
  const statuses: readonly string[] =
    options.status === undefined ? ["succeeded"] : typeof options.status === "string" ? [options.status] : options.status;
  for (const one of statuses) if (!ENDED.has(one)) throw bad(`status: ${quote(one)} is unknown; allowed: ${[...ENDED].join(", ")}`);
  return {
    ...timingOf(options.name ?? `runs of ${pipeline} ${statuses.join(" ")}`.slice(0, 100), { every: "15s", ...options }),
    poll: async (look) =>
      answerOf(
        await runsBehind(look, pipeline, (look.cursor as Cursor | null)?.until ?? null),
        look.cursor as Cursor | null,
        pipeline,
        statuses,
      ),
  };
}

/** Runs behind a place, oldest first; in the very first poll only the active ones, and the newest. */
async function runsBehind({ runs }: SensorPollContext, pipelineId: string, until: string | null): Promise<RunSummary[]> {
  const found: RunSummary[] = [];
  let before: string | undefined;
  for (let page = 0; page < PAGES; page++) {
    const some = await runs({ pipelineId, limit: PAGE, ...(before === undefined ? {} : { before }) });
    const newer = some.filter(({ id }) => until === null || id > until);
    found.push(...newer);
    before = some.at(-1)?.id;
    if (until === null || newer.length < some.length || some.length < PAGE) break;
  }
  return found.reverse();
}

function answerOf(found: readonly RunSummary[], cursor: Cursor | null, pipeline: string, statuses: readonly string[]): SensorPollResult {
  const reported = new Set(cursor === null ? found.filter(({ status }) => ENDED.has(status)).map(({ id }) => id) : cursor.told);
  const fresh = found.filter(({ id, status }) => ENDED.has(status) && !reported.has(id));
  for (const { id } of fresh) reported.add(id);
  const firstOpen = found.findIndex(({ status }) => !ENDED.has(status));
  const closed = firstOpen === -1 ? found : found.slice(0, firstOpen);
  const until = closed.at(-1)?.id ?? cursor?.until ?? "";
  const events = fresh
    .filter(({ status }) => statuses.includes(status))
    .map(({ id, status, output }) => ({
      key: id,
      reason: `run ${id} of ${pipeline} ${status}`,
      parameters: { pipeline, run_id: id, status, output },
    }));
  return { events, cursor: { until, told: [...reported].filter((id) => id > until) } };
}

function bad(problem: string): HeadgateError {
  return new HeadgateError("INVALID_ARGUMENT", `pipelineSensor: ${problem}`);
}
