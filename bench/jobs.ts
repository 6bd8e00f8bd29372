import { createScheduler, functionExecutor, type Pipeline, pipeline, type Scheduler, type Store } from "headgate";
import { IN_HAND } from "./peers/peer.js";
import { SILENT, times } from "./support.js";

/** A scheduler of one pipeline, `job`, whose function does nothing. */
export interface Jobs {
  readonly scheduler: Scheduler;
  /** Runs that have begun. */
  ran(): number;
}

/** @param onRun - gets the trigger's `reason` */
export function jobsOn(store: Store, onRun: (reason: string | null) => void = () => {}, others: readonly Pipeline[] = []): Jobs {
  let ran = 0;
  const job = pipeline({
    id: "job",
    execution: { maxActiveRuns: 100_000 },
    run: ({ trigger }) => {
      ran++;
      onRun(trigger.reason);
    },
  });
  const executor = functionExecutor({ concurrency: IN_HAND });
  return { scheduler: createScheduler({ pipelines: [job, ...others], store, executor, logger: SILENT }), ran: () => ran };
}

/** Has so many triggers accepted, a thousand at once. */
export async function accept(scheduler: Scheduler, count: number, idOf: (n: number) => string = () => "job"): Promise<void> {
  await times(count, 1_000, (n) => scheduler.trigger(idOf(n)));
}

/** A store that counts how long its claims take, ms. */
export function timingClaims(store: Store): { readonly store: Store; readonly claims: number[] } {
  const claims: number[] = [];
  const claim: Store["claim"] = async (request, now) => {
    const begin = performance.now();
    const claimed = await store.claim(request, now);
    claims.push(performance.now() - begin);
    return claimed;
  };
  const timed = new Proxy(store, {
    get: (target, name) => {
      if (name === "claim") return claim;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return { store: timed, claims };
}
