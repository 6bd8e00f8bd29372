/** One value that differs between two configurations; secrets are hidden in both. */
export interface ConfigDifference {
  readonly path: string;
  /** `undefined`: was not there. */
  readonly before: unknown;
  /** `undefined`: is there no more. */
  readonly after: unknown;
}

/** What differs, value by value; lists are compared as a whole. */
export function differencesOf(before: unknown, after: unknown, path = ""): readonly ConfigDifference[] {
  if (isMap(before) && isMap(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => differencesOf(before[name], after[name], path === "" ? name : `${path}.${name}`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}

/** Lines for people: `+` came, `-` went, `~` changed. */
export function differenceLines(differences: readonly ConfigDifference[]): readonly string[] {
  return differences.map(({ path, before, after }) => {
    if (before === undefined) return `+ ${path}: ${shown(after)}`;
    return after === undefined ? `- ${path}: ${shown(before)}` : `~ ${path}: ${shown(before)} → ${shown(after)}`;
  });
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
