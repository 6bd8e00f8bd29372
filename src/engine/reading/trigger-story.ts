/** Explanation of what became of one trigger, and why. */
import { isoUtc } from "../../base/instant.js";
import { holdReason } from "../../gate/decide.js";
import type { DecisionRecord } from "../../gate/finding.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { ExplanationOutcome } from "../../ports/scheduler-api/explanation.js";
import type { RunRecord } from "../../run/run.js";
import type { TriggerRecord } from "../../trigger/trigger.js";
import type { Core } from "../context/core.js";
import { byWhom, nameOf, roughly } from "./explain-words.js";
import { statusAt } from "./nothing-due.js";
import { MEANT_MS, type Story } from "./story.js";
import { usedDuring } from "./used-limits.js";
import { dueAtOf, whyWaited } from "./waiting-time.js";
import { whyWaiting } from "./why-waiting.js";

const DECISIONS_READ = 1_000;
/** Findings that are shown, up to this many bytes each. */
const FINDINGS_BYTES = 16_384;
/** Triggers that replaced each other in a row, that are followed. */
const REPLACED_FOLLOWED = 50;

type Told = Pick<Story, "answer" | "text" | "advice">;

export async function tellTrigger(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  pipeline: Pipeline,
  found: TriggerRecord,
  now: number,
): Promise<Story> {
  const { store } = core;
  const trigger = (await store.trigger(found.id)) ?? found;
  const shown = { triggerId: trigger.id, limit: DECISIONS_READ, valueLimit: FINDINGS_BYTES };
  const decisions = (await store.listDecisions(shown)).toReversed();
  const run = trigger.runId === null ? null : await store.run(trigger.runId);
  return { trigger, decisions, run, ...(await storyOf(core, pipeline, { trigger, decisions, run }, now)) };
}

interface Facts {
  readonly trigger: TriggerRecord;
  readonly decisions: readonly DecisionRecord[];
  readonly run: RunRecord | null;
}

async function storyOf(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  pipeline: Pipeline,
  facts: Facts,
  now: number,
): Promise<Told> {
  const { trigger, decisions, run } = facts;
  const who = nameOf(trigger);
  const last = decisions.at(-1);
  const ended = trigger.endedAt === null ? "" : ` at ${isoUtc(trigger.endedAt)}`;
  switch (trigger.status) {
    case "pending":
    case "held": {
      const { why, advice } = await whyWaiting(core, pipeline, trigger, last, now);
      const catchup =
        trigger.catchup === null ? [] : await whyWaited(core, pipeline, { trigger, decisions: [], until: trigger.createdAt, node: null });
      const made = catchup.length === 0 ? "" : `; ${catchup.join(", and ")}`;
      return { answer: "waiting", text: `${who} is waiting because ${why}${made}`, advice };
    }
    case "skipped":
      return skipped(core, pipeline, facts);
    case "superseded":
      return superseded(core, pipeline, facts);
    case "expired": {
      const since = decisions.find(({ outcome }) => outcome === "hold")?.at;
      const held = since === undefined || last === undefined ? "" : `, after being held since ${isoUtc(since)}: ${holdReason(last.reason)}`;
      const advice =
        'To run it regardless of its conditions, trigger the pipeline with the kind "immediate"; to let it wait longer, raise holdFor.';
      return { answer: "expired", text: `${who} expired${ended}${held || ` because ${trigger.endReason}`}`, advice };
    }
    case "cancelled":
    case "running":
    case "succeeded":
    case "failed":
      if (trigger.runId === null) return unstarted(core, pipeline, facts, `${who} was cancelled${ended}${byEnd(trigger)}`);
      return ran(core, pipeline, facts, run);
    default:
      return trigger.status satisfies never;
  }
}

function byEnd({ endedBy, endReason }: TriggerRecord): string {
  return byWhom({ user: endedBy, reason: endReason });
}

async function skipped(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  { trigger, decisions }: Facts,
): Promise<Told> {
  const last = decisions.at(-1);
  const text = `${nameOf(trigger)} was skipped because ${trigger.endReason ?? last?.reason ?? "a condition blocked it"}`;
  const at = trigger.endedAt ?? trigger.createdAt;
  if (last === undefined || last.findings.length > 0) {
    const advice = 'To run it regardless of its conditions, trigger the pipeline with the kind "immediate".';
    return { answer: "skipped", text, advice };
  }
  const used = await usedDuring(core, pipeline, { from: at, until: at + 1, node: null });
  const [slots] = used.filter(({ kind }) => kind === "slots");
  const advice = 'To have it wait instead, choose another overlap policy, such as "queue_one", or raise maxActiveRuns.';
  return { answer: "skipped", text: slots === undefined ? text : `${text}: ${slots.text}`, advice };
}

