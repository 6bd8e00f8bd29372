import { HIDDEN } from "../run/redact.js";

/** One value that differs between two configurations; secrets are hidden in both. */
export interface ConfigDifference {
  readonly path: string;
  /** `undefined`: was not there. */
  readonly before: unknown;
  /** `undefined`: is there no more. */
  readonly after: unknown;
  /** True if the values are secrets. */
  readonly isHidden: boolean;
}

/** A configuration, or a part of it, as it is and as it may be shown. */
export interface Shown {
  readonly plain: unknown;
  readonly shown: unknown;
}

/** Returns the differences, value by value; lists are compared as a whole. */
export function differencesOf(before: Shown, after: Shown, path = ""): readonly ConfigDifference[] {
  if ([before.plain, before.shown, after.plain, after.shown].every(isMap)) {
    const names = new Set([...Object.keys(before.plain as object), ...Object.keys(after.plain as object)]);
    return [...names].flatMap((name) => differencesOf(partOf(before, name), partOf(after, name), path === "" ? name : `${path}.${name}`));
  }
  if (JSON.stringify(before.plain) === JSON.stringify(after.plain)) return [];
  const isHidden = JSON.stringify(before.shown) === JSON.stringify(after.shown);
  return [{ path, before: before.shown, after: isHidden ? `${HIDDEN} (changed)` : after.shown, isHidden }];
}

/** Lines for people: `+` came, `-` went, `~` changed. */
export function differenceLines(differences: readonly ConfigDifference[]): readonly string[] {
  return differences.map(({ path, before, after }) => {
    if (before === undefined) return `+ ${path}: ${shortJson(after)}`;
    return after === undefined ? `- ${path}: ${shortJson(before)}` : `~ ${path}: ${shortJson(before)} → ${shortJson(after)}`;
  });
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function partOf({ plain, shown }: Shown, name: string): Shown {
  return { plain: own(plain, name), shown: own(shown, name) };
}

function own(value: unknown, name: string): unknown {
  return isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
