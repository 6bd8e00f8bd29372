/** Triggers accepted on PostgreSQL, each safe on the disk before its call is answered, beside other queues on the same server. */
import type { MakeCase, Participant, Target } from "../model.js";
import { dropSchema, PEERS } from "../peers/kinds.js";
import type { Peer, PeerKind } from "../peers/peer.js";
import { perSecond, timed, times } from "../support.js";

interface Way {
  readonly name: string;
  readonly count: number;
  readonly target: Target | null;
  accept(peer: Peer, count: number): Promise<unknown>;
}

const addAtOnce = (atOnce: number) => (peer: Peer, count: number) => times(count, atOnce, () => peer.add());
const WAYS: readonly Way[] = [
  { name: "one by one", count: 300, target: { ratio: 1.3 }, accept: addAtOnce(1) },
  { name: "32 calls at once", count: 3_200, target: null, accept: addAtOnce(32) },
  { name: "in bulk", count: 10_000, target: { ratio: 1 }, accept: (peer, count) => peer.addBulk(count) },
];
const TARGETS = Object.fromEntries(WAYS.flatMap(({ name, target }) => (target === null ? [] : [[name, target]])));

const makeCase: MakeCase = ({ postgres, isShort }) => {
  const part = isShort ? 50 : 1;
  const participant = (kind: PeerKind, url: string): Participant => ({
    name: kind.name,
    isReference: kind.name !== "headgate",
    remark: kind.remark,
    targets: TARGETS,
    turn: async () => {
      await dropSchema(url, kind);
      const peer = await kind.open(url);
      await times(50, 10, () => peer.add());
      const rates: Record<string, number> = {};
      for (const { name, count, accept } of WAYS) rates[name] = perSecond(count / part, await timed(() => accept(peer, count / part)));
      await peer.close();
      await dropSchema(url, kind);
      return rates;
    },
  });
  return {
    title: "Triggers accepted on PostgreSQL",
    measures: WAYS.map(({ name }) => ({ name, unit: "per s", better: "higher" })),
    participants: postgres === null ? [] : PEERS.map((kind) => participant(kind, postgres)),
    rounds: isShort ? 1 : 5,
    warmUps: isShort ? 0 : 1,
  };
};
export default makeCase;
