import { toDate } from "../base/instant.js";

/** Kinds of {@link Unknown}, with what is not known and what is assumed instead. */
const KINDS = {
  probe: { what: "what probes measure that have no value in world.probes", assumed: "they fail" },
  finding_missing: {
    what: "what conditions found that no decision of the history has a finding of",
    assumed: "they pass, or what they found first if they were evaluated later",
  },
  finding_old: {
    what: "what conditions would have found more than an hour after their last recorded finding",
    assumed: "what they found then",
  },
  attempt_times: {
    what: "how long each attempt of a run took whose attempts are not in the history",
    assumed: "equally long, with the waits of this pipeline's retry policy between them",
  },
  further_attempt: {
    what: "how attempts would have ended that the recorded run did not have",
    assumed: "as the attempt of another run that started nearest to them",
  },
  stopped_attempt: {
    what: "how attempts would have ended that a cancellation or their timeout stopped, or that had not ended",
    assumed: "as the attempt of another run that started nearest to them; those stopped by a timeout go on until the next one",
  },
  abort_delay: { what: "how long attempts continue after they are asked to stop", assumed: "they end at once" },
  lost_late: { what: "how attempts ended that were lost after their timeout had passed", assumed: "their timeout ends them" },
  decisions: {
    what: "what was decided, as the history has no decisions",
    assumed: "conditions that look outside pass; what was skipped is not counted",
  },
  requests: {
    what: "when and by whom runs without a fire time were requested, as the history has no triggers",
    assumed: "manually, at the instant when they started",
  },
  pauses: { what: "when the pipeline was paused, as the history has no pauses", assumed: "never" },
  not_before: { what: "before which instant held triggers were not to start", assumed: "before their first decision" },
  look_times: {
    what: "when held triggers were looked at between the first look and the last of holds that were recorded as one",
    assumed: "when the pipeline's conditions and its recheckInterval say, and evenly spread where there were more looks",
  },
  no_node: {
    what: "when no node was running, or the store could not be reached, so that fire times were missed",
    assumed: "a node was running all the time",
  },
  late_start: {
    what: "why triggers waited although the pipeline had a free run slot: limits shared with other pipelines, or the time that nodes took",
    assumed: "they start at once",
  },
  pool: { what: "when other pipelines took the slots of the pool", assumed: "the pool has room" },
  load: { what: "how busy the machine was, which the tuner asks for", assumed: "not known; give `load`" },
  beginning: {
    what: "what was before the history begins: successes, runs, and the interval of an adaptive schedule",
    assumed: "nothing, and the base interval",
  },
} as const;

/** Kind of a gap; stable, for programs. */
export type UnknownKind = keyof typeof KINDS;

/** Something that a simulation or a backtest could not know, and what it assumed instead. */
export interface Unknown {
  readonly kind: UnknownKind;
  /** Description of the gap. */
  readonly what: string;
  /** Assumption made instead. */
  readonly assumed: string;
  /** Number of times that it mattered; `null` when that is unknown. */
  readonly count: number | null;
  /** When it first mattered. */
  readonly firstAt: Date | null;
  /** The first of each thing that it was about, such as a probe, a condition or a run; at most 5. */
  readonly examples: readonly UnknownExample[];
}

/** One case of an {@link Unknown}. */
export interface UnknownExample {
  readonly subject: string;
  readonly at: Date | null;
}

const EXAMPLES = 5;

interface Collected {
  count: number | null;
  firstAt: number | null;
  readonly examples: Map<string, number | null>;
}

/** Collects what is not known: one entry for each kind. */
export class Unknowns {
  readonly #made = new Map<UnknownKind, Collected>();

  /**
   * Counts one.
   *
   * @param at - when it matters, epoch ms
   * @param count - `null` when nobody knows how often it matters
   */
  add(kind: UnknownKind, subject: string, at: number | null = null, count: number | null = 1): void {
    let known = this.#made.get(kind);
    if (known === undefined) {
      known = { count: 0, firstAt: at, examples: new Map() };
      this.#made.set(kind, known);
    }
    known.count = known.count === null || count === null ? null : known.count + count;
    if (at !== null && (known.firstAt === null || at < known.firstAt)) known.firstAt = at;
    if (known.examples.size < EXAMPLES && !known.examples.has(subject)) known.examples.set(subject, at);
  }

  /** Returns them all, in the order in which they were first made. */
  list(): readonly Unknown[] {
    return [...this.#made].map(([kind, { count, firstAt, examples }]) => ({
      kind,
      ...KINDS[kind],
      count,
      firstAt: toDate(firstAt),
      examples: [...examples].map(([subject, at]) => ({ subject, at: toDate(at) })),
    }));
  }
}

/** Unknowns in words, one a line. */
export function unknownText(unknown: readonly Unknown[]): readonly string[] {
  return unknown.map(({ what, assumed, count, firstAt, examples }) => {
    const times = count === null ? "" : `${count} × `;
    const since = firstAt === null ? "" : ` (first ${firstAt.toISOString()})`;
    const subjects = examples.length === 0 ? "" : `; such as ${examples.map(({ subject }) => subject).join(", ")}`;
    return `${times}${what}; assumed: ${assumed}${since}${subjects}`;
  });
}
