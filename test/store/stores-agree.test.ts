import { describe, expect, it } from "vitest";
import type { Claim, FireRequest, Store } from "../../src/ports/store.js";
import type { RunRecord } from "../../src/run/run.js";
import { deciding, firing, MINUTE, registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { randomFrom } from "../../src/testing/random.js";
import { OVERLAPS } from "../../src/trigger/overlap.js";
import type { TriggerRecord } from "../../src/trigger/trigger.js";
import { places } from "../support/stores.js";

/** Fields that stores on databases have for themselves. */
type OwnFields = Partial<Record<"uniqueKey" | "payloadId" | "line", unknown>>;

const { memory, sqlite, postgres } = await places();

/** One operation on a store, made before it is known on which; returns what must be the same everywhere. */
type Operation = (store: Store) => Promise<unknown>;

/** Ids of decisions and runs by what they are for, so that every store gets the same ones. */
function namedIds() {
  const names = new Map<string, string>();
  return (trigger: TriggerRecord, outcome: "run" | "hold" | "skip", now: number) => {
    const made = deciding(trigger, outcome, now);
    const name = `${trigger.id} ${trigger.token} ${outcome}`;
    const id = names.get(name) ?? made.decision.id;
    names.set(name, id);
    return { ...made, trigger, decision: { ...made.decision, id }, run: made.run === null ? null : { ...made.run, id: `R${id}` } };
  };
}

/** Random operations on three pipelines with random overlap policies. */
class Operations {
  readonly #random: () => number;
  readonly #decide = namedIds();
  readonly #next = [T0 + MINUTE, T0 + MINUTE, T0 + MINUTE];
  readonly #maxActiveRuns: readonly number[];
  readonly #overlaps: readonly (typeof OVERLAPS)[number][];
  now = T0;

  constructor(seed: number) {
    this.#random = randomFrom(seed * 101 + 7);
    const three = [0, 1, 2];
    this.#overlaps = three.map((index) => (index === 0 ? "cancel_running" : this.#pick(OVERLAPS)));
    this.#maxActiveRuns = three.map(() => this.#pick([1, 1, 2, 3]));
  }

  #pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)] as T;
  }

  register(): Operation {
    const all = this.#overlaps.map((overlap, index) =>
      registration(`p${index}`, { overlap, maxActiveRuns: this.#maxActiveRuns[index] ?? 1, pool: index === 2 ? null : "db" }),
    );
    return (store) => store.register(all, T0);
  }

  next(known: { readonly runs: readonly RunRecord[]; readonly triggers: readonly TriggerRecord[] }): Operation {
    this.now += Math.floor(this.#random() * 3) * 20_000;
    const { now } = this;
    const luck = this.#random();
    if (luck < 0.25) return this.#fire(now);
    if (luck < 0.6) return this.#claim(now);
    if (luck < 0.75) return this.#finish(known.runs, now);
    if (luck < 0.82) {
      const asked = request(`p${Math.floor(this.#random() * 3)}`, {
        kind: this.#pick(["manual", "immediate"] as const),
        isForced: this.#random() < 0.2,
      });
      return (store) => store.enqueue([asked], now);
    }
    if (luck < 0.87) return this.#cancel(known, now);
    if (luck < 0.92) {
      const whom = this.#pick([null, "p0", "p1"]);
      const pause = { at: now, until: this.#random() < 0.5 ? null : now + MINUTE, reason: "moving", user: "ana" };
      return (store) => store.pause([{ pipelineId: whom, pause }]);
    }
    if (luck < 0.97) {
      return async (store) => [
        await store.resume([{ pipelineId: null }], now),
        await store.resume([{ pipelineId: "p0" }], now),
        await store.resume([{ pipelineId: "p1" }], now),
      ];
    }
    return async (store) => ids(await store.expire(now));
  }

  #fire(now: number): Operation {
    const requests = this.#next.flatMap((from, index): FireRequest[] => {
      if (from > now || this.#random() < 0.3) return [];
      const times: number[] = [];
      for (let at = from; at <= now; at += MINUTE) times.push(at);
      const triggers = times.map((at) => request(`p${index}`, { kind: "scheduled", scheduledFor: at }));
      const nextFireAt = (times.at(-1) ?? from) + MINUTE;
      this.#next[index] = nextFireAt;
      return [firing(`p${index}`, from, { nextFireAt, triggers })];
    });
    const index = (id: string) => Number(id.slice(1));
    return async (store) => {
      const results = await store.fire(requests, now);
      for (const [place, { outcome, state }] of results.entries()) {
        if (outcome !== "fired") this.#next[index(requests[place]?.pipelineId ?? "p0")] = state?.nextFireAt ?? 0;
      }
      return results.map(({ outcome, triggers, superseded }) => [outcome, triggers, superseded]);
    };
  }

  #claim(now: number): Operation {
    const [isLeft, limit] = [this.#random() < 0.3, this.#pick([1, 3, 100])];
    const fate = this.#random();
    const outcomeOf = ({ id }: TriggerRecord) => {
      const luck = (Number.parseInt(id.slice(-3), 32) * 0.37 + fate) % 1;
      return luck < 0.7 ? ("run" as const) : luck < 0.85 ? ("hold" as const) : ("skip" as const);
    };
    return async (store) => {
      for (let more = true; more; ) {
        const claim: Claim = await store.claim(
          {
            node: "node-1",
            limit,
            claimLeaseMs: 90_000,
            attemptLeaseMs: 90_000,
            globalLimit: null,
            pools: new Map([["db", 3]]),
            canRun: () => true,
            judge: (trigger, isOverlapping) =>
              isLeft && !isOverlapping ? null : this.#decide(trigger, isOverlapping ? "skip" : outcomeOf(trigger), now),
          },
          () => now,
        );
        const { decided, triggers, attempts } = claim;
        more =
          decided.some(({ request: { run } }) => run === null) ||
          claim.isPartial === true ||
          decided.length + triggers.length + attempts.length >= limit;
      }
      return null; // stores may need more or fewer claims for the same: what came of them is in the records
    };
  }

  #finish(runs: readonly RunRecord[], now: number): Operation {
    const run = this.#pick(runs.filter(({ status }) => status === "running"));
    const outcome = this.#pick(["succeeded", "failed", "timed_out"] as const);
    const retryAt = outcome !== "succeeded" && this.#random() < 0.7 ? now + this.#pick([0, 1, 3]) * MINUTE : null;
    const end = { outcome, error: outcome === "succeeded" ? null : { message: "down", code: null }, output: null, retryAt };
    return async (store) =>
      run === undefined ? null : store.finish([{ runId: run.id, token: run.token, end, follow: [], onlyIfExpired: false }], () => now);
  }

  #cancel({ runs, triggers }: { runs: readonly RunRecord[]; triggers: readonly TriggerRecord[] }, now: number): Operation {
    const one = this.#pick([...runs.filter(({ endedAt }) => endedAt === null), ...triggers.filter(({ endedAt }) => endedAt === null)]);
    const stop = { at: now, user: "ben", reason: "wrong" };
    return async (store) =>
      one === undefined ? null : "triggerId" in one ? store.cancelRun(one.id, stop) : store.endTrigger(one.id, "cancelled", stop);
  }
}

