import { jsonSize } from "../../../base/json-size.js";

/** A record without those of its fields that are larger than `valueLimit` bytes of JSON; they are named in `omitted`. */
export function within<T extends object>(record: T, fields: Readonly<Record<string, unknown>>, valueLimit: number | undefined): T {
  if (valueLimit === undefined) return record;
  const omitted = Object.keys(fields).filter((field) => {
    const value = (record as Readonly<Record<string, unknown>>)[field];
    return value !== null && value !== undefined && jsonSize(value, valueLimit) > valueLimit;
  });
  if (omitted.length === 0) return record;
  const emptied = Object.fromEntries(omitted.map((field) => [field, fields[field]]));
  return { ...record, ...emptied, omitted };
}
