/**
 * Triggers accepted, run and picked up on PostgreSQL, beside other queues on the same server. Accepting is measured in turns, each peer a little at a time, so
 * that none has the quieter minute; the figure is the median of its turns.
 */
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { bullmq } from "../peers/bullmq.js";
import { graphileWorker } from "../peers/graphile-worker.js";
import { headgate } from "../peers/headgate.js";
import { type Peer, URL } from "../peers/peer.js";
import { pgBoss } from "../peers/pg-boss.js";
import { median, percentile, row } from "../support.js";

const SCHEMAS = ["headgate_bench", "graphile_worker", "pgboss", "bullmq_bench"];
const TURNS = 5;
const PICKED = 300;

interface Way {
  readonly title: string;
  readonly count: number;
  accept(peer: Peer): Promise<unknown>;
}

const WAYS: readonly Way[] = [
  {
    title: "accepted one by one",
    count: 300,
    accept: async (peer) => {
      for (let n = 0; n < 300; n++) await peer.add();
    },
  },
  {
    title: "accepted 32 at once",
    count: 1_600,
    accept: (peer) =>
      Promise.all(
        Array.from({ length: 32 }, async () => {
          for (let n = 0; n < 50; n++) await peer.add();
        }),
      ),
  },
  { title: "accepted in bulk", count: 5_000, accept: (peer) => peer.addBulk(5_000) },
];

async function clean(): Promise<void> {
  const client = new pg.Client({ connectionString: URL });
  await client.connect();
  for (const schema of SCHEMAS) await client.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
  await client.end();
}

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - begin);
}

async function pickUp(peer: Peer, name: string | null, lags: number[]): Promise<void> {
  lags.length = 0;
  for (let n = 0; n < PICKED; n++) {
    void peer.add(performance.timeOrigin + performance.now());
    await wait(20);
  }
  for (let n = 0; n < 200 && lags.length < PICKED; n++) await wait(20);
  if (name !== null) row(name, `p50 ${percentile(lags, 0.5).toFixed(1)} p99 ${percentile(lags, 0.99).toFixed(1)} ms`);
}

const MAKES = [headgate, graphileWorker, pgBoss, bullmq];

console.log("PostgreSQL, default durability, per second");
await clean();
for (const make of MAKES) {
  const peer = await make();
  const lags: number[] = [];
  await peer.work((at) => {
    if (at !== undefined) lags.push(performance.timeOrigin + performance.now() - at);
  });
  await pickUp(peer, null, lags); // compiles the code
  await pickUp(peer, `picked up at 50 a second: ${peer.name}`, lags);
  await peer.close();
}
await clean();
const peers: Peer[] = [];
for (const make of MAKES) peers.push(await make());
const accepted = new Map(peers.map((peer) => [peer, 0]));
for (const { title, count, accept } of WAYS) {
  const rates = new Map(peers.map((peer) => [peer, [] as number[]]));
  for (let turn = 0; turn <= TURNS; turn++) {
    const order = peers.map((_, index) => peers[(index + turn) % peers.length] as Peer);
    for (const peer of order) {
      const rate = await perSecond(count, () => accept(peer));
      accepted.set(peer, (accepted.get(peer) ?? 0) + count);
      if (turn > 0) rates.get(peer)?.push(rate); // the first turn compiles the code and warms the server's caches
    }
  }
  const best = Math.max(...peers.slice(1).map((peer) => median(rates.get(peer) ?? [])));
  for (const peer of peers) {
    const rate = median(rates.get(peer) ?? []);
    const ratio =
      peer === peers[0] ? `${(rate / best).toFixed(2)} × the best peer${title.includes("bulk") ? "; target 40,000" : "; target 1"}` : "";
    row(`${title}: ${peer.name}`, Math.round(rate).toLocaleString("en"), ratio);
  }
}
for (const peer of peers) {
  const total = accepted.get(peer) ?? 0;
  let ran = 0;
  const lags: number[] = [];
  const rate = await perSecond(total, async () => {
    await peer.work((at) => {
      ran++;
      if (at !== undefined) lags.push(performance.timeOrigin + performance.now() - at);
    });
    const patience = performance.now() + 60_000;
    while (ran < total) {
      if (performance.now() > patience) throw new Error(`${peer.name} has run ${ran} of ${total} in a minute`);
      await wait(5);
    }
  });
  row(`run end to end: ${peer.name}`, Math.round(rate).toLocaleString("en"), `${peer === peers[0] ? "target 6,000; " : ""}${peer.remark}`);
  await pickUp(peer, `picked up at 50 a second, right after all of those: ${peer.name}`, lags);
  await peer.close();
}
await clean();
process.exit(0);