function ids(records: readonly { readonly id: string }[]): readonly string[] {
  return records.map(({ id }) => id).toSorted();
}

async function recordsOf(store: Store) {
  const whole = { limit: 10_000 };
  const [triggers, runs, decisions, states, global] = await Promise.all([
    store.listTriggers(whole),
    store.listRuns(whole),
    store.listDecisions(whole),
    store.states(["p0", "p1", "p2"]),
    store.globalPause(),
  ]);
  const byId = <T extends { readonly id: string }>(all: readonly T[]) => all.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const plain = byId(triggers).map((trigger) => {
    const { uniqueKey: _key, payloadId: _payload, line: _line, ...rest } = trigger as TriggerRecord & OwnFields;
    return rest;
  });
  return { triggers: plain, runs: byId(runs), decisions: byId(decisions), states, global };
}

const [from = 1, to = 4] = (process.env.HEADGATE_SEEDS ?? "1-4").split("-").map(Number);
const SEEDS = Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe("whatever is done to them, stores have the same records", () => {
  const others = [sqlite, ...postgres];

  it.each(SEEDS)(
    "as the memory store, step by step (world %i)",
    async (seed) => {
      const operations = new Operations(seed);
      const stores = [memory[1]()(), ...others.map(([, place]) => place()())];
      await Promise.all(stores.map((store) => store.open()));
      const [first, ...rest] = stores as [Store, ...Store[]];
      const register = operations.register();
      for (const store of stores) await register(store);
      let known = await recordsOf(first);
      let overlapped = 0;
      for (let step = 0; step < 120; step++) {
        const operation = operations.next(known);
        const expected = await operation(first);
        known = await recordsOf(first);
        for (const [index, store] of rest.entries()) {
          const where = `step ${step} on ${others[index]?.[0]}`;
          expect({ answer: (await operation(store)) ?? null }, where).toMatchObject({ answer: expected ?? null });
          if (step % 10 === 9 || step === 119) expect(await recordsOf(store), where).toEqual(known);
        }
        overlapped = known.triggers.filter(({ status }) => status === "superseded").length;
      }
      expect(overlapped).toBeGreaterThan(0);
      await Promise.all(stores.map((store) => store.close()));
    },
    300_000,
  );
});
