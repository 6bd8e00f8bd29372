/**
 * Bytes of a value as JSON in UTF-8, counted no further than `limit`: what is larger gives a number above it. Costs as much as the part of the value that is counted.
 *
 * @param value - JSON: what `JSON.parse` can return
 */
export function jsonSize(value: unknown, limit = Number.POSITIVE_INFINITY): number {
  if (typeof value === "string") return value.length > limit ? value.length : Buffer.byteLength(JSON.stringify(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value)?.length ?? 0;
  let size = 2;
  const isList = Array.isArray(value);
  const entries: Iterable<readonly [string | null, unknown]> = isList ? listed(value) : Object.entries(value);
  for (const [name, one] of entries) {
    if (one === undefined && !isList) continue;
    if (size > 2) size++;
    if (name !== null) size += jsonSize(name, limit - size) + 1;
    if (size > limit) return size;
    size += one === undefined ? 4 : jsonSize(one, limit - size);
    if (size > limit) return size;
  }
  return size;
}

function* listed(values: readonly unknown[]): Generator<readonly [null, unknown]> {
  for (const value of values) yield [null, value];
}
