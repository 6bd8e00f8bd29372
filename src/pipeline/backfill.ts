import { HeadgateError } from "../base/errors.js";
import { epochMs } from "../base/instant.js";
import { checkOptions, type OptionNames } from "../base/options.js";
import { previousFireTime } from "../schedule/previous.js";
import type { NewTrigger } from "../trigger/trigger.js";
import type { Pipeline } from "./pipeline.js";
import type { BackfillOptions } from "./request-options.js";
import { checkedParameters, priorityOf, text } from "./requests.js";

const MOST_BACKFILLED = 10_000;
/** Fire times are computed for no longer than this between two turns of the event loop. */
const COMPUTED_MS = 10;
/** Requests made between two turns of the event loop. */
const MADE_AT_ONCE = 1_000;

const BACKFILL: OptionNames<BackfillOptions> = {
  from: true,
  to: true,
  priority: true,
  parameters: true,
  idempotencyKey: true,
  reason: true,
  user: true,
  caller: true,
};

/** Measures how long something takes, and lets the event loop turn. */
interface Turns {
  /** Milliseconds that never jump. */
  monotonic(): number;
  yield?(): Promise<void>;
}

/** One request for every fire time in [from, to), oldest first; all share their parameters. */
export async function backfillRequests(
  pipeline: Pipeline,
  options: BackfillOptions,
  { newId, now, clock, requestedBy }: { newId: () => string; now: number; clock: Turns; requestedBy: string | null },
): Promise<NewTrigger[]> {
  checkOptions(options, BACKFILL, "backfill");
  const from = epochMs(options.from, "from");
  const to = options.to === undefined ? now : epochMs(options.to, "to");
  const key = text(options.idempotencyKey, "idempotencyKey", 200) ?? newId();
  const common = {
    pipelineId: pipeline.id,
    kind: "backfill" as const,
    priority: priorityOf(options.priority ?? "low"),
    reason: text(options.reason, "reason", 1_000),
    user: text(options.user, "user", 200),
    requestedBy,
    notBefore: null,
    isForced: false,
  };
  const { parameters, size } = await checkedParameters(pipeline, options.parameters);
  const fireTimes = await fireTimesIn(pipeline, from, to, clock);
  const part = Math.ceil(size / Math.max(1, fireTimes.length));
  const requests: NewTrigger[] = [];
  const [first] = fireTimes;
  let intervalStart = first === undefined ? null : previousFireTime(pipeline.schedule, first);
  for (const at of fireTimes) {
    requests.push({ ...common, id: newId(), scheduledFor: at, intervalStart, key: `backfill:${key}:${at}`, parameters, size: part });
    intervalStart = at;
    if (requests.length % MADE_AT_ONCE === 0) await clock.yield?.();
  }
  return requests;
}

async function fireTimesIn(pipeline: Pipeline, from: number, to: number, clock: Turns): Promise<number[]> {
  const fireTimes: number[] = [];
  let since = clock.monotonic();
  for (let at = pipeline.schedule.nextAfter(from - 1); at !== null && at < to; at = pipeline.schedule.nextAfter(at)) {
    if (fireTimes.length === MOST_BACKFILLED) {
      throw new HeadgateError(
        "TOO_MANY",
        `backfill of ${pipeline.id}: more than ${MOST_BACKFILLED.toLocaleString("en-US")} fire times; choose a shorter range`,
        {
          details: { pipelineId: pipeline.id, most: MOST_BACKFILLED },
        },
      );
    }
    fireTimes.push(at);
    if (clock.monotonic() - since < COMPUTED_MS) continue;
    await clock.yield?.();
    since = clock.monotonic();
  }
  return fireTimes;
}
