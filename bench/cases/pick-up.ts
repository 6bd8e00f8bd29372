/** How soon a function runs after its trigger was requested, at 50 a second on PostgreSQL, beside other queues on the same server. */
import { setTimeout as wait } from "node:timers/promises";
import type { MakeCase, Participant } from "../model.js";
import { dropSchema, PEERS } from "../peers/kinds.js";
import type { PeerKind } from "../peers/peer.js";
import { percentile, until } from "../support.js";

const EVERY_MS = 20;
/** That compile the code, and do not count. */
const FIRST = 50;

const now = () => performance.timeOrigin + performance.now();

const makeCase: MakeCase = ({ postgres, isShort }) => {
  const count = isShort ? 20 : 300;
  const participant = (kind: PeerKind, url: string): Participant => ({
    name: kind.name,
    isReference: kind.name !== "headgate",
    remark: kind.remark,
    targets: { p99: { ratio: 1 } },
    turn: async () => {
      await dropSchema(url, kind);
      const peer = await kind.open(url);
      const lags: number[] = [];
      await peer.work((at) => void lags.push(now() - (at ?? Number.NaN)));
      const adding: Promise<unknown>[] = [];
      for (let n = 0; n < FIRST + count; n++) {
        adding.push(peer.add(now()));
        await wait(EVERY_MS);
      }
      await Promise.all(adding);
      await until(() => lags.length >= FIRST + count, `all jobs of ${kind.name} have run`, 60);
      await peer.close();
      await dropSchema(url, kind);
      const counted = lags.slice(FIRST);
      return { p50: percentile(counted, 0.5), p99: percentile(counted, 0.99) };
    },
  });
  return {
    title: "From the request to the function, 50 a second on PostgreSQL",
    measures: [
      { name: "p50", unit: "ms", better: "lower" },
      { name: "p99", unit: "ms", better: "lower" },
    ],
    participants: postgres === null ? [] : PEERS.map((kind) => participant(kind, postgres)),
    rounds: isShort ? 1 : 3,
  };
};
export default makeCase;
