import { type GateResult, gateAt, longestOf, needsOf, type Past } from "../oracle/gate.js";
import { firesIn } from "../oracle/schedule.js";
import type { Seen, SeenDecision, SeenRun, SeenTrigger } from "../seen.js";
import type { PipelineSpec, World } from "../spec.js";

/** A span of time; the end is exclusive. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** The attempt of a run as a span; `outcome` is `null` while it goes on. */
export interface AttemptSpan extends Span {
  readonly run: SeenRun;
  readonly attempt: number;
  readonly outcome: string | null;
}

const FOREVER = Number.POSITIVE_INFINITY;
/** What was seen of a world, arranged by instants. */
export class History implements Past {
  readonly world: World;
  readonly seen: Seen;
  readonly triggers: ReadonlyMap<string, SeenTrigger>;
  readonly runs: ReadonlyMap<string, SeenRun>;
  readonly decisionsOf: ReadonlyMap<string, readonly SeenDecision[]>;
  readonly attempts: readonly AttemptSpan[];
  /** Pauses of a pipeline, or of everything (`null`), as they were accepted. */
  readonly pauses: ReadonlyMap<string | null, readonly Span[]>;
  /** When no node was up. */
  readonly downs: readonly Span[];
  /** The spans that the clock has stepped over. */
  readonly skipped: readonly Span[];
  readonly #specs = new Map<string, { readonly from: number; readonly spec: PipelineSpec }[]>();
  readonly #fires = new Map<string, readonly number[]>();
  readonly #starts = new Map<string, number[]>();
  readonly #successes = new Map<string, number[]>();

