import { createScheduler, pipeline, type Store } from "../../src/index.js";
import type { FinishRequest } from "../../src/ports/store.js";
import { claim, deciding, registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { fakeClock } from "../../src/testing/index.js";

const SUCCEEDED: FinishRequest["end"] = { outcome: "succeeded", error: null, output: null, retryAt: null };

/**
 * Opens a store, has triggers accepted, claimed and decided on together, and their runs ended, so many at once as the scheduler does it, and closes the store.
 *
 * @throws if one of them did not run
 */
export async function runBatches(store: Store, batches: number, size: number): Promise<void> {
  await store.open();
  try {
    await store.register([registration("job", { maxActiveRuns: 100_000, nextFireAt: null })], T0);
    for (let batch = 0; batch < batches; batch++) await runBatch(store, size, T0 + batch);
  } finally {
    await store.close();
  }
}

async function runBatch(store: Store, size: number, now: number): Promise<void> {
  await store.enqueue(
    Array.from({ length: size }, () => request("job")),
    now,
  );
  const { decided } = await claim(store, now, { limit: size, judge: (trigger, _, at) => deciding(trigger, "run", at) });
  const started = decided.flatMap(({ result: { run, trigger } }) => (run === null || trigger === null ? [] : [{ run, trigger }]));
  if (started.length !== size) throw new Error(`${started.length} of ${size} have started`);
  const ends = await store.finish(started.map(ending), () => now);
  if (!ends.every(({ isAccepted }) => isAccepted)) throw new Error("an end was refused");
}

function ending(known: Required<FinishRequest>["known"]): FinishRequest {
  return { runId: known.run.id, token: known.run.token, end: SUCCEEDED, follow: [], onlyIfExpired: false, known };
}

/**
 * The same through a scheduler, with the slots of the default executor.
 *
 * @param onTurn - called when the loop lets the event loop turn, with the number of runs that have begun
 */
export async function runThroughScheduler(store: Store, count: number, onTurn: (ran: number) => void = () => {}): Promise<void> {
  let ran = 0;
  const clock = Object.assign(fakeClock(), { yield: async () => onTurn(ran) });
  const job = pipeline({ id: "job", execution: { maxActiveRuns: 100_000 }, run: () => void ran++ });
  const scheduler = createScheduler({ pipelines: [job], store, clock, logger: { log: () => {} } });
  await scheduler.start();
  await scheduler.pause();
  await Promise.all(Array.from({ length: count }, () => scheduler.trigger("job")));
  await scheduler.resume();
  await clock.settle();
  await scheduler.stop();
  if (ran !== count) throw new Error(`${ran} of ${count} have run`);
}
