import type { Scheduler } from "../../../src/index.js";
import { Draws } from "../random.js";
import type { Seen, SeenAnswer, SeenUpcoming } from "../seen.js";
import type { World } from "../spec.js";

const MINUTE = 60_000;

export interface Answers {
  readonly answers: SeenAnswer[];
  readonly upcoming: SeenUpcoming[];
}

type Records = Pick<Seen, "triggers" | "decisions" | "runs">;

/** Asks what will be (with `records: null`, while the world goes on) or what was (with all records, at its end). */
export async function ask(scheduler: Scheduler, world: World, now: number, into: Answers, records: Records | null): Promise<void> {
  const draws = new Draws(world.seed * 31 + now);
  const fires = (await scheduler.upcoming({ count: 12 })).map(({ pipelineId, fireAt }) => ({ pipelineId, at: fireAt.getTime() }));
  if (records === null) into.upcoming.push({ askedAt: now, fires });
  const questions = records === null ? await ofTheFuture(scheduler, world, now, fires) : ofThePast(world, now, records, draws);
  for (const { pipelineId, at, why, of = null } of questions) {
    const answer = await scheduler.explain(pipelineId, at);
    into.answers.push({
      askedAt: now,
      pipelineId,
      at,
      answer: answer.answer,
      text: answer.text,
      triggerId: answer.trigger?.id ?? null,
      runId: answer.run?.id ?? null,
      decisionIds: answer.decisions.map(({ id }) => id),
      nextFireAt: answer.nextFireAt === null ? null : answer.nextFireAt.getTime(),
      why,
      of,
    });
  }
}

type Question = Pick<SeenAnswer, "pipelineId" | "at" | "why"> & { readonly of?: string };

/** Instants at which something is due: fire times, looks at held triggers, retries, later starts, ends of holds; and one at which nothing is. */
async function ofTheFuture(scheduler: Scheduler, world: World, now: number, fires: readonly { pipelineId: string; at: number }[]) {
  const questions: Question[] = [];
  for (const { id } of world.pipelines) {
    for (const { at } of fires.filter(({ pipelineId }) => pipelineId === id).slice(0, 2))
      questions.push({ pipelineId: id, at, why: "fire" });
    const waiting = await scheduler.triggers({ pipelineId: id, status: ["pending", "held"], limit: 3 });
    for (const { id: of, status, availableAt, expiresAt } of waiting.items) {
      const [lookedAt, givenUpAt] = [availableAt.getTime(), expiresAt === null ? now : expiresAt.getTime()];
      if (lookedAt > now) questions.push({ pipelineId: id, at: lookedAt, why: status === "held" ? "recheck" : "notBefore", of });
      if (givenUpAt > now) questions.push({ pipelineId: id, at: givenUpAt, why: "expiry", of });
    }
    const retrying = await scheduler.runs({ pipelineId: id, status: "retrying", limit: 2 });
    for (const { retryAt } of retrying.items)
      if (retryAt !== null && retryAt.getTime() > now) questions.push({ pipelineId: id, at: retryAt.getTime(), why: "retry" });
    questions.push({ pipelineId: id, at: now + 17 * MINUTE + 101, why: "any" });
  }
  return questions;
}

/** Some fire times of each pipeline, made, dropped and as drawn, and some instants that are none. */
function ofThePast({ pipelines, from }: World, now: number, { triggers, decisions }: Records, draws: Draws): Question[] {
  const questions: Question[] = [];
  for (const { id } of pipelines) {
    const own = triggers.filter(({ pipelineId, kind }) => pipelineId === id && kind === "scheduled");
    const dropped = decisions.filter(({ pipelineId, triggerId }) => pipelineId === id && triggerId === null);
    for (const list of [own, dropped].map((all) => all.map(({ scheduledFor }) => scheduledFor)))
      for (let n = Math.min(6, list.length); n > 0; n--) {
        const scheduledFor = draws.pick(list);
        if (scheduledFor !== null) questions.push({ pipelineId: id, at: scheduledFor, why: "fire" });
      }
    for (let n = 3; n > 0; n--)
      questions.push({ pipelineId: id, at: from + draws.whole(1, (now - from) / 1_000 - 1) * 1_000 + 401, why: "any" });
  }
  return questions.filter(({ at }) => at <= now);
}
