/** How fast a store forgets what is beyond its retention, and the longest of its steps: half of the history must take half of the time. */
import { fillHistory } from "../history.js";
import type { MakeCase, Participant } from "../model.js";
import { databaseKinds, type StoreKind } from "../stores.js";
import { percentile, perSecond } from "../support.js";

const KEPT = 1_000;
/** The scheduler's: a step that was short does more the next time, one that was long does less. */
const [LEAST, MOST] = [25, 1_000];
const [SHORT_MS, LONG_MS] = [3, 8];

function participant({ name, make }: StoreKind, history: number, isReference: boolean): Participant {
  return {
    name: `${history.toLocaleString("en")} ended triggers`,
    group: name,
    isReference,
    targets: { forgotten: { ratio: 0.8 }, "longest step": { value: 20 } },
    turn: async () => {
      const place = make();
      await fillHistory(place, history);
      const store = place.open({ count: KEPT });
      await store.open();
      const steps: number[] = [];
      let removed = 0;
      for (let limit = LEAST, isDone = false; !isDone; ) {
        const begin = performance.now();
        const result = await store.prune(Date.now(), { limit });
        const ms = performance.now() - begin;
        steps.push(ms);
        removed += result.removed;
        isDone = result.isDone;
        if (ms > LONG_MS) limit = Math.max(LEAST, Math.floor(limit / 2));
        else if (ms < SHORT_MS) limit = Math.min(MOST, limit * 2);
      }
      await store.close();
      await place.remove();
      if (removed < (history - 2 * KEPT) / 2) throw new Error(`only ${removed} of ${history} were forgotten`);
      const sum = steps.reduce((total, ms) => total + ms, 0);
      return { forgotten: perSecond(removed, sum), "steps, p99": percentile(steps, 0.99), "longest step": Math.max(...steps) };
    },
  };
}

const makeCase: MakeCase = (options) => {
  const history = options.isShort ? 6_000 : 200_000;
  return {
    title: "Forgetting what is beyond the retention",
    measures: [
      { name: "forgotten", unit: "triggers per s", better: "higher" },
      { name: "steps, p99", unit: "ms", better: "lower" },
      { name: "longest step", unit: "ms", better: "lower" },
    ],
    participants: databaseKinds(options).flatMap((kind) => [participant(kind, history / 2, true), participant(kind, history, false)]),
    rounds: 1,
  };
};
export default makeCase;
