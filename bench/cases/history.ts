/** The same work on an empty store and on one with a million ended triggers, their runs and decisions: cost must not grow with history. */
import { setTimeout as wait } from "node:timers/promises";
import { fillHistory, historyPipelines } from "../history.js";
import { accept, jobsOn, timingClaims } from "../jobs.js";
import type { MakeCase, Participant } from "../model.js";
import { databaseKinds, type StoreKind } from "../stores.js";
import { median, percentile, perSecond, timed, until } from "../support.js";

const FIRST = 50;
/** As good as on an empty store, but for noise. */
const TARGET = { ratio: 0.8 };
const PICKED_EVERY_MS = 20;

function participant({ name, make }: StoreKind, history: number, isShort: boolean): Participant {
  const [picked, count] = isShort ? [10, 300] : [300, 10_000];
  return {
    name: history === 0 ? "empty store" : `${history.toLocaleString("en")} ended triggers`,
    group: name,
    isReference: history === 0,
    targets: { start: TARGET, "picked up, p50": TARGET, "a claim, p50": TARGET, rate: TARGET },
    turn: async () => {
      const place = make();
      await fillHistory(place, history);
      const lags: number[] = [];
      const { store, claims } = timingClaims(place.open());
      const { scheduler, ran } = jobsOn(store, (at) => at !== null && lags.push(performance.now() - Number(at)), historyPipelines());
      const startMs = await timed(() => scheduler.start());
      for (let n = 0; n < FIRST + picked; n++) {
        void scheduler.trigger("job", { reason: String(performance.now()) });
        await wait(PICKED_EVERY_MS);
      }
      await until(() => ran() >= FIRST + picked, "what was picked up has run");
      await scheduler.pause();
      await accept(scheduler, count);
      claims.length = 0;
      const ms = await timed(async () => {
        await scheduler.resume();
        await until(() => ran() >= FIRST + picked + count, "what waited has run");
      });
      await scheduler.stop();
      await place.remove();
      const counted = lags.slice(FIRST);
      return {
        start: startMs,
        "picked up, p50": percentile(counted, 0.5),
        "picked up, p99": percentile(counted, 0.99),
        "a claim, p50": median(claims),
        rate: perSecond(count, ms),
      };
    },
  };
}

const makeCase: MakeCase = (options) => ({
  title: "An empty store and a full one",
  measures: [
    { name: "start", unit: "ms", better: "lower" },
    { name: "picked up, p50", unit: "ms", better: "lower" },
    { name: "picked up, p99", unit: "ms", better: "lower" },
    { name: "a claim, p50", unit: "ms", better: "lower" },
    { name: "rate", unit: "runs per s", better: "higher" },
  ],
  participants: databaseKinds(options).flatMap((kind) => [0, options.history].map((count) => participant(kind, count, options.isShort))),
  rounds: options.isShort ? 1 : 2,
});
export default makeCase;
