import { isoUtc } from "../../base/instant.js";
import { holdReason } from "../../gate/decide.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { OpenMatter } from "../../ports/scheduler-api/explanation.js";
import type { Core } from "../context/core.js";
import type { GateEvaluator } from "../gating/gate-evaluator.js";
import { SharedLimits } from "./contention.js";
import { tell } from "./explain-past.js";
import { nameOf } from "./explain-words.js";
import { withLocalTime } from "./local-time.js";
import { Projection } from "./projection.js";
import type { Projected } from "./projection-items.js";
import { type ProjectionState, projectionState } from "./projection-state.js";
import { MEANT_MS, type Story } from "./story.js";

/** The surroundings that the future of one pipeline depends on. */
export interface Surroundings {
  /** All pipelines of this node. */
  readonly pipelines: readonly Pipeline[];
  /** False for a scheduler that has never been started, and only answers. */
  readonly isStarted: boolean;
  /** True if a pipeline's adaptive interval is neither frozen nor overridden. */
  readonly isAdapting: (pipelineId: string) => boolean;
}

const ALSO = 3;

/** Foretells what will happen at an instant, from the pipeline's current state. */
export async function foretell(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  gates: GateEvaluator,
  pipeline: Pipeline,
  at: number,
  now: number,
  { pipelines, isStarted, isAdapting }: Surroundings,
): Promise<Story> {
  const { store } = core;
  const [[stored], global] = await Promise.all([store.states([pipeline.id]), store.globalPause()]);
  const state = await projectionState(core, pipeline, stored ?? null, global, isStarted, now);
  if (state.isForeign)
    return {
      answer: "unknown",
      text: `another node has registered ${pipeline.id} with a different schedule from this node's (${pipeline.schedule.describe()}), and fires it`,
    };
  const contention = await new SharedLimits(core, pipelines, now).of(pipeline);
  const projection = new Projection(core, gates, state, contention, isAdapting(pipeline.id), at);
  await projection.advance(at - 1);
  const between = storyBetween(projection, state, at);
  const fireAt = pipeline.schedule.nextAfter(at - 1) ?? Number.POSITIVE_INFINITY;
  const found = await projection.advance(Math.min(fireAt, at + MEANT_MS - 1));
  const main = found.find(({ what }) => what === "fire") ?? found[0];
  if (main !== undefined) return storyOf(main, found, state);
  if (between !== null) return between;
  return (await passedBy(core, state, at)) ?? nothing(projection, state, at);
}

function storyOf(main: Projected, found: readonly Projected[], { pipeline, held }: ProjectionState): Story {
  const others = found.filter((one) => one !== main);
  const also = others.slice(0, ALSO).map(({ name, answer }) => `${name}: ${answer.replace("_", " ")}`);
  const more = others.length > ALSO ? ` and ${others.length - ALSO} more` : "";
  return {
    answer: main.answer,
    text: `${introduction(main, pipeline)} ${main.reason}${also.length === 0 ? "" : `. At that instant also: ${also.join("; ")}${more}`}`,
    ...(main.trigger === null ? {} : { trigger: main.trigger }),
    ...(main.trigger !== null && held?.triggerId === main.trigger.id ? { decisions: [held] } : {}),
    run: main.run,
    findings: main.findings,
    dependsOn: main.dependsOn,
  };
}

function introduction({ what, at, name, trigger }: Projected, pipeline: Pipeline): string {
  const when = withLocalTime(at, pipeline);
  if (what === "fire") return `its schedule fires at ${when}, and`;
  if (what === "retry") return `its ${name} is due again at ${when}:`;
  if (what === "expiry") return `${name} is held until ${when} at the latest, and`;
  if (trigger?.status === "held") return `${name}, held until then, is checked again at ${when}, and`;
  return `${name} is due at ${when}, and`;
}

