import { longestOf } from "../oracle/gate.js";
import type { SeenTrigger } from "../seen.js";
import type { ConditionSpec, PipelineSpec } from "../spec.js";
import type { History } from "./history.js";
import type { Load } from "./load.js";
import { iso, type Report } from "./report.js";

const ROUND_MS = 2;

/** A span in which a trigger was ready, and waited. */
export interface Wait {
  readonly trigger: SeenTrigger;
  /** Ready at the latest. */
  readonly from: number;
  /** Asked about, or ended, or the end of the world. */
  readonly until: number;
  /** When a pause ended by itself after it was held, in the wait or before it; `null`: none did. */
  readonly pauseEndedAt: number | null;
}

/** Every trigger is looked at when it is ready and nothing holds it up; returns all waits. */
export function checkWaiting(history: History, load: Load, report: Report): Wait[] {
  const waits: Wait[] = [];
  for (const trigger of history.seen.triggers) waits.push(...waitsOf(trigger, history, load, report));
  for (const wait of waits) {
    checkPrompt(wait, "promptness", history, load, report);
    const { from, until, pauseEndedAt } = wait;
    if (pauseEndedAt !== null && pauseEndedAt < from)
      checkPrompt({ ...wait, from: pauseEndedAt, until: Math.min(from, until) }, "pause-ends", history, load, report);
  }
  return waits.filter(({ from, until }) => from <= until);
}

function waitsOf(trigger: SeenTrigger, history: History, load: Load, report: Report): Wait[] {
  const looks = load.looksAt(trigger);
  const waits: Wait[] = [];
  // at the end of the world it may be being asked about: conditions that never answer take 3 s at most
  const endedAt = trigger.runId === null ? (trigger.endedAt ?? history.seen.endedAt - 3_000) : Number.POSITIVE_INFINITY;
  let ready = { earliest: firstReady(trigger, history), latest: firstReady(trigger, history) };
  let giveUpAt = Number.POSITIVE_INFINITY;
  let heldAt: number | null = null;
  for (const look of looks) {
    if (look.askedAt < ready.earliest && !mayBeLookedAt(trigger, heldAt, look.askedAt, history))
      report.fail(
        "holds",
        look.at,
        trigger.pipelineId,
        `trigger ${trigger.id} was looked at ${iso(look.askedAt)}, before ${iso(ready.earliest)}`,
      );
    waits.push({
      trigger,
      from: Math.min(ready.latest, causedAt(trigger, heldAt, look.askedAt, history)),
      until: look.askedAt,
      pauseEndedAt: pauseEnd(trigger, heldAt, look.askedAt, history),
    });
    if (look.next === null) {
      ready = { earliest: Number.POSITIVE_INFINITY, latest: Number.POSITIVE_INFINITY };
      continue;
    }
    if (giveUpAt === Number.POSITIVE_INFINITY) giveUpAt = look.at + history.specAt(trigger.pipelineId, look.at).holdFor;
    heldAt = look.at;
    ready = { earliest: Math.min(look.next.earliest, giveUpAt), latest: Math.min(look.next.latest, giveUpAt) };
  }
  const last = looks.at(-1);
  if (last?.next === null || trigger.runId !== null) return waits;
  const from = Math.min(ready.latest, causedAt(trigger, heldAt, endedAt, history));
  waits.push({ trigger, from, until: endedAt, pauseEndedAt: pauseEnd(trigger, heldAt, endedAt, history) });
  checkExpiry(trigger, giveUpAt, history, report);
  return waits;
}

function firstReady(trigger: SeenTrigger, { seen }: History): number {
  const asked = seen.deeds.find(({ ids, deed, refused }) => deed.kind === "trigger" && refused === null && ids.includes(trigger.id));
  const notBefore = asked?.deed.kind === "trigger" && asked.at === trigger.createdAt ? asked.deed.notBefore : null;
  return Math.max(trigger.createdAt, notBefore ?? 0);
}

function checkExpiry(trigger: SeenTrigger, giveUpAt: number, history: History, report: Report): void {
  if (giveUpAt === Number.POSITIVE_INFINITY || history.world.theme === "steps") return;
  // it may be asked about just then
  const gateMs = longestOf(history.specAt(trigger.pipelineId, giveUpAt).conditions);
  const slack = gateMs + (history.world.theme === "plain" ? 0 : history.unnoticedMs);
  let from = giveUpAt;
  for (const down of history.downs) if (from >= down.from && from < down.until) from = down.until;
  if (
    trigger.status === "expired"
      ? trigger.endedAt !== null && (trigger.endedAt < giveUpAt || trigger.endedAt > from + slack)
      : trigger.endedAt === null && from + slack < history.seen.endedAt
  )
    report.fail(
      "holds",
      giveUpAt,
      trigger.pipelineId,
      `trigger ${trigger.id} should expire at ${iso(giveUpAt)}, is ${trigger.status} since ${iso(trigger.endedAt)}`,
    );
}

