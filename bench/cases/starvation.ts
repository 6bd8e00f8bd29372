/** A backlog of functions that return at once: how long timers wait meanwhile, and how soon /health is answered. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { nodeTriggerApi } from "headgate/http";
import { listen, load, openApi } from "../http-load.js";
import { accept, jobsOn } from "../jobs.js";
import type { MakeCase, Participant } from "../model.js";
import { type StoreKind, storeKinds } from "../stores.js";

/** How exactly the delay is measured: shorter ones are not seen. */
const RESOLUTION_MS = 1;

function participant({ name, make }: StoreKind, count: number, seconds: number): Participant {
  return {
    name: "headgate",
    group: name,
    targets: { "longest turn": { value: 20 }, "/health, p99": { value: 50 } },
    turn: async () => {
      const place = make();
      const { scheduler, ran } = jobsOn(place.open());
      await scheduler.start();
      const served = await listen(nodeTriggerApi(openApi(scheduler)));
      await load(served, { path: "/health", seconds: 1, connections: 1, rate: 100 });
      await scheduler.pause();
      await accept(scheduler, count);
      const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      delay.enable();
      await scheduler.resume();
      const { p99 } = await load(served, { path: "/health", seconds, connections: 1, rate: 100 });
      delay.disable();
      if (ran() === 0) throw new Error("nothing ran meanwhile");
      await served.close();
      await scheduler.stop({ drain: 0 });
      await place.remove();
      return { "longest turn": delay.max / 1e6, "turns, p99": delay.percentile(99) / 1e6, "/health, p99": p99 };
    },
  };
}

const makeCase: MakeCase = (options) => {
  const [count, seconds] = options.isShort ? [2_000, 1] : [200_000, 5];
  return {
    title: `A backlog of ${count.toLocaleString("en")} functions that return at once`,
    measures: [
      { name: "longest turn", unit: "ms", better: "lower" },
      { name: "turns, p99", unit: "ms", better: "lower" },
      { name: "/health, p99", unit: "ms", better: "lower" },
    ],
    participants: storeKinds(options).map((kind) => participant(kind, count, seconds)),
    rounds: options.isShort ? 1 : 3,
  };
};
export default makeCase;
