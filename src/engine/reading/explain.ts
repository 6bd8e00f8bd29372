import { isoUtc, toDate } from "../../base/instant.js";
import { decisionView, findingView } from "../../gate/view.js";
import type { Pipeline } from "../../pipeline/pipeline.js";
import type { Explanation } from "../../ports/scheduler-api/explanation.js";
import type { SensorStatus } from "../../ports/scheduler-api/status.js";
import { runView } from "../../run/view.js";
import type { ScheduleKind } from "../../schedule/schedule.js";
import { triggerView } from "../../trigger/view.js";
import type { Core } from "../context/core.js";
import type { GateEvaluator } from "../gating/gate-evaluator.js";
import { foretell, type Surroundings } from "./explain-future.js";
import { tell } from "./explain-past.js";
import { clockChangeNear, withLocalTimes, zoneNameOf } from "./local-time.js";
import { isPlanned } from "./projection-state.js";
import type { Story } from "./story.js";

export type { ExplanationOutcome, FutureAnswer, OpenMatter } from "../../ports/scheduler-api/explanation.js";

/** Dependencies of an explanation besides the store. */
interface ExplainParts {
  readonly gates: GateEvaluator;
  readonly sensors: readonly SensorStatus[];
  readonly surroundings: Surroundings;
}

export async function explain(
  core: Pick<Core, "executors" | "fireQueue" | "node" | "settings" | "store">,
  { gates, sensors, surroundings }: ExplainParts,
  pipeline: Pipeline,
  at: number,
  now: number,
): Promise<Explanation> {
  const story = at > now ? await foretell(core, gates, pipeline, at, now, surroundings) : await tell(core, pipeline, sensors, at, now);
  return {
    pipelineId: pipeline.id,
    at: toDate(at),
    answer: story.answer,
    text: textOf(pipeline, at, story),
    trigger: story.trigger === undefined ? null : triggerView(story.trigger),
    decisions: (story.decisions ?? []).map(decisionView),
    run: story.run ? runView(story.run) : null,
    findings: (story.findings ?? []).map(findingView),
    dependsOn: story.dependsOn ?? [],
    nextFireAt: toDate(await nextFireAfter(core, pipeline, at, now)),
  };
}

async function nextFireAfter({ store }: Pick<Core, "store">, pipeline: Pipeline, at: number, now: number): Promise<number | null> {
  const next = pipeline.schedule.nextAfter(at);
  if (next === null || next <= now) return next;
  const [state] = await store.states([pipeline.id]);
  if (state === undefined || !isPlanned(state, pipeline)) return next;
  return state.nextFireAt === null ? null : Math.max(next, state.nextFireAt);
}

/** Schedules that no wall clock moves. */
const ELAPSED: ReadonlySet<ScheduleKind> = new Set<ScheduleKind>(["every", "at", "manual", "adaptive"]);

/** The whole answer: what happened and why, what the clocks did then, and what can be done; with local times. */
function textOf(pipeline: Pipeline, at: number, { text, advice = null }: Story): string {
  const zone = zoneNameOf(pipeline);
  const change = ELAPSED.has(pipeline.schedule.kind) ? null : clockChangeNear(at, zone);
  const parts = [`${pipeline.id} at ${isoUtc(at)}: ${text}`, change === null ? null : capitalized(change), advice];
  return withLocalTimes(parts.flatMap((part) => (part === null ? [] : [sentence(part)])).join(" "), zone);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