/** The first instant after a hold at which something must have it looked at: a pause has ended, somebody asked for it, or the pipeline that it waits for has succeeded. */
function causedAt(trigger: SeenTrigger, heldAt: number | null, until: number, history: History): number {
  if (heldAt === null) return Number.POSITIVE_INFINITY;
  const causes = [
    ...history.seen.deeds.flatMap(({ deed, at, refused }) =>
      deed.kind === "resume" && refused === null && (deed.pipelineId === null || deed.pipelineId === trigger.pipelineId) ? [at] : [],
    ),
    ...history.seen.deeds.flatMap(({ deed, at, refused }) =>
      deed.kind === "recheck" && refused === null && (deed.pipelineId === null || deed.pipelineId === trigger.pipelineId) ? [at] : [],
    ),
    ...watched(history.specAt(trigger.pipelineId, heldAt)).flatMap((id) =>
      history.seen.runs.flatMap(({ pipelineId, status, endedAt }) =>
        pipelineId === id && status === "succeeded" && endedAt !== null ? [endedAt] : [],
      ),
    ),
  ];
  return Math.min(Number.POSITIVE_INFINITY, ...causes.filter((at) => at > heldAt && at <= until));
}

/** The first instant after a hold at which a pause ended by itself. */
function pauseEnd(trigger: SeenTrigger, heldAt: number | null, until: number, history: History): number | null {
  if (heldAt === null) return null;
  const ends = history.pausedSpans(trigger.pipelineId).map((span) => span.until);
  return Math.min(...ends.filter((at) => at > heldAt && at <= until), Number.POSITIVE_INFINITY);
}

/** Whether there was reason to look at a held trigger before its time. */
function mayBeLookedAt(trigger: SeenTrigger, heldAt: number | null, at: number, history: History): boolean {
  if (heldAt === null) return false;
  if (causedAt(trigger, heldAt, at, history) <= at || (pauseEnd(trigger, heldAt, at, history) ?? at + 1) <= at) return true;
  const isReplaced = history.seen.deeds.some(
    ({ deed, at: when }) => (deed.kind === "replace" || deed.kind === "resume") && when > heldAt && when <= at,
  );
  // a resume, even of nothing, a node that starts, or finds a probe well for another pipeline, may have it looked at
  return (
    isReplaced ||
    history.seen.downs.some(({ until }) => until > heldAt && until <= at) ||
    probes(history.specAt(trigger.pipelineId, at).conditions) ||
    history.world.theme === "steps"
  );
}

function watched(pipeline: PipelineSpec): string[] {
  const all: string[] = [];
  each(pipeline.conditions, (spec) => spec.type === "succeeded" && all.push(spec.pipelineId));
  return all;
}

function probes(conditions: readonly ConditionSpec[]): boolean {
  let found = false;
  each(conditions, (spec) => {
    found ||= spec.type === "probe";
  });
  return found;
}

function each(specs: readonly ConditionSpec[], visit: (spec: ConditionSpec) => void): void {
  for (const spec of specs) {
    visit(spec);
    if (spec.type === "not") each([spec.part], visit);
    else if (spec.type === "all" || spec.type === "any") each(spec.parts, visit);
  }
}

/** While it waits, something holds it up: no node is up, a pause, its own runs, its pool or the scheduler's limit. */
function checkPrompt(
  { trigger, from, until }: Wait,
  check: "promptness" | "pause-ends",
  history: History,
  load: Load,
  report: Report,
): void {
  const { world } = history;
  if (world.theme === "steps" || from >= until) return;
  const slack = world.theme === "plain" ? 0 : world.nodes > 1 ? history.unnoticedMs : ROUND_MS;
  const { pipelineId, isForced } = trigger;
  let freeSince: number | null = null;
  for (const at of load.changesIn(from, until)) {
    const isHeldUp = load.isShut(pipelineId, at, isForced) || load.isCrowded(pipelineId, at) || (!isForced && load.isFull(pipelineId, at));
    if (isHeldUp && freeSince !== null && at - freeSince > slack) break;
    freeSince = isHeldUp ? null : (freeSince ?? at);
  }
  if (freeSince !== null && until - freeSince > slack)
    report.fail(
      check,
      freeSince,
      pipelineId,
      `trigger ${trigger.id} (${trigger.kind}, ${trigger.status}) is ready from ${iso(from)}, nothing holds it up from ${iso(freeSince)}, and it waits until ${iso(until)}`,
    );
}
