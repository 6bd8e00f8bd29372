import { setTimeout as wait } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { storeFromUrl } from "../../src/entry/store-from-url.js";
import { checkInvariants } from "../crash/invariants.js";
import { type PostgresEnd, postgresBinaries, privatePostgres } from "../support/private-postgres.js";
import { hasRedisBinary, PrivateRedis } from "../support/redis.js";
import { listen } from "../support/service.js";
import { Host } from "./host.js";

const bin = postgresBinaries();
const TOKEN = "a-token-of-the-restart-test";
const STEP_MS = 500;
/** How often each server is restarted; `HEADGATE_CHAOS=full` for 50. */
const ROUNDS = process.env.HEADGATE_CHAOS === "full" ? 50 : 3;
const SEED = Number(process.env.HEADGATE_CHAOS_SEED ?? 1);
/** Successes of each pipeline between two restarts. */
const PROGRESS = 5;
const ALL = 1_000_000;
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Posts triggers one after the other, each until it is accepted; the same key makes it the same trigger. */
class Client {
  readonly accepted = new Set<string>();
  #isOver = false;
  readonly #work: Promise<void>;

  constructor(url: string, name: string) {
    this.#work = this.#run(url, name);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#work;
  }

  async #run(url: string, name: string): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const body = JSON.stringify({ pipeline: n % 2 === 0 ? "there" : "here", parameters: { n } });
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "idempotency-key": `${name}-${n}` };
      for (;;) {
        const answer = await fetch(`${url}/api/v1/trigger/manual`, { method: "POST", headers, body }).catch(() => null); // the host may be dead: its exit says so
        const json = (await answer?.json().catch(() => null)) as { id?: string } | null;
        if (answer?.status === 202 && json?.id !== undefined) {
          this.accepted.add(json.id);
          break;
        }
        if (this.#isOver) return;
        await wait(50);
      }
      await wait(10); // the load: not so much that ends wait for each other
    }
  }
}

/** Numbers in [0, 1) by a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe.skipIf(bin === null || !hasRedisBinary())("PostgreSQL and Redis that are restarted under a host", () => {
  it(`end no process, lose no trigger and no result: ${ROUNDS} times each, seed ${SEED}`, async () => {
    const random = randomOf(SEED);
    const pick = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
    const server = await privatePostgres(bin ?? "");
    ends.push(() => server.stop());
    const redis = await new PrivateRedis().start();
    ends.push(() => redis.remove());
    let alerts = 0;
    const hook = await listen((_, response) => {
      alerts++;
      response.end();
    });
    ends.push(() => hook.close());
    const postgres = `${server.url}?schema=restarts`;
    const host = new Host({ postgres, redis: redis.url, hook: hook.url, token: TOKEN });
    ends.push(() => host.kill());
    await host.until(() => host.url !== "");
    const clients = ["x", "y"].map((name) => new Client(host.url, name));
    const progress = async () => {
      const before = new Map(host.succeeded);
      const pipelines = ["beat", "here", "there"];
      await host.until(() => pipelines.every((id) => (host.succeeded.get(id) ?? 0) >= (before.get(id) ?? 0) + PROGRESS));
    };
    const restartPostgres = async () => {
      await server.end(pick<PostgresEnd>("kill", "immediate", "fast"));
      await server.start();
    };
    const restartRedis = async () => {
      await redis.kill(pick("SIGKILL", "SIGTERM"));
      await redis.start();
    };
    await progress();
    const startedAt = performance.now();
    for (let round = 0; round < ROUNDS; round++) {
      const both = [restartPostgres, restartRedis];
      if (pick("together", "apart") === "together") await Promise.all(both.map((restart) => restart()));
      else
        for (const restart of pick(both, both.toReversed())) {
          await restart();
          await progress();
        }
      await progress();
    }
    await Promise.all(clients.map((one) => one.stop()));
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const store = storeFromUrl(postgres);
    await store.open();
    ends.push(() => store.close());
    const accepted = new Set(clients.flatMap((one) => [...one.accepted]));
    const isOpen = async () => {
      const open = await store.listTriggers({ statuses: ["pending", "held", "running"], limit: 1_000 });
      return open.some(({ id }) => accepted.has(id));
    };
    while (await isOpen()) await wait(100);
    expect(await host.stop()).toBe("0");
    expect(host.problems).toEqual([]);
    const runs = await store.listRuns({ limit: ALL });
    const byTrigger = new Map(runs.map((run) => [run.triggerId, run]));
    const lost = [...accepted].filter((id) => byTrigger.get(id)?.status !== "succeeded");
    const withoutResult = [...accepted].filter((id) => typeof byTrigger.get(id)?.output !== "number");
    const doubled = [...host.began.values()].filter((count) => count > 1).length;
    const attempts = runs.flatMap((one) => one.attempts);
    console.log(
      `${ROUNDS} restarts of each in ${seconds} s, seed ${SEED}: ${accepted.size} triggers accepted, ${runs.length} runs, ${attempts.length} attempts repeated, ` +
        `${doubled} attempts executed twice, ${alerts} alerts; reported: ${JSON.stringify([...host.reported])}`,
    );
    expect(lost).toEqual([]);
    expect(withoutResult).toEqual([]);
    expect(host.overlaps).toBe(0);
    expect(alerts).toBeGreaterThan(0);
    await checkInvariants(store, STEP_MS);
  }, 1_200_000);
});
