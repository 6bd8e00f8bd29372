/**
 * What waits, run end to end, from a fresh store: on PostgreSQL beside other queues, with what the server writes to its log and how often it commits for a run; on SQLite (`synchronous=FULL`) and
 * in memory alone. Accepting is not measured.
 */

import { accept, jobsOn } from "../jobs.js";
import type { BenchOptions, MakeCase, Participant } from "../model.js";
import { dropSchema, PEERS } from "../peers/kinds.js";
import type { PeerKind } from "../peers/peer.js";
import { type StoreKind, storeKinds } from "../stores.js";
import { perSecond, timed, until } from "../support.js";
import { writtenBy } from "../written.js";

function peer(kind: PeerKind, url: string, count: number): Participant {
  return {
    name: kind.name,
    group: "PostgreSQL",
    isReference: kind.name !== "headgate",
    remark: kind.remark,
    targets: { rate: { ratio: 1 } },
    turn: async () => {
      await dropSchema(url, kind);
      const front = await kind.open(url);
      await front.addBulk(count);
      await front.close();
      let ms = 0;
      const { logBytes, commits } = await writtenBy(url, async () => {
        const worker = await kind.open(url);
        let ran = 0;
        ms = await timed(async () => {
          await worker.work(() => void ran++);
          await until(() => ran >= count, `${count} jobs of ${kind.name} have run`);
        });
        await worker.close(); // the last ends are recorded
      });
      await dropSchema(url, kind);
      return { rate: perSecond(count, ms), "log written": logBytes / count, commits: commits / count };
    },
  };
}

function alone({ name, make }: StoreKind, count: number): Participant {
  return {
    name: "headgate",
    group: name,
    ...(name === "SQLite" ? { targets: { rate: { value: 20_000 } } } : {}),
    turn: async () => {
      const place = make();
      const { scheduler, ran } = jobsOn(place.open());
      await scheduler.start();
      await scheduler.pause();
      await accept(scheduler, count);
      const ms = await timed(async () => {
        await scheduler.resume();
        await until(() => ran() >= count, `${count} triggers on ${name} have run`);
      });
      await scheduler.stop();
      await place.remove();
      return { rate: perSecond(count, ms) };
    },
  };
}

const makeCase: MakeCase = (options: BenchOptions) => {
  const { postgres, isShort } = options;
  const count = isShort ? 100 : 20_000;
  return {
    title: `${count.toLocaleString("en")} that wait, run end to end`,
    measures: [
      { name: "rate", unit: "runs per s", better: "higher" },
      { name: "log written", unit: "bytes a run", better: "lower" },
      { name: "commits", unit: "per run", better: "lower" },
    ],
    participants: [
      ...(postgres === null ? [] : PEERS.map((kind) => peer(kind, postgres, count))),
      ...storeKinds(options)
        .filter(({ name }) => name !== "PostgreSQL")
        .map((kind) => alone(kind, count)),
    ],
    rounds: isShort ? 1 : 3,
    warmUps: isShort ? 0 : 1,
  };
};
export default makeCase;