/** Describes what waits at an instant at which nothing happens. */
function storyBetween(projection: Projection, state: ProjectionState, at: number): Story | null {
  const { pipeline, held } = state;
  const { retrying } = projection;
  if (retrying !== null) {
    const { run } = retrying;
    const error = run.error === null ? "" : ` (attempt ${run.attempt} failed: ${run.error.message})`;
    const due = retrying.at === Number.POSITIVE_INFINITY ? "due when the pause ends" : `due at ${withLocalTime(retrying.at, pipeline)}`;
    const text = `its run ${run.id} will wait for attempt ${run.attempt + 1}, ${due}${error}`;
    return { answer: "will_wait", text, run };
  }
  const waiting = projection.waitingAt(at);
  if (waiting === null) return null;
  const { record, isCertain, from } = waiting;
  const name = nameOf(record);
  const limits = [
    from === Number.POSITIVE_INFINITY
      ? "it is waiting for the pause to end"
      : isCertain
        ? `it may not start before ${withLocalTime(from, pipeline)}`
        : null,
    record.expiresAt === null ? null : `it expires at ${withLocalTime(record.expiresAt, pipeline)}`,
  ].filter((one) => one !== null);
  const why = held !== null && held.triggerId === record.id ? ` because ${holdReason(held.reason)}` : "";
  const rest = { trigger: record, ...(held?.triggerId === record.id ? { decisions: [held] } : {}) };
  if (isCertain)
    return { ...rest, answer: "will_wait", text: `${name} will wait${why}${limits.length === 0 ? "" : `; ${limits.join("; ")}`}` };
  const matters = openOf(pipeline, projection, at);
  const until = limits.length === 0 ? "" : ` (${limits.join("; ")})`;
  return {
    ...rest,
    answer: "may_run",
    text: `${name}, which is waiting now, may run by then or still be waiting${until}, depending on ${matters.map(({ reason }) => reason).join("; ")}`,
    dependsOn: matters,
  };
}

function openOf({ gate }: Pipeline, projection: Projection, at: number): readonly OpenMatter[] {
  const runs = projection.runsAt(at);
  const conditions = gate.conditions.filter(({ needs }) => needs !== "time");
  const slot: OpenMatter = {
    kind: "slot",
    name: null,
    reason: runs.length === 0 ? "when it gets a free slot" : `when ${runs.join(" and ")} ends`,
  };
  const open = conditions.map(({ name }): OpenMatter => ({ kind: "condition", name, reason: `what ${name} finds` }));
  return runs.length > 0 || open.length === 0 ? [slot, ...open] : open;
}

/** A fire time that the store has gone past already: made or dropped by a clock that was ahead. */
async function passedBy(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  { pipeline, nextFireAt, now }: ProjectionState,
  at: number,
): Promise<Story | null> {
  const fireAt = pipeline.schedule.nextAfter(at - 1);
  if (fireAt === null || fireAt >= at + MEANT_MS) return null;
  const recorded = await tell(core, pipeline, [], fireAt, now);
  if (recorded.answer === "missed" || recorded.trigger?.scheduledFor === fireAt) return recorded;
  const goesOn = nextFireAt === null ? "it will not fire again" : `its next fire time is ${withLocalTime(nextFireAt, pipeline)}`;
  return {
    answer: "not_scheduled",
    text: `its schedule (${pipeline.schedule.describe()}) has a fire time at ${withLocalTime(fireAt, pipeline)}, but the store has already advanced beyond that: ${goesOn}`,
  };
}

function nothing(projection: Projection, { pipeline, nextFireAt, pause }: ProjectionState, at: number): Story {
  const { schedule, after, sensors } = pipeline;
  const ruleAt = schedule.nextAfter(at);
  const next = nextFireAt === null || ruleAt === null ? null : Math.max(ruleAt, nextFireAt);
  const parts = [`nothing is due then (${schedule.describe()})`];
  if (next !== null) parts.push(`its next fire time after that is ${withLocalTime(next, pipeline)}`);
  else if (schedule.kind !== "manual") parts.push("it will not fire again");
  if (projection.mayHaveChanged(at)) parts.push("its interval is adaptive and may change before then");
  if (after.length > 0) parts.push(`it is triggered by every success of ${after.join(" or ")}`);
  if (sensors.length > 0) parts.push(`${sensors.length === 1 ? "a sensor" : `${sensors.length} sensors`} may trigger it`);
  const runs = projection.runsAt(at);
  if (runs.length > 0) parts.push(`${runs.join(" and ")} may not have ended by then`);
  if (pause !== null && (pause.until === null || pause.until > at))
    parts.push(`nothing would fire then anyway: it has been paused since ${isoUtc(pause.at)}`);
  return { answer: "not_scheduled", text: parts.join("; ") };
}