/** By which fire time, what became of that, and why it had waited. */
async function superseded(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  facts: Facts,
): Promise<Told> {
  const { trigger, decisions } = facts;
  const until = trigger.endedAt ?? trigger.createdAt;
  const next = trigger.supersededBy === null ? null : await core.store.trigger(trigger.supersededBy);
  const why = await whyWaited(core, pipeline, { trigger, decisions, until, node: null });
  const waited = why.length === 0 ? "" : `; ${why.join(", and ")}`;
  const by = next === null ? `a newer fire time (${trigger.supersededBy})` : await successors(core, next);
  return {
    answer: "superseded",
    text: `${nameOf(trigger)} was replaced${trigger.endedAt === null ? "" : ` at ${isoUtc(until)}`}, while it waited, by ${by}${waited}`,
  };
}

async function successors({ store }: Pick<Core, "store">, first: TriggerRecord): Promise<string> {
  let last = first;
  let count = 0;
  for (; last.supersededBy !== null && count < REPLACED_FOLLOWED; count++) {
    const next = await store.trigger(last.supersededBy);
    if (next === null) break;
    last = next;
  }
  if (count === 0) return `${nameOf(first)}, ${statusAt(first)}`;
  return `${nameOf(first)}, which was itself replaced; finally by ${nameOf(last)}, ${statusAt(last)}`;
}

/** A trigger that ended without a run: why it had not started before. */
async function unstarted(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  { trigger, decisions }: Facts,
  text: string,
): Promise<Told> {
  const until = trigger.endedAt ?? trigger.createdAt;
  const why = await whyWaited(core, pipeline, { trigger, decisions, until, node: null });
  return { answer: "cancelled", text: `${text}${why.length === 0 ? "" : `; before that ${why.join(", and ")}`}` };
}

async function ran(
  core: Pick<Core, "executors" | "fireQueue" | "settings" | "store">,
  pipeline: Pipeline,
  { trigger, decisions }: Facts,
  run: RunRecord | null,
): Promise<Told> {
  const last = decisions.at(-1);
  const because = `${nameOf(trigger)} ran because ${last?.reason ?? "its conditions allowed it"}`;
  if (run === null) return { answer: ANSWERS[trigger.status] ?? "ran", text: `${because}; its run has been pruned` };
  const lateMs = run.startedAt - dueAtOf(trigger, decisions);
  const waited = { trigger, decisions, until: run.startedAt, node: run.node };
  const why = lateMs < MEANT_MS ? [] : await whyWaited(core, pipeline, waited);
  const late =
    lateMs < MEANT_MS ? "" : `. It started ${roughly(lateMs)} after it was due${why.length === 0 ? "" : `: ${why.join(", and ")}`}`;
  const cancel = run.cancelRequest;
  const isCancelling = cancel !== null && (run.status === "running" || run.status === "retrying");
  const cancelling = isCancelling
    ? `; its cancellation was requested at ${isoUtc(cancel.at)}${byWhom(cancel)} and has not taken effect yet`
    : "";
  return {
    answer: run.status === "succeeded" ? "ran" : run.status,
    text: `${because}; ${runText(run)}${cancelling}${late}`,
    advice: ADVICE[run.status] ?? null,
  };
}

function runText(run: RunRecord): string {
  const { id, status, attempt, startedAt, attemptStartedAt } = run;
  const error = run.error === null ? "" : `: ${run.error.message}`;
  const started = `its run ${id} started ${isoUtc(startedAt)}`;
  const ended = `after ${roughly((run.endedAt ?? startedAt) - startedAt)}${attempt === 1 ? "" : `, in attempt ${attempt}`}`;
  switch (status) {
    case "running": {
      const before = run.attempts.at(-1);
      if (attempt === 1 || before === undefined) return `its run ${id} has been running since ${isoUtc(startedAt)}`;
      const failed = before.error === null ? "" : `, after attempt ${before.attempt} ${ENDED[before.outcome]}: ${before.error.message}`;
      return `its run ${id} has been running since ${isoUtc(startedAt)}, in attempt ${attempt} since ${isoUtc(attemptStartedAt)}${failed}`;
    }
    case "retrying": {
      const { outcome = "failed", endedAt = startedAt } = run.attempts.at(-1) ?? {};
      return `attempt ${attempt} of its run ${id} ${ENDED[outcome]} at ${isoUtc(endedAt)}${error}; attempt ${attempt + 1} is due at ${isoUtc(run.retryAt ?? endedAt)}`;
    }
    case "cancelled":
      return `${started} and was cancelled ${ended}${run.cancelRequest === null ? "" : byWhom(run.cancelRequest)}`;
    case "succeeded":
      return `${started} and succeeded ${ended}`;
    case "failed":
    case "timed_out":
      return `${started} and ${ENDED[status]} ${ended}${error}`;
    default:
      return status satisfies never;
  }
}

const ENDED = {
  succeeded: "succeeded",
  failed: "failed",
  timed_out: "timed out",
  cancelled: "was cancelled",
  lost: "was lost with its node",
} as const;

const ANSWERS: Readonly<Partial<Record<TriggerRecord["status"], ExplanationOutcome>>> = {
  failed: "failed",
  cancelled: "cancelled",
  running: "running",
};

const ADVICE: Readonly<Partial<Record<RunRecord["status"], string>>> = {
  retrying: "To stop the retries, cancel the run.",
  failed: "To run it again, trigger or backfill the pipeline.",
  timed_out: "To run it again, trigger or backfill the pipeline; to let it run longer, raise its timeout.",
};
