/**
 * An independent, slow reading of the cron rules: walk real zone data minute by minute and ask each minute.
 * Nothing here is shared with the code under test.
 */
export interface CronRule {
  readonly text: string;
  /** Asks a naive local minute (ms since 1970 on the wall clock, as if UTC). */
  readonly matches: (wallMs: number) => boolean;
  readonly isElapsed: boolean;
}

const MINUTE = 60_000;
const readers = new Map<string, Intl.DateTimeFormat>();

function wallClock(zone: string, at: number): number {
  let reader = readers.get(zone);
  if (reader === undefined) {
    reader = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
    readers.set(zone, reader);
  }
  const part: Record<string, number> = {};
  for (const { type, value } of reader.formatToParts(at)) part[type] = Number(value);
  return Date.UTC(part.year as number, (part.month as number) - 1, part.day, part.hour, part.minute);
}

/** The wall clock of every minute of a stretch, read once. */
export interface Walk {
  readonly zone: string;
  readonly from: number;
  readonly walls: readonly number[];
}

export function walk(zone: string, from: number, days: number): Walk {
  const walls: number[] = [];
  for (let at = from; at < from + days * 86_400_000; at += MINUTE) walls.push(wallClock(zone, at));
  return { zone, from, walls };
}

/**
 * Fire times within a walk. A rule by elapsed time fires at every minute whose wall clock matches. A fixed rule fires at the first
 * minute at which the wall clock has reached a matching minute for the first time, jumping over it included.
 */
export function firesOf({ from, walls }: Walk, rule: CronRule): number[] {
  const fires: number[] = [];
  let reached = (walls[0] as number) - MINUTE;
  for (const [index, wall] of walls.entries()) {
    let isDue = false;
    if (rule.isElapsed) isDue = rule.matches(wall);
    else for (let w = reached + MINUTE; w <= wall && !isDue; w += MINUTE) isDue = rule.matches(w);
    if (isDue) fires.push(from + index * MINUTE);
    reached = Math.max(reached, wall);
  }
  return fires;
}
