/** Explanation of why a trigger waited before it started, or before it ended without having started. */
import { isoUtc } from "../../base/instant.js";
import { holdReason } from "../../gate/decide.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { EndedPause } from "../../schedule/ended-pauses.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { lateBecause, wasPaused } from "./explain-words.js";
import { MEANT_MS } from "./story.js";
import { usedDuring } from "./used-limits.js";

/** Different reasons of holds that are shown. */
const REASONS_SHOWN = 3;
const OTHERS = ", and later for other reasons";

/** A trigger that has waited, with its decisions, oldest first. */
export interface Waited {
  readonly trigger: TriggerRecord;
  readonly decisions: readonly DecisionRecord[];
  /** When it started, or ended. */
  readonly until: number;
  /** The node of its run. */
  readonly node: string | null;
}

interface Span {
  readonly from: number;
  readonly until: number;
  readonly why: string;
}

/** When a trigger was due: its fire time, or when it was requested for. */
export function dueAtOf({ kind, scheduledFor, createdAt, availableAt }: TriggerRecord, decisions: readonly DecisionRecord[]): number {
  if (kind === "scheduled") return scheduledFor ?? createdAt;
  return decisions.some(({ outcome }) => outcome === "hold") ? createdAt : Math.max(createdAt, availableAt);
}

/** Clauses that say why a trigger waited, in the order in which it did; none when it waited for less than a minute each time. */
export async function whyWaited(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  waited: Waited,
): Promise<string[]> {
  const { trigger, decisions, until } = waited;
  const { catchup, createdAt, scheduledFor } = trigger;
  const dueAt = dueAtOf(trigger, decisions);
  const clauses: string[] = [];
  if (catchup !== null) clauses.push(`catchup created it, since ${lateBecause(catchup)}`);
  else if (trigger.kind === "scheduled" && scheduledFor !== null && createdAt - scheduledFor >= MEANT_MS)
    clauses.push(`it was not created before ${isoUtc(createdAt)}, for a reason that is not recorded`);
  const held = holdsOf(pipeline, decisions, until);
  let at = Math.max(createdAt, dueAt);
  for (const { from, until: end, why } of held.spans) {
    clauses.push(...(await whyQueued(core, pipeline, waited, at, from)));
    clauses.push(`it was held from ${isoUtc(from)} to ${isoUtc(end)} because ${why}`);
    at = end;
  }
  const queued = await whyQueued(core, pipeline, waited, at, until);
  return held.isOpen && queued.length === 0 ? extended(clauses, held.spans.at(-1), until) : [...clauses, ...queued];
}

/** Extends a hold to the start of a trigger that started later than its recheck for no other reason. */
function extended(clauses: readonly string[], last: Span | undefined, until: number): string[] {
  if (last === undefined || until - last.until < MEANT_MS) return [...clauses];
  return [...clauses.slice(0, -1), `it was held from ${isoUtc(last.from)} to ${isoUtc(until)} because ${last.why}`];
}

/** The spans in which a trigger was held, one for each reason in a row. */
function holdsOf(pipeline: Pipeline, decisions: readonly DecisionRecord[], until: number): { spans: Span[]; isOpen: boolean } {
  const spans: Span[] = [];
  for (const [index, decision] of decisions.entries()) {
    if (decision.outcome !== "hold") continue;
    const next = decisions[index + 1];
    const end = Math.min(next?.outcome === "hold" ? next.at : Math.min(next?.at ?? until, nextLookAt(pipeline, decision)), until);
    const why = holdReason(decision.reason);
    const last = spans.at(-1);
    if (last !== undefined && (last.why === why || spans.length >= REASONS_SHOWN)) {
      const isOther = last.why !== why && !last.why.endsWith(OTHERS);
      spans[spans.length - 1] = { ...last, until: end, why: isOther ? `${last.why}${OTHERS}` : last.why };
    } else spans.push({ from: decision.at, until: end, why });
  }
  return { spans, isOpen: spans.length > 0 };
}

/** When a held trigger was to be looked at again, as far as its findings and the pipeline say. */
function nextLookAt({ gate }: Pipeline, { at: firstAt, repeated, findings }: DecisionRecord): number {
  const at = repeated?.lastAt ?? firstAt;
  const blocking = findings.filter(({ result }) => result === "block");
  const known = blocking.flatMap(({ recheckAt }) => (recheckAt !== undefined && recheckAt > at ? [recheckAt] : []));
  return known.length > 0 && known.length === blocking.length ? Math.max(...known) : at + gate.recheckIntervalMs;
}

/** Returns why it waited in the queue in a span; nothing for less than a minute. */
async function whyQueued(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  waited: Waited,
  from: number,
  until: number,
): Promise<string[]> {
  if (until - from < MEANT_MS) return [];
  const pauses = await pausesIn(core, pipeline, from, until);
  const used = waited.trigger.isForced ? [] : await usedDuring(core, pipeline, { from, until, node: waited.node });
  const whys = [...pauses, ...used.map(({ text }) => text)];
  const waitedFor = `it waited in the queue from ${isoUtc(from)} to ${isoUtc(until)}`;
  if (whys.length > 0) return [`${waitedFor} because ${whys.join(" and ")}`];
  if (waited.decisions.some(({ outcome }) => outcome === "hold")) return [];
  return [`${waitedFor}, for a reason that is not recorded: no node was running, or none had free capacity`];
}

/** Pauses that are known and that covered at least a minute of a span. */
async function pausesIn({ store }: Pick<Core, "store">, { id }: Pipeline, from: number, until: number): Promise<string[]> {
  const [[state], global] = await Promise.all([store.states([id]), store.globalPause()]);
  const covers = (pause: EndedPause) => Math.min(pause.until, until) - Math.max(pause.from, from) >= MEANT_MS;
  return [
    ...(state?.endedPauses ?? []).filter(covers).map((one) => wasPaused(one, false)),
    ...global.endedPauses.filter(covers).map((one) => wasPaused(one, true)),
  ];
}
