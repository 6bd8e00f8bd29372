import type { Draws } from "../random.js";
import type { Deed, PipelineSpec } from "../spec.js";
import { type Context, executionOf, scheduleOf } from "./pipeline.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What happens in a world, each at an instant of its own that is no fire time. */
export function deedsOf(context: Context, pipelines: readonly PipelineSpec[]): Deed[] {
  const { draws, from, to, theme } = context;
  const deeds: Deed[] = [];
  const taken = new Set<number>();
  const instant = (least = from, most = to) => {
    let at = least - (least % 1_000) + Math.floor((draws.next() * (most - least)) / 1_000) * 1_000 + 589;
    while (taken.has(at)) at += 1_000;
    taken.add(at);
    return at;
  };
  const hours = (to - from) / HOUR;
  for (let n = Math.floor(draws.next() * hours * 0.6); n > 0; n--) deeds.push(askedFor(context, pipelines, instant()));
  for (let n = draws.whole(0, 3); n > 0; n--) deeds.push(...pausesOf(context, instant));
  for (let n = draws.whole(0, 4); n > 0; n--)
    deeds.push({ kind: "cancel", at: instant(), pipelineId: draws.pick(context.ids), what: draws.pick(["run", "waiting"] as const) });
  for (let n = draws.whole(0, 2); n > 0; n--)
    deeds.push({ kind: "recheck", at: instant(), pipelineId: draws.chance(0.6) ? draws.pick(context.ids) : null });
  if (theme === "plain" && draws.chance(0.3)) {
    const old = draws.pick(pipelines);
    const schedule = old.schedule.type !== "manual" && draws.chance(0.6) ? scheduleOf(context) : old.schedule;
    deeds.push({ kind: "replace", at: instant(), pipeline: { ...old, schedule, execution: executionOf(context) } });
  }
  if (theme === "restarts" || theme === "nodes") deeds.push(...downsOf(context, instant));
  if (theme === "steps") deeds.push(...stepsOf(draws, from, to, instant));
  return deeds.sort((a, b) => a.at - b.at);
}

function askedFor({ draws, from, ids }: Context, pipelines: readonly PipelineSpec[], at: number): Deed {
  const pipelineId = draws.pick(ids);
  if (draws.chance(0.1)) {
    const start = Math.max(from - 6 * HOUR, at - draws.whole(1, 8) * HOUR);
    const { schedule } = pipelines.find(({ id }) => id === pipelineId) as PipelineSpec;
    if (schedule.type !== "manual") return { kind: "backfill", at, pipelineId, from: start, to: at - draws.whole(0, 30) * MINUTE };
  }
  const as = draws.pick(["manual", "manual", "manual", "webhook", "immediate", "forced"] as const);
  return {
    kind: "trigger",
    at,
    pipelineId,
    as,
    priority: draws.chance(0.4) ? draws.pick(["critical", "high", "normal", "low"] as const) : null,
    notBefore: as === "manual" && draws.chance(0.3) ? at + draws.whole(1, 90) * MINUTE + 7 : null,
    key: draws.chance(0.3) ? `key-${draws.whole(1, 3)}` : null,
  };
}

/** Pauses of one pipeline or of all, that end by themselves or by a resume, and may overlap. */
function pausesOf({ draws, ids, to }: Context, instant: (least?: number, most?: number) => number): Deed[] {
  const at = instant();
  const pipelineId = draws.chance(0.6) ? draws.pick(ids) : null;
  const length = draws.whole(3, 240) * MINUTE;
  if (draws.chance(0.5)) return [{ kind: "pause", at, pipelineId, duration: length + 13 }];
  const resumeAt = instant(at, Math.min(at + length, to));
  return resumeAt <= at
    ? [{ kind: "pause", at, pipelineId, duration: length + 13 }]
    : [
        { kind: "pause", at, pipelineId, duration: null },
        { kind: "resume", at: resumeAt, pipelineId },
      ];
}

/** Ends of nodes, one after the other. */
function downsOf({ draws, from, to, theme }: Context, instant: (least?: number, most?: number) => number): Deed[] {
  const deeds: Deed[] = [];
  let since = from + 10 * MINUTE;
  for (let n = draws.whole(1, 4); n > 0; n--) {
    if (since > to - HOUR) break;
    const at = instant(since, Math.min(to, since + 8 * HOUR));
    const length = draws.pick([3_001, 90_001, 20 * MINUTE + 1, 3 * HOUR + 1, 9 * HOUR + 1]);
    deeds.push({ kind: "down", at, node: theme === "nodes" ? draws.whole(0, 1) : 0, how: draws.pick(["kill", "stop"] as const), length });
    since = at + length + 5 * MINUTE;
  }
  return deeds;
}

/** Steps of the clock, forward or forward and back, small and large. */
function stepsOf(draws: Draws, from: number, to: number, instant: (least?: number, most?: number) => number): Deed[] {
  const by = draws.pick([45_000, 20 * MINUTE, 2 * HOUR, 13 * HOUR, 30 * HOUR]);
  const at = instant(from + HOUR, from + (to - from) / 3);
  if (draws.chance(0.4)) return [{ kind: "jump", at, by }];
  // the way back is an instant of the clock that is ahead
  return [
    { kind: "jump", at, by },
    { kind: "jump", at: at + by + draws.pick([40_000, 4 * MINUTE, 30 * MINUTE]), by: -by },
  ];
}
