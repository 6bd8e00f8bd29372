import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { postgresDatabase } from "../../src/adapters/stores/postgres/postgres-database.js";
import { claimLine } from "../../src/adapters/stores/sql/claim.js";
import type { Database } from "../../src/adapters/stores/sql/database.js";
import { sqlStore } from "../../src/adapters/stores/sql/sql-store.js";
import { sqliteDatabase } from "../../src/adapters/stores/sqlite/sqlite-database.js";
import { memoryStore, type Store } from "../../src/index.js";
import { claim, deciding, nextId, registration, request, T0 } from "../../src/testing/contract/fixtures.js";
import { dropSchemas, freshSchema, testDatabaseUrl } from "../support/postgres.js";
import { Draws } from "../worlds/random.js";

const PIPELINES = ["a", "b", "c", "d"];
const POOLS = [null, "p", "q"];
const OVERLAPS = ["queue", "queue_one", "skip", "cancel_running"] as const;
/** Where nothing at all can start, a claim looks for fire times to skip no further than its first page: worlds with a global limit have none. */
const QUEUES = ["queue", "queue_one"] as const;
/** How many of the fire times to skip one claim finds depends on how far it reads: worlds with such pipelines have claims that take all there is. */
const ALL = 100;
const PRIORITIES = ["critical", "high", "normal", "low"] as const;

interface Started {
  readonly id: string;
  readonly token: number;
}

/** Two stores that are asked the same; what they answer must be the same. */
class Twins {
  readonly #stores: readonly [Store, Store];
  readonly #random: Draws;
  readonly #registered = new Map<string, ReturnType<typeof registration>>();
  readonly #ids: string[] = [];
  #running: Started[] = [];
  readonly #hasGlobalLimit: boolean;
  readonly #overlaps: readonly (typeof OVERLAPS)[number][];
  #now = T0;
  #fireTime = T0;
  claimed = 0;
  retried = 0;

  constructor(stores: readonly [Store, Store], random: Draws) {
    this.#stores = stores;
    this.#random = random;
    this.#hasGlobalLimit = random.chance(0.3);
    this.#overlaps = this.#hasGlobalLimit ? QUEUES : OVERLAPS.filter((overlap) => overlap !== "skip" || random.chance(0.5));
  }

  async begin(): Promise<void> {
    for (const id of PIPELINES) await this.#register(id);
  }

