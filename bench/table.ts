import type { Load } from "./machine.js";
import { type Measure, type Result, ratioOf } from "./model.js";
import { median } from "./support.js";

/** What one case has come to. */
export interface Outcome {
  readonly name: string;
  readonly title: string;
  readonly results: readonly Result[];
  readonly before: Load;
  readonly after: Load;
  /** Why there are no verdicts on it; `null` where there are. */
  readonly disturbance: string | null;
}

export const HEADINGS = ["case", "measure", "headgate", "compared with", "ratio", "target", "verdict", "load"] as const;

/** One row for each figure of headgate: beside the best of what it is compared with, in the end one table for all cases. */
export function ratioRows(outcomes: readonly Outcome[]): readonly (readonly string[])[] {
  return outcomes.flatMap((outcome) =>
    outcome.results.filter(({ isReference }) => !isReference).map((ours) => ratioRow(ours, bestOf(ours, outcome.results), outcome)),
  );
}

function bestOf({ group, measure }: Result, results: readonly Result[]): Result | null {
  const references = results.filter((one) => one.isReference && one.group === group && one.measure.name === measure.name);
  const sorted = references.toSorted((a, b) => ratioOf(measure, median(b.values), median(a.values)) - 1);
  return sorted[0] ?? null;
}

function ratioRow(ours: Result, best: Result | null, { name, before, after, disturbance }: Outcome): readonly string[] {
  const { measure, target } = ours;
  const ratios = best === null ? [] : ours.values.map((value, turn) => ratioOf(measure, value, best.values[turn] ?? Number.NaN));
  const where = [name, ours.group, ours.participant === "headgate" ? "" : ours.participant].filter((part) => part !== "").join(", ");
  return [
    where,
    `${measure.name}, ${measure.unit}`,
    spread(ours.values),
    best === null ? "" : `${best.participant}: ${spread(best.values)}`,
    best === null ? "" : spread(ratios),
    targetText(ours),
    target === null ? "" : disturbance !== null ? "none: busy" : isMet(ours, ratios) ? "met" : "missed",
    `${before.average.toFixed(1)} → ${after.average.toFixed(1)}`,
  ];
}

function isMet({ measure, target, values }: Result, ratios: readonly number[]): boolean {
  if (target === null) return true;
  if ("ratio" in target) return median(ratios) >= target.ratio;
  return measure.better === "higher" ? median(values) >= target.value : median(values) <= target.value;
}

function targetText({ measure, target }: Result): string {
  if (target === null) return "";
  if ("ratio" in target) return `ratio ≥ ${target.ratio}`;
  return `${measure.better === "higher" ? "≥" : "≤"} ${numberText(target.value)}`;
}

/** The rows of one case with all participants, for reading along. */
export function caseRows({ results }: Outcome): readonly (readonly string[])[] {
  return results.map(({ group, participant, measure, values, remark }) => [
    [group, participant].filter((part) => part !== "").join(", "),
    `${measure.name}, ${measure.unit}${better(measure)}`,
    spread(values),
    remark,
  ]);
}

function better({ better: direction }: Measure): string {
  return direction === "lower" ? " (less is better)" : "";
}

/** The median, and the least and the most where there was more than one turn. */
function spread(values: readonly number[]): string {
  const middle = numberText(median(values));
  return values.length < 2 ? middle : `${middle} (${numberText(Math.min(...values))}–${numberText(Math.max(...values))})`;
}

export function numberText(value: number): string {
  return value.toLocaleString("en", Math.abs(value) >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
}

export function asText(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, index) => Math.max(most[index] ?? 0, cell.length)), []);
  return rows.map((row) => `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ")}`.trimEnd()).join("\n");
}

export function asMarkdown(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  return [headings, headings.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
