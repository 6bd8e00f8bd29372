import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { postgresStore } from "../../src/adapters/stores/postgres/postgres-store.js";
import { sqliteStore } from "../../src/adapters/stores/sqlite/sqlite-store.js";
import { memoryStore, type Store } from "../../src/index.js";
import {
  claim,
  decideAll,
  finishOne,
  firing,
  MINUTE,
  nextId,
  pruneAll,
  registration,
  request,
  T0,
} from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";

const folder = mkdtempSync(join(tmpdir(), "headgate-retention-"));
const url = await testDatabaseUrl();
let files = 0;
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dropSchemas();
});

const PIPELINES = ["a", "b", "c", "d"];
const AGE_MS = 65 * MINUTE;
const STEP_MS = 10 * MINUTE;

interface Limits {
  readonly count: number;
  readonly countPerPipeline: number | null;
}
type Options = Limits & { readonly maxAge: string };

/** An event of one pipeline at one instant. */
interface Happening {
  readonly pipeline: number;
  readonly what: "skips" | "runs" | "drops" | "holds" | "starts" | "ends held" | "ends started" | "pauses";
  readonly count: number;
}

/** The records that the rule is about, oldest first, and those that it is not about. */
class Model {
  readonly ended = new Map(PIPELINES.map((id) => [id, [] as { readonly id: string; readonly at: number }[]]));
  readonly open = new Set<string>();

  prune(now: number, { count, countPerPipeline }: Limits): void {
    for (const [id, records] of this.ended) {
      const young = records.filter(({ at }) => at >= now - AGE_MS);
      this.ended.set(id, young.slice(Math.max(0, young.length - (countPerPipeline ?? young.length))));
    }
    while (this.total > count) this.largest().shift();
  }

  get total(): number {
    return [...this.ended.values()].reduce((sum, { length }) => sum + length, 0);
  }

  largest() {
    return [...this.ended.values()].reduce((one, other) => (other.length > one.length ? other : one));
  }
}

/** Does one thing; returns the open triggers that are left. */
async function happen(store: Store, model: Model, { pipeline, what, count }: Happening, now: number): Promise<void> {
  const id = PIPELINES[pipeline] ?? "a";
  const of = (recordId: string) => model.ended.get(id)?.push({ id: recordId, at: now });
  if (what === "pauses") {
    const pause = { at: now, until: null, reason: null, user: null };
    if ((await store.states([id]))[0]?.pause === null) await store.pause([{ pipelineId: id, pause }]);
    else await store.resume([{ pipelineId: id }], now);
    return;
  }
  if (what === "drops") {
    const state = (await store.states([id]))[0];
    if (state === null || state === undefined || state.pause !== null) return;
    const at = state.nextFireAt ?? now;
    const one = { id: nextId(), pipelineId: id, triggerId: null, kind: "scheduled" as const, scheduledFor: at, at: now, findings: [] };
    const dropped = [{ ...one, outcome: "skip" as const, reason: "missed", missed: { count: 1, lastAt: at } }];
    const [fired] = await store.fire([firing(id, at, { triggers: [], dropped })], now);
    expect(fired?.outcome).toBe("fired");
    of(one.id);
    return;
  }
  if (what === "ends held" || what === "ends started") {
    const statuses = what === "ends held" ? (["held"] as const) : (["running"] as const);
    for (const trigger of await store.listTriggers({ pipelineId: id, statuses, limit: count })) {
      if (what === "ends held") await store.endTrigger(trigger.id, "cancelled", { at: now, user: null, reason: null });
      else {
        const run = trigger.runId === null ? null : await store.run(trigger.runId);
        if (run !== null) await finishOne(store, run, now);
      }
      model.open.delete(trigger.id);
      of(trigger.id);
    }
    return;
  }
  const made = await store.enqueue(
    Array.from({ length: count }, () => request(id, { isForced: true })),
    now,
  );
  const ids = new Set(made.map(({ trigger }) => trigger.id));
  const { triggers } = await claim(store, now, { canRun: (one) => one === id });
  const fresh = triggers.filter((trigger) => ids.has(trigger.id));
  expect(fresh).toHaveLength(count);
  const outcome = what === "skips" ? "skip" : what === "holds" ? "hold" : "run";
  for (const [index, { run }] of (await decideAll(store, fresh, outcome, now)).entries()) {
    const triggerId = fresh[index]?.id ?? "";
    if (what === "runs" && run !== null) await finishOne(store, run, now);
    if (what === "runs" || what === "skips") of(triggerId);
    else model.open.add(triggerId);
  }
}

