/**
 * A set of instants, such as business days or time windows. Pure, like a schedule.
 */
export interface Calendar {
  /** Identity: calendars with one key contain the same instants. */
  readonly key: string;
  /** Returns true if an instant (epoch ms) belongs to it. */
  contains(epochMs: number): boolean;
  /** The first instant after `epochMs` at which `contains` answers differently; `null` when it never will. */
  nextChangeAfter(epochMs: number): number | null;
  describe(): string;
}

export function isCalendar(value: object): value is Calendar {
  return "contains" in value && "nextChangeAfter" in value;
}
