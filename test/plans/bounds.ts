import type { Statement } from "./statements.js";

/** Tables that grow with history. */
export const HISTORY = ["triggers", "runs", "decisions", "audit"] as const;

/** Rows (or pages) that a statement may read for what it returns or changes. */
export function mostRead(returned: number): number {
  return 20 * returned + 1_000;
}

/** Statements that neither read nor change rows: they are not explained. */
const UTILITY = /^(?:BEGIN|COMMIT|ROLLBACK|SET|SHOW|LISTEN|UNLISTEN|SAVEPOINT|RELEASE|PRAGMA|CREATE|ALTER|DROP)\b/;

export function isUtility(text: string): boolean {
  return UTILITY.test(text);
}

/** Statements that may read more, each with why that is bounded all the same. */
const EXEMPT: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    /SELECT count\(\*\) AS n FROM "?[\w".]*runs"? WHERE pipeline_id \|\| '' = \S+ AND started_at >= /s,
    "reads the index entries that it counts, of a span that the caller chose",
  ],
  [
    /row_number\(\) OVER \(PARTITION BY trigger_id/,
    "reads the decisions on the triggers that it names, of which at most 201 are kept each",
  ],
  [/ORDER BY ended_at DESC LIMIT 1 OFFSET/, "prune: counts what is kept, in the background and no further than the retention"],
  [
    /SELECT id, pipeline_id, status, ended_at, run_id FROM .* ORDER BY ended_at, id LIMIT/s,
    "listEnded: sorts what ended at the same instant",
  ],
];

export function isExempt({ text }: Statement): boolean {
  return EXEMPT.some(([pattern]) => pattern.test(text));
}

/** A statement that reads too much, in words. */
export function complaint(where: string, { text }: Statement, values: readonly unknown[], problem: string, plan: string): string {
  return `${where}: ${problem}\n${text.replaceAll(/\s+/g, " ")}\nwith ${JSON.stringify(values).slice(0, 500)}\n${plan}\n`;
}