async function recordsOf(store: Store) {
  const triggers = await store.listTriggers({ limit: 10_000 });
  const decisions = await store.listDecisions({ limit: 10_000 });
  const runs = await store.listRuns({ limit: 10_000 });
  return { triggers, decisions, runs };
}

/** Which may differ by one for pipelines that have as many: then the store's choice is taken over. */
async function compare(store: Store, model: Model): Promise<void> {
  const { triggers, decisions, runs } = await recordsOf(store);
  const kept = new Set([...triggers.map(({ id }) => id), ...decisions.filter(({ triggerId }) => triggerId === null).map(({ id }) => id)]);
  for (const id of model.open) expect(kept.has(id)).toBe(true);
  let total = 0;
  for (const [id, expected] of model.ended) {
    const left = all.get(id)?.filter((one) => kept.has(one.id)) ?? [];
    total += left.length;
    expect(Math.abs(left.length - expected.length)).toBeLessThanOrEqual(1);
    const both = Math.min(left.length, expected.length);
    expect(left.map((one) => one.at).slice(left.length - both)).toEqual(expected.map((one) => one.at).slice(expected.length - both));
    model.ended.set(id, left);
  }
  expect(total + model.open.size).toBe(kept.size);
  const triggerIds = new Set(triggers.map(({ id }) => id));
  expect(decisions.filter(({ triggerId }) => triggerId !== null && !triggerIds.has(triggerId))).toEqual([]);
  expect(runs.filter(({ triggerId }) => !triggerIds.has(triggerId))).toEqual([]);
  expect(runs).toHaveLength(triggers.filter(({ runId }) => runId !== null).length);
}

const all = new Map<string, { readonly id: string; readonly at: number }[]>();

async function tryOut(store: Store, limits: Limits, steps: readonly (readonly Happening[])[], limit: number): Promise<void> {
  await store.open();
  try {
    await store.register(
      PIPELINES.map((id) => registration(id, { maxActiveRuns: 1_000 })),
      T0,
    );
    const model = new Model();
    for (const [index, step] of steps.entries()) {
      const now = T0 + (index + 1) * STEP_MS;
      await pruneAll(store, now, limit);
      model.prune(now, limits);
      for (const one of step) await happen(store, model, one, now);
      all.clear();
      for (const [id, records] of model.ended) all.set(id, [...records]);
      model.prune(now + 2 * MINUTE, limits);
      await pruneAll(store, now + 2 * MINUTE, limit);
      await compare(store, model);
    }
  } finally {
    await store.close();
  }
}

const happening: fc.Arbitrary<Happening> = fc.record({
  pipeline: fc.nat(PIPELINES.length - 1),
  what: fc.constantFrom("skips", "skips", "runs", "runs", "drops", "holds", "starts", "ends held", "ends started", "pauses"),
  count: fc.integer({ min: 1, max: 12 }),
});

describe.each<[string, number, (options: Options) => Store]>([
  ["memory", 60, ({ maxAge, ...rest }) => memoryStore({ retention: { ...rest, maxAge: maxAge as "65m" } })],
  [
    "SQLite",
    25,
    ({ maxAge, ...rest }) =>
      sqliteStore({ file: join(folder, `${++files}.db`), synchronous: "normal", retention: { ...rest, maxAge: maxAge as "65m" } }),
  ],
  ...(url === null
    ? []
    : [
        [
          "PostgreSQL",
          5,
          ({ maxAge, ...rest }: Options) =>
            postgresStore({ connectionString: url, schema: freshSchema(), retention: { ...rest, maxAge: maxAge as "65m" } }),
        ] as [string, number, (options: Options) => Store],
      ]),
])("retention on %s", (_, numRuns, make) => {
  it("leaves what its rule says, whatever ends, waits, runs and is paused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(happening, { maxLength: 6 }), { minLength: 1, maxLength: 10 }),
        fc.nat(40),
        fc.option(fc.nat(15)),
        fc.constantFrom(3, 10, 100),
        async (steps, count, countPerPipeline, limit) => {
          await tryOut(make({ count, countPerPipeline, maxAge: "65m" }), { count, countPerPipeline }, steps, limit);
        },
      ),
      { numRuns },
    );
  });
});