  constructor(world: World, seen: Seen) {
    this.world = world;
    this.seen = seen;
    this.triggers = new Map(seen.triggers.map((one) => [one.id, one]));
    this.runs = new Map(seen.runs.map((one) => [one.id, one]));
    this.decisionsOf = grouped(
      seen.decisions.filter(({ triggerId }) => triggerId !== null),
      ({ triggerId }) => triggerId as string,
    );
    for (const spec of world.pipelines) this.#specs.set(spec.id, [{ from: Number.NEGATIVE_INFINITY, spec }]);
    for (const { deed, at, refused } of seen.deeds)
      if (deed.kind === "replace" && refused === null) this.#specs.get(deed.pipeline.id)?.push({ from: at, spec: deed.pipeline });
    for (const run of [...seen.runs].sort((a, b) => a.startedAt - b.startedAt)) {
      pushTo(this.#starts, run.pipelineId, run.startedAt);
      if (run.status === "succeeded" && run.endedAt !== null) pushTo(this.#successes, run.pipelineId, run.endedAt);
    }
    for (const ends of this.#successes.values()) ends.sort((a, b) => a - b);
    this.attempts = seen.runs.flatMap(attemptsOf);
    this.pauses = pausesOf(seen);
    this.downs = downsOf(world, seen);
    this.skipped = seen.deeds.flatMap(({ deed, at }) =>
      deed.kind === "jump" && deed.by > 0 ? [{ from: at + 1, until: at + deed.by }] : [],
    );
  }

  /** What a node that sleeps may not notice at once, where several share a store, one takes another's place, or the clock steps. */
  get unnoticedMs(): number {
    return Math.max(this.world.timerTrust, this.world.lease / 3) + 1_000;
  }

  /** The specification of a pipeline that is in force at an instant. */
  specAt(pipelineId: string, at: number): PipelineSpec {
    const found = this.#specs.get(pipelineId)?.findLast(({ from }) => from <= at)?.spec;
    if (found === undefined) throw new Error(`the world has no pipeline ${pipelineId}`);
    return found;
  }

  /** All fire times of a pipeline while the world lasts, by the schedules that were in force. */
  firesOf(pipelineId: string): readonly number[] {
    let fires = this.#fires.get(pipelineId);
    if (fires === undefined) {
      const parts = this.#specs.get(pipelineId) ?? [];
      fires = parts.flatMap(({ from, spec }, index) => {
        const since = Math.max(from, this.world.from);
        return firesIn(spec.schedule, since + 1, Math.min(parts[index + 1]?.from ?? FOREVER, this.seen.endedAt) + 1);
      });
      this.#fires.set(pipelineId, fires);
    }
    return fires;
  }

  pausedSpans(pipelineId: string): readonly Span[] {
    return [...(this.pauses.get(pipelineId) ?? []), ...(this.pauses.get(null) ?? [])];
  }

  isPausedAt(pipelineId: string, at: number): boolean {
    return this.pausedSpans(pipelineId).some(({ from, until }) => at >= from && at < until);
  }

  isDownAt(at: number): boolean {
    return this.downs.some(({ from, until }) => at >= from && at < until);
  }

  /** The first instant from one on that the clock shows, at which a node is up and the pipeline is not paused. */
  openFrom(pipelineId: string, at: number): number {
    const spans = [...this.pausedSpans(pipelineId), ...this.downs, ...this.skipped];
    for (let open = at; ; ) {
      const closing = spans.find(({ from, until }) => open >= from && open < until);
      if (closing === undefined) return open;
      open = closing.until;
    }
  }

  lastSuccess(pipelineId: string, at: number, isIncluded: boolean): number | null {
    return this.#successes.get(pipelineId)?.findLast((end) => (isIncluded ? end <= at : end < at)) ?? null;
  }

  starts(pipelineId: string, from: number, to: number, isIncluded: boolean): readonly number[] {
    return (this.#starts.get(pipelineId) ?? []).filter((start) => start > from && (isIncluded ? start <= to : start < to));
  }

  /** When the gate was asked for a decision, and what it should say. All that takes time is what asks the outside; the findings show whether that was asked. */
  expected({ pipelineId, kind, at, findings }: SeenDecision): GateResult & { readonly askedAt: number } {
    const pipeline = this.specAt(pipelineId, at);
    const longest = longestOf(pipeline.conditions);
    const isOutsideAsked = pipeline.conditions.some((spec) => needsOf(spec) === "outside") && findings.at(-1)?.result !== "not_evaluated";
    const asked = (askedAt: number, decidedAt: number) =>
      gateAt(pipeline, { seed: this.world.seed, pipelineId, kind, past: this, askedAt, decidedAt });
    const askedAt = at - (isOutsideAsked ? longest : 0);
    const found = asked(askedAt, at);
    // it would have run, and another run has taken what `maxPerPeriod` allows: that is why it was asked again
    const isAskedAgain =
      !isOutsideAsked &&
      found.outcome !== "run" &&
      this.starts(pipelineId, at - 1, at, true).length > 0 &&
      asked(at - longest, at).outcome === "run";
    return { ...found, askedAt: isAskedAgain ? at - longest : askedAt };
  }
}

/** Every attempt of a run. The last one is among its `attempts` if another was due after it, or if it was lost. */
function attemptsOf(run: SeenRun): AttemptSpan[] {
  const spans = run.attempts.map(
    ({ attempt, startedAt, endedAt, outcome }): AttemptSpan => ({ run, attempt, from: startedAt, until: endedAt, outcome }),
  );
  if (run.attempts.at(-1)?.attempt === run.attempt) return spans;
  const outcome = run.endedAt === null ? null : run.status;
  return [...spans, { run, attempt: run.attempt, from: run.attemptStartedAt, until: run.endedAt ?? FOREVER, outcome }];
}

export function grouped<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) pushTo(groups, keyOf(item), item);
  return groups;
}

function pushTo<K, V>(groups: Map<K, V[]>, key: K, value: V): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}

/** A pause that is there already keeps its beginning and gets the new end. */
function pausesOf({ deeds }: Seen): Map<string | null, Span[]> {
  const spans = new Map<string | null, Span[]>();
  for (const { deed, at, refused } of deeds) {
    if (refused !== null || (deed.kind !== "pause" && deed.kind !== "resume")) continue;
    const own = spans.get(deed.pipelineId) ?? [];
    spans.set(deed.pipelineId, own);
    const last = own.at(-1);
    const current = last !== undefined && last.until > at ? last : null;
    if (deed.kind === "resume") {
      if (current !== null) own[own.length - 1] = { ...current, until: at };
      continue;
    }
    const until = deed.duration === null ? FOREVER : at + deed.duration;
    if (current === null) own.push({ from: at, until });
    else own[own.length - 1] = { ...current, until };
  }
  return spans;
}

function downsOf({ nodes }: World, { downs, endedAt }: Seen): Span[] {
  if (nodes === 1) return downs.map(({ from, until }) => ({ from, until: Math.min(until, endedAt) }));
  const [one, other] = [0, 1].map((index) => downs.filter(({ node }) => node === index));
  return (one ?? []).flatMap((first) =>
    (other ?? []).flatMap((second) => {
      const both = { from: Math.max(first.from, second.from), until: Math.min(first.until, second.until) };
      return both.from < both.until ? [both] : [];
    }),
  );
}
