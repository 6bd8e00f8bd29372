/**
 * Schedules, calendars and conditions that mean the wall clock of a zone, and name none: how each is made again in the zone of the pipeline that uses it. Kept beside the objects, so that a copy that somebody
 * has changed is never taken for the original.
 */
const makers = new WeakMap<object, (timeZone: string) => object>();

/** Notes how something that names no zone is made in another. Returns it. */
export function inheritingZone<T extends object>(one: T, make: (timeZone: string) => NoInfer<T>): T {
  makers.set(one, make);
  return one;
}

/** Returns the same in a zone, if it names none of its own; else itself. */
export function inZone<T extends object>(one: T, timeZone: string): T {
  return (makers.get(one)?.(timeZone) as T | undefined) ?? one;
}

/** True for what {@link inZone} makes something else of. */
export function inheritsZone(one: object): boolean {
  return makers.has(one);
}