  async step(): Promise<void> {
    this.#now += this.#random.whole(0, 20_000);
    const steps = [
      () => this.#enqueue(),
      () => this.#enqueue(),
      () => this.#claim(),
      () => this.#claim(),
      () => this.#claim(),
      () => this.#finish(),
      () => this.#finish(),
      () => this.#pause(),
      () => this.#register(this.#pipeline()),
      () => this.#end(),
      () => this.#recheck(),
      () => this.#both((store) => store.expire(this.#now).then((ended) => ended.map(({ id }) => id).toSorted())),
    ];
    await (this.#random.pick(steps) as () => Promise<unknown>)();
  }

  /** Everything that waits must come out in the end. */
  async drain(): Promise<void> {
    await this.#both((store) => store.resume([{ pipelineId: null }], this.#now).then(() => null));
    for (const id of PIPELINES) await this.#both((store) => store.resume([{ pipelineId: id }], this.#now).then(() => null));
    for (let round = 0; round < 1_000; round++) {
      this.#now += 60_000;
      await this.#both((store) => store.expire(this.#now).then((ended) => ended.map(({ id }) => id).toSorted()));
      const before = this.claimed;
      await this.#claim("run", new Map([["p", 2], ["q", 2]])); // biome-ignore format: one line
      await this.#finish(true);
      if (this.claimed === before && this.#running.length === 0 && (await this.#stores[1].countWaiting(1)) === 0) return;
    }
    throw new Error(`${await this.#stores[1].countWaiting(1_000)} triggers are never handed out`);
  }

  #pipeline(): string {
    return this.#random.pick(PIPELINES) as string;
  }

  async #both<T>(ask: (store: Store) => Promise<T>): Promise<T> {
    const [expected, found] = [await ask(this.#stores[0]), await ask(this.#stores[1])];
    expect(found).toEqual(expected);
    return expected;
  }

  async #register(id: string): Promise<void> {
    const known = this.#registered.get(id);
    const overlap = (): (typeof OVERLAPS)[number] => this.#random.pick(this.#overlaps) as "queue";
    const one = registration(id, {
      nextFireAt: null,
      maxActiveRuns: this.#random.whole(1, 3),
      pool: this.#random.pick(POOLS) as string | null,
      overlap: known === undefined || this.#random.chance(0.2) ? overlap() : known.overlap,
    });
    this.#registered.set(id, one);
    await this.#both((store) => store.register([one], this.#now).then(() => null));
  }

  async #enqueue(): Promise<void> {
    const triggers = Array.from({ length: this.#random.whole(1, 6) }, () => {
      const isScheduled = this.#random.chance(0.3);
      this.#fireTime += 1_000;
      return request(this.#pipeline(), {
        priority: this.#random.pick(PRIORITIES) as (typeof PRIORITIES)[number],
        isForced: this.#random.chance(0.05),
        notBefore: this.#random.chance(0.2) ? this.#now + this.#random.whole(1, 60_000) : null,
        ...(isScheduled ? { kind: "scheduled", scheduledFor: this.#fireTime, isForced: false } : {}),
      });
    });
    this.#ids.push(...triggers.map(({ id }) => id));
    await this.#both((store) => store.enqueue(triggers, this.#now).then((all) => all.map(({ trigger }) => trigger.order)));
  }

  async #claim(only?: "run", pools?: ReadonlyMap<string, number>): Promise<void> {
    const limit = this.#overlaps.includes("skip") ? ALL : this.#random.whole(1, 6);
    const rest = {
      pools: pools ?? new Map(["p", "q"].map((pool) => [pool, this.#random.whole(0, 2)] as const)),
      globalLimit: this.#hasGlobalLimit && only === undefined && this.#random.chance(0.3) ? this.#random.whole(1, 4) : null,
    };
    const { all: claimed, attempts } = await this.#both(async (store) => {
      const all: { id: string; token: number; isOverlapping: boolean }[] = [];
      const attempts: Started[] = [];
      for (let more = limit, isPartial = true; isPartial && more > 0; ) {
        const answer = await claim(store, this.#now, { ...rest, limit: more });
        const pick =
          (isOverlapping: boolean) =>
          ({ id, token }: { id: string; token: number }) => ({ id, token, isOverlapping });
        all.push(...answer.triggers.map(pick(false)), ...answer.overlapping.map(pick(true)));
        attempts.push(...answer.attempts.map(({ run: { id, token } }) => ({ id, token })));
        more -= answer.triggers.length + answer.attempts.length;
        isPartial = answer.isPartial === true;
      }
      return { all, attempts };
    });
    this.claimed += claimed.length;
    this.retried += attempts.length;
    this.#running.push(...attempts);
    for (const { id, isOverlapping } of claimed) {
      if (only === undefined && this.#random.chance(0.1)) continue; // nobody decides: its lease runs out
      const outcome = isOverlapping ? "skip" : (only ?? (this.#random.pick(["run", "run", "hold", "skip"]) as "run"));
      const ids = { decision: nextId(), run: nextId() };
      const run = await this.#both(async (store) => {
        const trigger = await store.trigger(id);
        if (trigger === null) throw new Error(`no trigger ${id}`);
        const made = deciding(trigger, outcome, this.#now);
        const known = { ...made, decision: { ...made.decision, id: ids.decision }, run: made.run && { ...made.run, id: ids.run } };
        const [result] = await store.decide([known], () => this.#now);
        return result?.isAccepted === true && result.run !== null ? { id: result.run.id, token: result.run.token } : null;
      });
      if (run !== null) this.#running.push(run);
    }
  }

  async #finish(isAll = false): Promise<void> {
    const ending = isAll ? this.#running : this.#running.filter(() => this.#random.chance(0.5));
    this.#running = this.#running.filter((one) => !ending.includes(one));
    const requests = ending.map(({ id, token }) => ({
      runId: id,
      token,
      end:
        isAll || this.#random.chance(0.5)
          ? { outcome: "succeeded" as const, error: null, output: null, retryAt: null }
          : {
              outcome: "failed" as const,
              error: { message: "down", code: null },
              output: null,
              retryAt: this.#now + this.#random.whole(0, 30_000),
            },
      follow: [],
      onlyIfExpired: false,
    }));
    await this.#both((store) => store.finish(requests, () => this.#now).then((all) => all.map(({ isAccepted }) => isAccepted)));
  }

  async #recheck(): Promise<void> {
    const ids = this.#random.chance(0.5) ? null : [this.#pipeline()];
    await this.#both((store) => store.recheck(ids, this.#now));
  }

  async #pause(): Promise<void> {
    const id = this.#random.chance(0.2) ? null : this.#pipeline();
    const isPause = this.#random.chance(0.4);
    const pause = { at: this.#now, until: null, reason: null, user: null };
    await this.#both((store) =>
      (isPause ? store.pause([{ pipelineId: id, pause }]) : store.resume([{ pipelineId: id }], this.#now)).then(() => null),
    );
  }

  async #end(): Promise<void> {
    if (this.#ids.length === 0) return;
    const id = this.#random.pick(this.#ids) as string;
    const request = { at: this.#now, user: null, reason: null };
    await this.#both((store) => store.endTrigger(id, "cancelled", request).then((answer) => answer?.trigger.status ?? null));
  }
}

const url = await testDatabaseUrl();

const STEPS = 120;

describe("lines of their own for what cannot start", () => {
  const folder = mkdtempSync(join(tmpdir(), "headgate-lines-"));
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await dropSchemas();
  });
  const [from, until] = (process.env.HEADGATE_SEEDS ?? "1-4").split("-").map(Number) as [number, number];

  const sqlite = () => sqliteDatabase({ file: join(folder, `${crypto.randomUUID()}.db`), synchronous: "normal" });
  const compare = async (make: () => Database, seeds: number) => {
    let retried = 0;
    for (let seed = from; seed <= Math.min(until, from + seeds - 1); seed++) {
      const random = new Draws(seed);
      const page = random.whole(1, 4);
      const line = claimLine({ page, patience: random.whole(1, 4) });
      const stores = [memoryStore(), sqlStore(make(), {}, line)] as const;
      for (const store of stores) await store.open();
      const twins = new Twins(stores, random);
      try {
        await twins.begin();
        for (let step = 0; step < STEPS; step++) await twins.step();
        await twins.drain();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      expect(twins.claimed).toBeGreaterThan(0);
      retried += twins.retried;
      for (const store of stores) await store.close();
    }
    expect(retried).toBeGreaterThan(0);
  };

  it("change nothing of what SQLite hands out, and in which order, as memory does", async () => {
    await compare(sqlite, 4);
  }, 300_000);

  it.skipIf(url === null)(
    "nor PostgreSQL",
    async () => {
      await compare(() => postgresDatabase({ connectionString: url as string, schema: freshSchema() }), 1);
    },
    300_000,
  );
});
