import { isoUtc, toDate } from "../../base/instant.js";
import type { Core } from "../core.js";
import type { GateKeeper } from "../gate-keeper.js";
import type { Pipeline } from "../pipeline.js";
import { type Decision, decisionView, type FindingView, findingView, type Run, runView, type Trigger, triggerView } from "../views.js";
import { foretell, type Surroundings } from "./explain-future.js";
import { tell } from "./explain-past.js";
import { isPlanned } from "./projection-state.js";
import type { Answer, OpenMatter } from "./story.js";

export type { Answer, FutureAnswer, OpenMatter } from "./story.js";

/** Why a pipeline ran, did not run, or is waiting. */
export interface Explanation {
  readonly pipelineId: string;
  readonly at: Date;
  readonly answer: Answer;
  /** The whole answer in words. */
  readonly text: string;
  readonly trigger: Trigger | null;
  /** Oldest first. */
  readonly decisions: readonly Decision[];
  readonly run: Run | null;
  /** What conditions will say, for an instant to come; those that cannot be known are `not_evaluated`. */
  readonly findings: readonly FindingView[];
  /** What an answer `may_…` depends on; empty for the others, but for a pause without an end. */
  readonly dependsOn: readonly OpenMatter[];
  /** The first fire time after the instant; one to come is where the store has the schedule. */
  readonly nextFireAt: Date | null;
}

export async function explain(
  core: Core,
  gates: GateKeeper,
  pipeline: Pipeline,
  surroundings: Surroundings,
  at: number,
  now: number,
): Promise<Explanation> {
  const story = at > now ? await foretell(core, gates, pipeline, at, now, surroundings) : await tell(core, pipeline, at, now);
  return {
    pipelineId: pipeline.id,
    at: toDate(at),
    answer: story.answer,
    text: `${pipeline.id} at ${isoUtc(at)}: ${story.text}`,
    trigger: story.trigger === undefined ? null : triggerView(story.trigger),
    decisions: (story.decisions ?? []).map(decisionView),
    run: story.run ? runView(story.run) : null,
    findings: (story.findings ?? []).map(findingView),
    dependsOn: story.dependsOn ?? [],
    nextFireAt: toDate(await nextFireAfter(core, pipeline, at, now)),
  };
}

async function nextFireAfter({ store }: Core, pipeline: Pipeline, at: number, now: number): Promise<number | null> {
  const next = pipeline.schedule.nextAfter(at);
  if (next === null || next <= now) return next;
  const [state] = await store.states([pipeline.id]);
  if (state === undefined || !isPlanned(state, pipeline)) return next;
  return state.nextFireAt === null ? null : Math.max(next, state.nextFireAt);
}
