/**
 * The benchmark's vocabulary. A case asks one question; its participants answer it in turns; the figures of the turns that count become one row per participant and measure.
 *
 * ```
 *   run.ts ── one process per case ──► one-case.ts ── turns, in rotated order ──► results ──► table.ts
 *     └── machine.ts: what else the machine does, before and after each case
 * ```
 */

/** What a case is told. */
export interface BenchOptions {
  /** Small numbers, to try that every case works: its figures mean nothing. */
  readonly isShort: boolean;
  /** Ended triggers in a store that is called full. */
  readonly history: number;
  /** A PostgreSQL whose database the cases may use as they like; `null` where there is none. */
  readonly postgres: string | null;
  readonly redis: string;
  /** For files; removed in the end. */
  readonly folder: string;
}

/** At least this; where lower is better, at most. A ratio is that of {@link ratioOf}. */
export type Target = { readonly value: number } | { readonly ratio: number };

export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
}

/** Figures of one turn, by the measure's name. */
export type Figures = Readonly<Record<string, number>>;

export interface Participant {
  readonly name: string;
  /** Participants are compared with those of the same group, such as a store. Default: one group. */
  readonly group?: string;
  /** What headgate is compared with: a peer, or headgate itself where its work is least. */
  readonly isReference?: boolean;
  /** What its figures contain that the others' do not, or the other way round. */
  readonly remark?: string;
  readonly targets?: Readonly<Record<string, Target>>;
  /** Sets up, warms up, measures, and removes what it made. */
  turn(): Promise<Figures>;
}

export interface Case {
  readonly title: string;
  readonly measures: readonly Measure[];
  readonly participants: readonly Participant[];
  /** Turns of each participant that count. */
  readonly rounds: number;
  /** Turns of each participant before them, that compile the code and warm caches. Default 0, where a turn warms up itself. */
  readonly warmUps?: number;
}

/** The default export of each file in cases/. */
export type MakeCase = (options: BenchOptions) => Case;

/** One participant's figures for one measure; by turn, so that those of the same turn can be compared. */
export interface Result {
  readonly case: string;
  readonly group: string;
  readonly measure: Measure;
  readonly participant: string;
  readonly isReference: boolean;
  readonly remark: string;
  readonly target: Target | null;
  readonly values: readonly number[];
}

/** How many times better one figure is than another: above 1 whether more is better, or less. */
export function ratioOf({ better }: Measure, ours: number, theirs: number): number {
  if (ours === theirs) return 1; // even where both are 0
  return better === "higher" ? ours / theirs : theirs / ours;
}
