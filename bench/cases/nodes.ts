/** 20,000 that wait, worked off by 1 to 16 processes on one PostgreSQL: throughput must not fall with more of them. */
import { accept, jobsOn } from "../jobs.js";
import type { MakeCase, Participant } from "../model.js";
import { NodeProcess } from "../node-process.js";
import { databaseKinds, type StoreKind } from "../stores.js";
import { median, perSecond, timed, until } from "../support.js";

function participant({ make }: StoreKind, nodes: number, count: number): Participant {
  return {
    name: nodes === 1 ? "1 node" : `${nodes} nodes`,
    isReference: nodes === 1,
    targets: { rate: { ratio: 1 } },
    turn: async () => {
      const place = make();
      const { scheduler } = jobsOn(place.open());
      await scheduler.start();
      await scheduler.pause();
      await accept(scheduler, count);
      await scheduler.stop();
      const processes = Array.from({ length: nodes }, () => new NodeProcess(place.url));
      await Promise.all(processes.map((one) => one.ready()));
      const ran = () => processes.reduce((sum, one) => sum + one.ran, 0);
      const ms = await timed(async () => {
        processes[0]?.resume();
        await until(() => ran() >= count, `${nodes} nodes have run ${count} triggers`);
      });
      const share = Math.min(...processes.map((one) => one.ran)) / (count / nodes);
      const figures = await Promise.all(processes.map((one) => one.stop()));
      await place.remove();
      const claims = figures.flatMap(({ claimMs }) => (claimMs === null ? [] : [claimMs]));
      return { rate: perSecond(count, ms), "a claim, p50": median(claims), "least share": share };
    },
  };
}

const makeCase: MakeCase = (options) => {
  const [count, most] = options.isShort ? [500, 2] : [20_000, 16];
  const kinds = databaseKinds(options).filter(({ name }) => name === "PostgreSQL");
  return {
    title: `${count.toLocaleString("en")} that wait, on PostgreSQL, by number of nodes`,
    measures: [
      { name: "rate", unit: "runs per s", better: "higher" },
      { name: "a claim, p50", unit: "ms", better: "lower" },
      { name: "least share", unit: "of an even one", better: "higher" },
    ],
    participants: kinds.flatMap((kind) =>
      [1, 2, 4, 8, 16].filter((nodes) => nodes <= most).map((nodes) => participant(kind, nodes, count)),
    ),
    rounds: options.isShort ? 1 : 3,
  };
};
export default makeCase;
