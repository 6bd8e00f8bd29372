import { Draws } from "../random.js";
import type { Deed, PipelineSpec, Theme, World } from "../spec.js";
import { deedsOf } from "./deeds.js";
import { pipelineOf } from "./pipeline.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const LEASES: Readonly<Record<Theme, number>> = { plain: HOUR, restarts: 3 * MINUTE, nodes: 90_000, steps: 30_000 };
const THEMES: readonly Theme[] = ["plain", "plain", "plain", "restarts", "nodes", "plain", "restarts", "steps"];

/** Zones, each with an evening shortly before its clock changes (or a border of it) in 2026. */
const PLACES: readonly (readonly [zone: string, eve: string])[] = [
  ["Europe/Berlin", "2026-03-28T20:00:00Z"],
  ["Europe/Berlin", "2026-10-24T20:00:00Z"],
  ["America/New_York", "2026-03-08T02:00:00Z"],
  ["America/New_York", "2026-11-01T01:00:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T11:00:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T11:00:00Z"],
  ["America/St_Johns", "2026-03-08T01:00:00Z"],
  ["Africa/Cairo", "2026-04-23T17:00:00Z"],
  ["Africa/Cairo", "2026-10-29T17:00:00Z"],
  ["America/Santiago", "2026-09-05T23:00:00Z"],
  ["Pacific/Auckland", "2026-09-26T10:00:00Z"],
  ["Asia/Kolkata", "2026-02-27T18:00:00Z"],
  ["UTC", "2026-12-31T12:00:00Z"],
];

/** How large worlds are: pipelines at most, and hours. */
export interface Size {
  readonly pipelines: number;
  readonly hours: number;
}

export const LARGE: Size = { pipelines: 6, hours: 40 };
export const SMALL: Size = { pipelines: 4, hours: 16 };

/** The world of a seed. The same seed and size make the same world. */
export function worldOf(seed: number, size: Size = LARGE): World {
  const draws = new Draws(seed * 7_919 + 11);
  const theme = THEMES[seed % THEMES.length] as Theme;
  const [zone, eve] = draws.pick(PLACES);
  const from = Date.parse(eve) + draws.whole(0, 4 * 3_600) * 1_000 + 137;
  const hours = theme === "nodes" || theme === "steps" ? size.hours / 2 : size.hours; // their nodes wake up often
  const to = from + draws.whole(Math.ceil(hours / 2), Math.ceil(hours)) * HOUR;
  const count = draws.whole(1, size.pipelines);
  const context = { draws, zone, from, to, theme, ids: Array.from({ length: count }, (_, index) => `p${index}`) };
  const pipelines = context.ids.map((id): PipelineSpec => pipelineOf(id, context));
  const deeds: readonly Deed[] = deedsOf(context, pipelines);
  return {
    seed,
    theme,
    from,
    to,
    pools: { small: 1, wide: 3 },
    globalLimit: draws.chance(0.25) ? draws.whole(2, 4) : null,
    misfireThreshold: draws.pick([30_000, 30_000, 5_000, 120_000]),
    // where nobody dies and no clock steps, long ones: nothing may depend on a node that happens to wake up
    lease: LEASES[theme],
    timerTrust: theme === "plain" ? HOUR : theme === "restarts" ? 5 * MINUTE : 30_000,
    nodes: theme === "nodes" ? 2 : 1,
    draw: draws.pick([0.5, 0.1, 0.9]),
    pipelines,
    deeds,
    asks: asksOf(draws, from, to, deeds),
  };
}

/** Instants of questions, on no whole second and apart from every deed. */
function asksOf(draws: Draws, from: number, to: number, deeds: readonly Deed[]): number[] {
  const taken = new Set(deeds.map(({ at }) => at));
  const count = draws.whole(4, 9);
  const asks = Array.from({ length: count }, () => from + draws.whole(60, (to - from) / 1_000) * 1_000 + 211);
  return [...new Set(asks)].filter((at) => at < to && !taken.has(at)).sort((a, b) => a - b);
}
